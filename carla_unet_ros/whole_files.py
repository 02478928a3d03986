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


def clear_parts(folder: Path) -> None:
    """Removes the parts that killed processes left. No other process may write to the folder."""
    for part in folder.glob(f"*{_SUFFIX}"):
        part.unlink(missing_ok=True)
