# SPDX-License-Identifier: Apache-2.0
"""The base class of errors that a user can cause: commands and nodes show them as a sentence.

Errors of the operating system (OSError), such as a full disk, are shown in the same way. Any other
exception is a mistake in this package, and keeps its traceback.
"""

from pathlib import Path


class InputError(ValueError):
    """An input cannot be used; the text says what was found and what to do."""


def sentence_of(error: Exception) -> str:
    """The text of an error without Python's error number: "FILE: No space left on device"."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def expand_home(path: Path | str) -> Path:
    """The path with `~` and `~NAME` replaced by the user's folder. InputError for no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{path} cannot be found: {error}") from error
