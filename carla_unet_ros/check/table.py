# SPDX-License-Identifier: Apache-2.0
"""Sets the findings as a table for a terminal: level, subject, detail, and below it the cure."""

import textwrap
from collections.abc import Iterable

from carla_unet_ros.check.causes import Cause
from carla_unet_ros.check.findings import Finding, Level

_WIDTH = 100
_INDENT = " " * 22
_COLOURS = {Level.OK: "32", Level.WARNING: "33", Level.PROBLEM: "1;31"}


def set_table(findings: Iterable[Finding], colours: bool = False) -> str:
    """The findings, a line or more for each; what to do is said once for each cause.

    colours: whether levels are coloured, for a terminal
    """
    lines: list[str] = []
    told: set[Cause] = set()
    for finding in findings:
        lines += _finding(finding, colours)
        if finding.cause:
            cure = "as above" if finding.cause in told else finding.cause.cure
            lines += _wrap(cure.replace("`", "").replace("**", ""), f"{_INDENT}-> ")
            told.add(finding.cause)
    return "\n".join(lines)


def summarise(findings: Iterable[Finding]) -> str:
    """How many problems and warnings there are, in words."""
    levels = [finding.level for finding in findings]
    counts = levels.count(Level.PROBLEM), levels.count(Level.WARNING)
    if not any(counts):
        return "All that could be looked at is well."
    words = zip(counts, ("problem", "warning"), strict=True)
    return ", ".join(f"{count} {word}{'s' * (count != 1)}" for count, word in words)


def _finding(finding: Finding, colours: bool) -> list[str]:
    cause, level = finding.cause, finding.level.value
    text = f"{cause.symptom}: {finding.detail}" if cause else finding.detail
    lines = _wrap(text, f"{level:<9}{finding.subject:<13}")
    if colours and finding.level in _COLOURS:
        lines[0] = f"\x1b[{_COLOURS[finding.level]}m{level}\x1b[0m{lines[0][len(level) :]}"
    return lines


def _wrap(text: str, begin: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=begin,
        subsequent_indent=" " * len(begin),
        break_long_words=False,
        break_on_hyphens=False,
    )
