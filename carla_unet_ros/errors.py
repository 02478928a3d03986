# SPDX-License-Identifier: Apache-2.0
"""The base class of errors that a user can cause: commands and nodes show them as a sentence.

Any other exception is a mistake in this package, and keeps its traceback.
"""


class InputError(ValueError):
    """An input cannot be used; the text says what was found and what to do."""
