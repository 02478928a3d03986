"""How every benchmark here reports: the machine, tables in Markdown, one section of a document.

docs/performance.md holds a section for each benchmark between two comments; a run replaces its
own and leaves the others, so each figure there was printed by the command named beside it.
"""

import argparse
import datetime
import os
import platform
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PERFORMANCE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"

# The one variable of the environment that changes what is measured: how torch's threads wait.
WAITING = "OMP_WAIT_POLICY"


def machine() -> str:
    """Processor, number of cores this process may use, and Python."""
    names = re.findall(r"model name\s*:\s*(.+)", _read(Path("/proc/cpuinfo")))
    name = names[0] if names else platform.processor() or platform.machine()
    cores = len(os.sched_getaffinity(0))
    return f"{name}, {cores} cores, Python {platform.python_version()}"


def conditions(name: str, argv: Sequence[str] | None) -> dict[str, str]:
    """What was run, on what and when: command, machine and date.

    name, argv: the benchmark's, and the arguments it was called with; None takes sys.argv's
    """
    settings = [f"{WAITING}={os.environ[WAITING]}"] if WAITING in os.environ else []
    # Of paths the last part alone: where things lie concerns one machine.
    words = [re.sub("[^=]*/", "", word) for word in (sys.argv[1:] if argv is None else argv)]
    return {
        "command": shlex.join([*settings, "python", f"benchmarks/{name}.py", *words]),
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
    }


def origin(results: Mapping[str, Any]) -> str:
    """The `conditions` among a benchmark's results as Markdown, without a full stop."""
    return f"    {results['command']}\n\n{results['machine']}, {results['date']}"


def add_options(parser: argparse.ArgumentParser, section: str) -> None:
    """--out for the figures as JSON, and --document for the section of docs/performance.md."""
    out = Path(f"{section.replace(' ', '_')}.json")
    parser.add_argument("--out", type=Path, default=out, help="figures as JSON (%(default)s)")
    parser.add_argument(
        "--document",
        type=Path,
        nargs="?",
        const=PERFORMANCE,
        metavar="FILE.md",
        help=f"replace the section '{section}' of docs/performance.md, or of FILE.md; a plot, "
        "where there is one, lies beside the document and not beside the figures",
    )


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
