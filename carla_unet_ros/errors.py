# SPDX-License-Identifier: Apache-2.0
"""What a user can cause, as one class: every command and node tells it in a sentence.

Anything else that is raised is a mistake in this package, and keeps its traceback.
"""


class InputError(ValueError):
    """Something from outside cannot be used; the text says what was found and what to do."""
