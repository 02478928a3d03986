# SPDX-License-Identifier: Apache-2.0
"""The lines of the check: what was looked at, how it is, and the cause where it is not well."""

from dataclasses import dataclass
from enum import Enum

from carla_unet_ros.check.causes import Cause


class Level(Enum):
    """How something is; UNSEEN means that it could not be looked at."""

    OK = "ok"
    UNSEEN = "-"
    WARNING = "warning"
    PROBLEM = "PROBLEM"


@dataclass(frozen=True)
class Finding:
    """One line of the table; `cause` is None where nothing is wrong."""

    subject: str
    level: Level
    detail: str
    cause: Cause | None = None


def fine(subject: str, detail: str) -> Finding:
    return Finding(subject, Level.OK, detail)


def unseen(subject: str, why: str) -> Finding:
    return Finding(subject, Level.UNSEEN, why)


def warning(subject: str, cause: Cause, detail: str) -> Finding:
    return Finding(subject, Level.WARNING, detail, cause)


def problem(subject: str, cause: Cause, detail: str) -> Finding:
    return Finding(subject, Level.PROBLEM, detail, cause)
