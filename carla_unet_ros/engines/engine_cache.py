"""Built engines on disk, of which only what this user built, unaltered, is ever loaded.

An engine file is code: whoever can change it runs as this process. So the folder is the user's
alone (0700), and an entry is two files that must agree: the content, and a sidecar in JSON with
the parts of the key in clear and the content's sha256. What is missing, truncated, altered or of
another key is built again, never loaded.

One lock per folder makes builders wait for each other: two at once would do the work twice, and
spoil each other's timing of kernels.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from carla_unet_ros.engines.engine import EngineError, Log
from carla_unet_ros.engines.private_files import (
    UntrustedError,
    make_private,
    read_private,
    write_private,
)

DEFAULT_FOLDER = Path("~/.cache/carla_unet_ros")

_LOCK = "lock"
_WAIT_SECONDS = 0.1
_WAITS_BETWEEN_LINES = 40
_OURS = re.compile(r"((engine|timing|kernels)-[0-9a-f]{64})\.(bin|json)(\.tmp)?")


@dataclass(frozen=True)
class Key:
    """What an entry was made from: where any of it differs, the entry is not used.

    kind:  "engine"; "timing" for what earlier builds learnt of the GPU's kernels; "kernels" for
           those that an engine was completed with on the GPU
    parts: name -> value, in clear
    """

    kind: str
    parts: Mapping[str, str]

    @property
    def stem(self) -> str:
        """The name of the entry's files: the kind, and sha256 of the parts."""
        text = json.dumps(dict(self.parts), sort_keys=True)
        return f"{self.kind}-{hashlib.sha256(text.encode()).hexdigest()}"


class Entry(NamedTuple):
    """An entry found in a folder. fault: why it will not be used; empty where it will."""

    stem: str
    parts: Mapping[str, str]
    created: str
    nbytes: int
    fault: str


class EngineCache:
    """A folder of entries, made where it is not there. None is `DEFAULT_FOLDER`.

    A folder that cannot be written is no error: what is in it is used, and `log` is told that
    nothing is added.
    """

    def __init__(self, folder: Path | None, log: Log) -> None:
        """Raises EngineError where other users can write the folder."""
        self.folder = (folder or DEFAULT_FOLDER).expanduser()
        self._log = log
        self._told: set[str] = set()
        self._is_locked = False
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            changed = make_private(self.folder)
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
        """The content of an entry, or None where there is none that can be trusted."""
        # Unlike Path.exists, lexists says no where it may not look.
        if not any(os.path.lexists(self.folder / f"{key.stem}{end}") for end in (".bin", ".json")):
            return None
        try:
            return _verified(self.folder, key.stem)[1]
        except UntrustedError as fault:
            self._tell(f"{key.kind} in {self.folder} is not used and built again: {fault}")
            return None

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Held while building; whoever comes second waits, and finds the engine built."""
        with contextlib.ExitStack() as stack:
            try:
                self._take_lock(stack)
            except OSError as error:
                where = f"{self.folder} cannot be written ({error.strerror})"
                self._tell(f"engines are not kept, and built at every start: {where}")
            yield

    def write(self, key: Key, content: bytes) -> None:
        """Adds or replaces an entry; nothing happens where the lock could not be had.

        A process killed at any moment of this leaves the old entry, the new one, or one whose
        files do not agree.
        """
        if not self._is_locked:
            return
        sidecar = {
            "kind": key.kind,
            "key": dict(key.parts),
            "sha256": hashlib.sha256(content).hexdigest(),
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
        try:
            write_private(self.folder / f"{key.stem}.bin", content)
            text = json.dumps(sidecar, indent=2) + "\n"
            write_private(self.folder / f"{key.stem}.json", text.encode())
        except OSError as error:
            where = f"{self.folder} cannot be written ({error.strerror})"
            self._tell(f"{key.kind} is not kept, and built at every start: {where}")

    def clean(self) -> tuple[int, int]:
        """Removes every entry, and no other file; returns how many files and bytes.

        Raises EngineError where the folder cannot be written.
        """
        with self.lock():
            try:
                return self._remove(every=True) if self._is_locked else (0, 0)
            except OSError as error:
                raise EngineError(
                    f"engine cache {self.folder} cannot be written ({error.strerror})"
                ) from error

    def _tell(self, sentence: str) -> None:
        """The same thing is found out several times on the way to an engine; it is said once."""
        if sentence not in self._told:
            self._told.add(sentence)
            self._log(sentence)

    def _take_lock(self, stack: contextlib.ExitStack) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.folder / _LOCK, flags, 0o600)
        stack.callback(os.close, descriptor)
        self._wait_for(descriptor)
        self._remove(every=False)
        self._is_locked = True
        stack.callback(setattr, self, "_is_locked", False)

    def _wait_for(self, descriptor: int) -> None:
        """Asks again and again: a call that waits in the kernel could not be broken off.

        A log line may raise, where the node is to end.
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

    def _remove(self, every: bool) -> tuple[int, int]:
        """Files of ours: all, or those that a killed builder left unfinished."""
        removed = []
        for path in sorted(self.folder.iterdir()):
            if _OURS.fullmatch(path.name) and (every or path.suffix == ".tmp"):
                removed.append(path.lstat().st_size)
                path.unlink()
        return len(removed), sum(removed)


def entries(folder: Path | None) -> list[Entry]:
    """The entries of a folder, checked as `EngineCache.read` checks them, newest first.

    Raises EngineError where the folder is there and cannot be read.
    """
    folder = (folder or DEFAULT_FOLDER).expanduser()
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EngineError(f"engine cache {folder} cannot be read ({error.strerror})") from error
    matches = map(_OURS.fullmatch, names)
    stems = {match[1] for match in matches if match and not match[4]}
    found = [_entry(folder, stem) for stem in stems]
    return sorted(found, key=lambda entry: (entry.created, entry.stem), reverse=True)


def _entry(folder: Path, stem: str) -> Entry:
    try:
        sidecar, content = _verified(folder, stem)
    except UntrustedError as fault:
        return Entry(stem, {}, "", 0, str(fault))
    return Entry(stem, sidecar["key"], sidecar["created"], len(content), "")


def _verified(folder: Path, stem: str) -> tuple[dict, bytes]:
    """Sidecar and content of an entry. Raises UntrustedError where anything is wrong with it."""
    sidecar = _parsed(read_private(folder / f"{stem}.json"), stem)
    content = read_private(folder / f"{stem}.bin")
    if hashlib.sha256(content).hexdigest() != sidecar["sha256"]:
        raise UntrustedError(f"{stem}.bin is truncated or altered (sha256 differs)")
    return sidecar, content


def _parsed(text: bytes, stem: str) -> dict:
    try:
        sidecar = json.loads(text)
        found = Key(sidecar["kind"], sidecar["key"]).stem
        complete = isinstance(sidecar["sha256"], str) and isinstance(sidecar["created"], str)
    except (ValueError, KeyError, TypeError) as error:
        raise UntrustedError(f"{stem}.json cannot be read ({error!r})") from error
    if found != stem or not complete:
        raise UntrustedError(f"{stem}.json is the sidecar of something else")
    return sidecar
