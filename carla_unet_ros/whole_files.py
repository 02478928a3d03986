# SPDX-License-Identifier: Apache-2.0
"""Writes files atomically: a process that ends at any moment leaves the old or the new file.

A file is written beside its place under a name that ends in `.part`, and then renamed. A process
that was killed leaves that part behind. `prepare_file` and `prepare_folder`, which commands call
before their work, remove it; a living process holds a lock on its part.
"""

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from carla_unet_ros.errors import InputError

# Of this module alone: browsers call a download film.mp4.part.
_PART = re.compile(r"(?P<whole>.+)\.[0-9a-f]{8}\.part", re.DOTALL)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that replaces `path` when the block ends without an error.

    Makes the folder if it is missing. A symbolic link at `path` is replaced, not followed. Raises
    OSError if the file cannot be written; nothing partial is left then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = _open_part(path)
    part = Path(file.name)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes | str) -> None:
    """Writes `content` as the whole of `path`; text as UTF-8. Raises OSError as `whole_file`.

    Text may hold names of files that are no UTF-8: their bytes are written as they are.
    """
    with whole_file(path) as file:
        text = isinstance(content, str)
        file.write(content.encode(errors="surrogateescape") if text else content)


def prepare_file(path: Path) -> None:
    """Raises InputError if no file could be written at `path`: a check before long work.

    Removes parts of this file that killed processes left.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected the name of a file to write")
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is no regular file; expected the name of a file to write")
    _check_folder(path.parent)
    _clear_parts(path.parent, path.name)


def prepare_folder(folder: Path) -> None:
    """Raises InputError if no file could be written to `folder`, which need not exist yet.

    Removes the parts that killed processes left in it and right below it.
    """
    _check_folder(folder)
    if folder.is_dir():
        for place in (folder, *(entry for entry in folder.iterdir() if entry.is_dir())):
            _clear_parts(place)


def _check_folder(folder: Path) -> None:
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise InputError(f"{there} is a file; expected a folder to write to")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"{there} cannot be written to: it is read-only, or not yours")


def _open_part(path: Path) -> BinaryIO:
    """A new file beside `path`, locked; its name is its own, as several may write at once."""
    while True:
        file = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part").open("xb")
        _lock(file, wait=True)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # another process took it for an old one before it was locked


def _clear_parts(folder: Path, name: str = "") -> None:
    """Removes parts that nobody holds open: those of all files, or of the one of this name."""
    if not folder.is_dir():
        return
    for entry in os.scandir(folder):
        found = _PART.fullmatch(entry.name)
        if found and (not name or found["whole"] == name) and entry.is_file(follow_symlinks=False):
            with contextlib.suppress(OSError), Path(entry.path).open("rb") as part:
                if _lock(part, wait=False):
                    Path(entry.path).unlink()


def _lock(file: BinaryIO, wait: bool) -> bool:
    """Locks a file for as long as it is open; returns whether it could be locked."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # held by another process, or a file system without locks
        return False
    return True
