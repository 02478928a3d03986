# SPDX-License-Identifier: Apache-2.0
"""Reports for all benchmarks: the machine, tables in Markdown, one section of a document.

docs/performance.md holds a section for each benchmark between two comments. A run with --document
replaces only its own, so the command beside each figure there has printed it. Without --document
and --out nothing is written.
"""

import argparse
import datetime
import json
import os
import platform
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def parser_of(
    description: str | None, section: str, document: str = "docs/performance.md"
) -> argparse.ArgumentParser:
    """Makes an argument parser with --out, for the figures as JSON, and --document."""
    parser = argparse.ArgumentParser(
        f"python -m benchmarks.{section}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--out", type=Path, metavar="FILE.json", help="keep the figures, as JSON")
    add("--document", type=Path, nargs="?", const=ROOT / document, metavar="FILE.md",
        help=f"replace the section '{section}' of {document}, or of FILE.md; a plot, where there "
        "is one, is put beside it")  # fmt: skip
    return parser


def conditions(name: str, argv: Sequence[str] | None) -> dict[str, str]:
    """The conditions of a run: command, machine and date.

    argv: the arguments of the benchmark; None takes those of sys.argv
    """
    # Keeps only the last part of paths: folders differ between machines.
    words = [re.sub("[^=]*/", "", word) for word in (sys.argv[1:] if argv is None else argv)]
    return {
        "command": shlex.join(["python", "-m", f"benchmarks.{name}", *words]),
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
    }


def machine() -> str:
    """Processor, number of cores this process may use, and Python."""
    names = re.findall(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    name = names[0] if names else platform.machine()
    return f"{name}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"


def origin(results: Mapping[str, Any]) -> str:
    """The `conditions` among a benchmark's results as Markdown, without a full stop."""
    return f"    {results['command']}\n\n{results['machine']}, {results['date']}"


def finish(
    results: Mapping[str, Any],
    section: str,
    text: str,
    options: argparse.Namespace,
    plot: Callable[[Path], None] | None = None,
) -> None:
    """Prints the text and writes the files that the options request.

    plot: writes a PNG to the given path; the text refers to it as `section`.png
    """
    print(text)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(results, indent=1) + "\n")
    if options.document:
        options.document.parent.mkdir(parents=True, exist_ok=True)
        write_section(section, text, options.document)
        if plot:
            plot(options.document.with_name(f"{section}.png"))


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; floats with three significant digits, None as -."""
    lines = [heads, ["---"] * len(heads), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_section(name: str, text: str, path: Path) -> None:
    """Puts `text` between the comments <!-- name --> and <!-- end of name --> of a document.

    A document without them gets them at its end.
    """
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    section = f"{start}\n{text.strip()}\n{end}"
    old = path.read_text() if path.exists() else ""
    if start in old:
        before, _, rest = old.partition(start)
        path.write_text(before + section + rest.partition(end)[2])
    else:
        path.write_text(f"{old.rstrip()}\n\n{section}\n".lstrip())


def positive(text: str) -> int:
    """Parses a whole number above 0 from a command line."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return "-" if value is None else str(value)
