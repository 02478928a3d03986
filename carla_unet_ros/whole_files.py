# SPDX-License-Identifier: Apache-2.0
"""Writes files atomically: a process that ends at any moment leaves the old or the new file.

A file is written beside its place under a name that ends in `.part`, and then renamed. A process
that was killed leaves that part behind; `clear_parts` removes it before the next run writes.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from carla_unet_ros.errors import InputError

_SUFFIX = ".part"


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that replaces `path` when the block ends without an error.

    Makes the folder if it is missing. A symbolic link at `path` is replaced, not followed. Raises
    OSError if the file cannot be written; nothing partial is left then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: several processes may write the same file at once.
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}{_SUFFIX}")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes | str) -> None:
    """Writes `content` as the whole of `path`; text as UTF-8. Raises OSError as `whole_file`."""
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def check_file(path: Path) -> None:
    """Raises InputError if a file could not be written at `path`: a check before long work."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected the name of a file to write")
    check_folder(path.parent)


def check_folder(folder: Path) -> None:
    """Raises InputError if no file could be written to `folder`, which need not exist yet."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        raise InputError(f"{there} is a file; expected a folder to write to")
    if not os.access(there, os.W_OK):
        raise InputError(f"{there} cannot be written to: it is read-only, or not yours")


def clear_parts(folder: Path) -> None:
    """Removes the parts that killed processes left. No other process may write to the folder."""
    for part in folder.glob(f"*{_SUFFIX}"):
        part.unlink(missing_ok=True)
