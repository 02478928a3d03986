# SPDX-License-Identifier: Apache-2.0
"""The base class of errors that a user can cause: commands and nodes show them as a sentence.

Any other exception is a mistake in this package, and keeps its traceback.
"""


class InputError(ValueError):
    """An input cannot be used; the text says what was found and what to do."""


def sentence_of(error: Exception) -> str:
    """The text of an error without Python's error number: "FILE: No space left on device"."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
