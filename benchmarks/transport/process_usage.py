"""CPU time and memory of another process, as Linux tells them in /proc (proc_pid_stat(5))."""

import os
from pathlib import Path
from typing import NamedTuple

_CPU_USER, _CPU_SYSTEM, _RESIDENT_PAGES = 14, 15, 24
_FIRST_AFTER_NAME = 3


class Usage(NamedTuple):
    """cpu_seconds: user and system, of all its threads; memory_mb: resident, 1 MB = 10^6 bytes."""

    cpu_seconds: float
    memory_mb: float


def usage(pid: int, proc: Path = Path("/proc")) -> Usage:
    """Up to now. Raises FileNotFoundError where there is no such process."""
    # The name before, in parentheses, may hold spaces and parentheses itself.
    values = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
    user, system, pages = (
        int(values[field - _FIRST_AFTER_NAME])
        for field in (_CPU_USER, _CPU_SYSTEM, _RESIDENT_PAGES)
    )
    seconds = (user + system) / os.sysconf("SC_CLK_TCK")
    return Usage(seconds, pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
