# SPDX-License-Identifier: Apache-2.0
"""Builds the DiagnosticStatus that every node of this package publishes once a second.

The message of a level other than OK says what to check.
"""

import math

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


def status(name: str, level: bytes, message: str, values: dict[str, str]) -> DiagnosticStatus:
    return DiagnosticStatus(
        level=level,
        name=name,
        message=message,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )


def number(value: float) -> str:
    """Formats a value with one decimal, or as "unknown" for NaN."""
    return "unknown" if math.isnan(value) else f"{value:.1f}"
