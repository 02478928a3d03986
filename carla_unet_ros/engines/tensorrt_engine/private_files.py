# SPDX-License-Identifier: Apache-2.0
"""Reads and writes whole files that no other user can change.

Files that are run as code, such as built engines, must be such files in such a folder.
"""

import os
import stat
from pathlib import Path

_OTHERS = 0o077
_OTHERS_WRITE = 0o022


class UntrustedError(Exception):
    """A file or folder that another user may have changed; the text says which and why."""


def make_private(folder: Path) -> str:
    """Closes a folder to other users (0700). Returns a sentence if that changed it, or "".

    Raises UntrustedError if it belongs to another user or others can write it, and OSError if it
    is missing.
    """
    status = folder.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise UntrustedError(f"{folder} is no folder")
    if status.st_uid != os.geteuid():
        raise UntrustedError(f"{folder} belongs to another user (id {status.st_uid})")
    mode = stat.S_IMODE(status.st_mode)
    if mode & stat.S_ISVTX:
        raise UntrustedError(f"{folder} is shared by all users ({mode:04o})")
    if not mode & _OTHERS:
        return ""
    try:
        folder.chmod(0o700)
    except OSError as error:
        if mode & _OTHERS_WRITE:
            raise UntrustedError(
                f"{folder} can be written by other users, and that cannot be changed "
                f"({error.strerror})"
            ) from error
        return ""
    return f"{folder} was open to other users ({mode:04o}); now it is 0700"


def read_private(path: Path, largest: int) -> bytes:
    """The content of a file of at most `largest` bytes.

    Raises UntrustedError if it cannot be read, is larger, or another user could change it.
    """
    try:
        with open(path, "rb", opener=_open_without_trust) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UntrustedError(f"{path.name} is no regular file")
            if status.st_uid != os.geteuid() or status.st_mode & _OTHERS_WRITE:
                raise UntrustedError(f"{path.name} can be changed by another user")
            if status.st_size > largest:
                raise UntrustedError(f"{path.name} is larger than {largest} bytes")
            return file.read(status.st_size)
    except OSError as error:
        raise UntrustedError(f"{path.name}: {error.strerror}") from error


def write_private(path: Path, content: bytes) -> None:
    """Writes a file (0600) as a whole or not at all, also after a loss of power.

    An empty folder of that name is removed. A killed process leaves `<name>.tmp` behind.
    Raises OSError.
    """
    temporary = path.with_name(path.name + ".tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _open_without_trust(path: str, flags: int) -> int:
    """Opens without following symbolic links and without waiting for the writer of a pipe."""
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)


def _sync(folder: Path) -> None:
    """Writes a folder to disk, because a renamed file is safe only then."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
