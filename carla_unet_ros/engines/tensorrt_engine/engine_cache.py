# SPDX-License-Identifier: Apache-2.0
"""The cache of built engines on disk. It loads only what this user built and nobody changed.

An engine file is code: who can change it can run code in this process. So only the user can open
the folder (0700), and an entry is two files that must agree (cache_entry.py). An entry that is
missing, truncated, altered or of another key is built again, never loaded.

A lock on the folder makes builders wait for each other: two at once would do the work twice, and
disturb each other's timing of kernels.
"""

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from carla_unet_ros.engines.engine import EngineError, Log
from carla_unet_ros.engines.tensorrt_engine.cache_entry import (
    UNFINISHED,
    Entry,
    Key,
    find_entries,
    find_files,
    read_entry,
    write_entry,
)
from carla_unet_ros.engines.tensorrt_engine.private_files import UntrustedError, make_private
from carla_unet_ros.errors import InputError, expand_home

DEFAULT_FOLDER = Path("~/.cache/carla_unet_ros")

# The name shows that a folder is a cache of this package.
_LOCK = "carla_unet_ros.lock"
_WAIT_SECONDS = 0.1
_WAITS_BETWEEN_LINES = 40


class EngineCache:
    """A folder of entries, made if it is missing. None is `DEFAULT_FOLDER`.

    A folder that cannot be written is no error: its entries are used, and a log line says that
    none is added.
    """

    def __init__(self, folder: Path | None, log: Log) -> None:
        """Raises EngineError if other users can write the folder, or it is no cache."""
        self.folder = _expanded(folder)
        self._log = log
        self._told: set[str] = set()
        self._is_locked = False
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_is_cache(self.folder)
            changed = make_private(self.folder)
            self._clear_unfinished()
        except UntrustedError as error:
            raise EngineError(
                f"engine cache {error}: whoever writes there could run code in this process; set "
                "engine_cache to a folder of your own"
            ) from error
        except OSError as error:
            log(f"engine cache {self.folder} cannot be made ({error.strerror})")
        else:
            if changed:
                log(f"engine cache {changed}")

    def read(self, key: Key) -> bytes | None:
        """The content of an entry, or None if there is none that can be trusted."""
        # Unlike Path.exists, lexists returns False without permission to look.
        if not any(os.path.lexists(self.folder / f"{key.stem}{end}") for end in (".bin", ".json")):
            return None
        try:
            return read_entry(self.folder, key)
        except UntrustedError as fault:
            self._tell(f"{key.kind} in {self.folder} is not used and built again: {fault}")
            return None

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Held while building. A second builder waits, and then finds the engine built."""
        with contextlib.ExitStack() as stack:
            try:
                self._take_lock(stack)
            except OSError as error:
                where = f"{self.folder} cannot be written ({error.strerror})"
                self._tell(f"engines are not kept, and built at every start: {where}")
            yield

    def write(self, key: Key, content: bytes) -> None:
        """Adds or replaces an entry; does nothing without the lock."""
        if not self._is_locked:
            return
        try:
            write_entry(self.folder, key, content)
        except OSError as error:
            where = f"{self.folder} cannot be written ({error.strerror})"
            self._tell(f"{key.kind} is not kept, and built at every start: {where}")

    def clean(self) -> tuple[int, int]:
        """Removes every entry, and no other file; returns how many files and bytes.

        Raises EngineError if one cannot be removed, or the folder not even be locked.
        """
        with self.lock():
            if not self._is_locked:
                raise EngineError(f"engine cache {self.folder} cannot be cleaned")
            try:
                return _remove(find_files(self.folder))
            except OSError as error:
                raise EngineError(
                    f"{error.filename} of the engine cache cannot be removed ({error.strerror})"
                ) from error

    def _tell(self, sentence: str) -> None:
        """Logs a sentence once: several steps may find the same fault."""
        if sentence not in self._told:
            self._told.add(sentence)
            self._log(sentence)

    def _take_lock(self, stack: contextlib.ExitStack) -> None:
        self._wait_for(self._open_lock(stack))
        self._remove_unfinished()
        self._is_locked = True
        stack.callback(setattr, self, "_is_locked", False)

    def _open_lock(self, stack: contextlib.ExitStack) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.folder / _LOCK, flags, 0o600)
        stack.callback(os.close, descriptor)
        return descriptor

    def _wait_for(self, descriptor: int) -> None:
        """Polls for the lock, because a call that blocks could not be interrupted.

        A log call may raise to end the wait.
        """
        waits = 0
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if waits % _WAITS_BETWEEN_LINES == 0:
                    where = f"another process builds an engine in {self.folder}"
                    self._log(f"{where}; waiting for it for {waits * _WAIT_SECONDS:.0f} s")
            time.sleep(_WAIT_SECONDS)
            waits += 1

    def _clear_unfinished(self) -> None:
        """Removes unfinished files even if every engine is cached and nothing takes the lock."""
        if not _unfinished(self.folder):
            return
        # A running builder holds the lock, and its unfinished files must stay.
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            fcntl.flock(self._open_lock(stack), fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._remove_unfinished()

    def _remove_unfinished(self) -> None:
        """Removes the files that killed builders left. The caller holds the lock."""
        with contextlib.suppress(OSError):
            _remove(_unfinished(self.folder))


def entries(folder: Path | None) -> list[Entry]:
    """The entries of a folder, checked as `EngineCache.read` checks them, newest first.

    Raises EngineError if the folder exists and cannot be read.
    """
    folder = _expanded(folder)
    try:
        found = find_entries(folder)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EngineError(f"engine cache {folder} cannot be read ({error.strerror})") from error
    return sorted(found, key=lambda entry: (entry.created, entry.stem), reverse=True)


def _expanded(folder: Path | None) -> Path:
    try:
        return expand_home(folder or DEFAULT_FOLDER)
    except InputError as error:
        raise EngineError(f"engine cache {error}") from error


def _check_is_cache(folder: Path) -> None:
    """Raises EngineError for a folder in other use, such as /tmp: it must stay open to others."""
    names = {path.name for path in folder.iterdir()}
    if names and _LOCK not in names and not find_files(folder):
        raise EngineError(
            f"engine cache {folder} is in use for something else ({min(names)!r} is in it), and "
            "would be closed to other users; set engine_cache to an empty folder, or to one that "
            "is not there yet"
        )


def _unfinished(folder: Path) -> list[Path]:
    return [path for path in find_files(folder) if path.suffix == UNFINISHED]


def _remove(paths: Iterable[Path]) -> tuple[int, int]:
    """Removes files, and folders that are empty; returns how many, and their bytes."""
    removed = []
    for path in paths:
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode):
            path.rmdir()
        else:
            path.unlink()
        removed.append(status.st_size)
    return len(removed), sum(removed)
