# SPDX-License-Identifier: Apache-2.0
"""A status of diagnostic_msgs, as every node of this package publishes it once a second.

A level other than OK comes with a sentence that says what to look at.
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
    """One decimal, or "unknown" for NaN."""
    return "unknown" if math.isnan(value) else f"{value:.1f}"
