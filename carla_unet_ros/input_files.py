# SPDX-License-Identifier: Apache-2.0
"""Checks files that a user names before they are opened: a pipe is waited for, devices may never
end."""

import errno
from pathlib import Path


def check_regular(path: Path) -> None:
    """Raises OSError, as opening it might, if there is something else than a regular file."""
    if path.exists() and not path.is_file():
        kind = "It is a folder" if path.is_dir() else "It is no regular file"
        raise OSError(errno.EINVAL, kind, str(path))
