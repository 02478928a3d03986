# SPDX-License-Identifier: Apache-2.0
"""Builds the DiagnosticStatus that every node of this package publishes once a second.

The message of a level other than OK says what to check.
"""

import math

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


_LONGEST = 1000


def shorten(text: str, longest: int = _LONGEST) -> str:
    """Cuts a text of more than `longest` characters, and says how long it was."""
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text)} characters)"


def status(name: str, level: bytes, message: str, values: dict[str, str]) -> DiagnosticStatus:
    return DiagnosticStatus(
        level=level,
        name=shorten(name),
        message=shorten(message),
        values=[KeyValue(key=key, value=shorten(value)) for key, value in values.items()],
    )


def number(value: float) -> str:
    """Formats a value with one decimal, or as "unknown" for NaN."""
    return "unknown" if math.isnan(value) else f"{value:.1f}"
