"""How every benchmark here reports: the machine, tables in Markdown, one section of a document.

docs/performance.md holds a section for each benchmark between two comments; a run replaces its
own and leaves the others, so each figure there was printed by the command named beside it.
"""

import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

PERFORMANCE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"


def machine() -> str:
    """Processor, number of cores this process may use, and Python."""
    names = re.findall(r"model name\s*:\s*(.+)", _read(Path("/proc/cpuinfo")))
    name = names[0] if names else platform.processor() or platform.machine()
    cores = len(os.sched_getaffinity(0))
    return f"{name}, {cores} cores, Python {platform.python_version()}"


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; floats with three significant digits."""
    lines = [heads, ["---"] * len(heads), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_section(name: str, text: str, path: Path = PERFORMANCE) -> None:
    """Puts `text` between the comments <!-- name --> and <!-- end of name --> of a document.

    A document without them gets them at its end.
    """
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    section = f"{start}\n{text.strip()}\n{end}"
    old = path.read_text() if path.exists() else ""
    if start in old:
        before, _, rest = old.partition(start)
        new = before + section + rest.partition(end)[2]
    else:
        new = f"{old.rstrip()}\n\n{section}\n".lstrip()
    path.write_text(new)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value)


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
