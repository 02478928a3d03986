# SPDX-License-Identifier: Apache-2.0
"""What all benchmarks share: options, a report with machine and date, one section of a document.

docs/performance.md holds a section for each benchmark between two comments. A run with --document
replaces only its own, so the command beside each figure there has printed it. Without --document
and --out nothing is written.
"""

import datetime
import json
import os
import platform
import re
import shlex
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from tyro.conf import arg

from carla_unet_ros.command_line import Configured, run_command
from carla_unet_ros.errors import InputError

ROOT = Path(__file__).resolve().parents[1]

Results = dict[str, Any]
"""The figures of a run, ready for JSON."""


@dataclass(frozen=True, kw_only=True)
class Report(Configured):
    """The options that every benchmark takes."""

    out: Path | None = None  # JSON file for the figures
    # replace the section of this benchmark in docs/performance.md, or in FILE.md; a plot, where
    # there is one, is put beside it
    document: Annotated[tuple[Path, ...] | None, arg(metavar="[FILE.md]")] = None

    def __post_init__(self) -> None:
        """Raises InputError for a count, which all whole numbers here are, below 1."""
        for name, values in vars(self).items():
            for value in values if isinstance(values, tuple) else (values,):
                if isinstance(value, int) and value < 1:
                    raise InputError(f"--{name.replace('_', '-')} {value}: expected 1 or more")


Options = TypeVar("Options", bound=Report)


@dataclass(frozen=True)
class Benchmark(Generic[Options]):
    """The command `python -m benchmarks.NAME`.

    measure: returns the figures; those in `failed`, if any, make the exit status 1
    section: the text of the document, from the figures and what `conditions` adds to them
    plot:    the picture, a Figure of matplotlib, that the text refers to as SECTION.png
    """

    name: str
    options: type[Options]
    measure: Callable[[Options], Results]
    section: Callable[[Results], str]
    plot: Callable[[Results], Any] | None = None

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Measures and reports. argv: None takes the arguments of this process."""
        if argv is None:
            # SIGTERM acts as Ctrl-C does, so that it ends the processes of a benchmark, too.
            signal.signal(signal.SIGTERM, signal.default_int_handler)

        def command(options: Options) -> int:
            results = {**conditions(self.name, argv), **self.measure(options)}
            self.finish(results, options)
            return int(bool(results.get("failed")))

        prog = f"python -m benchmarks.{self.name}"
        return run_command(self.options, prog, command, argv)

    def finish(self, results: Results, options: Options) -> None:
        """Prints the section and writes the files that the options request."""
        text = self.section(results)
        print(text)
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(results, indent=1) + "\n")
        if options.document is None:
            return
        name = self.name.rpartition(".")[2]
        for document in options.document or (ROOT / "docs" / "performance.md",):
            document.parent.mkdir(parents=True, exist_ok=True)
            write_section(name, text, document)
            if self.plot:
                self.plot(results).savefig(document.with_name(f"{name}.png"))


def conditions(name: str, argv: Sequence[str] | None) -> dict[str, str]:
    """The conditions of a run: command, date, and the machine with the cores it may use.

    argv: the arguments of the benchmark; None takes those of sys.argv
    """
    names = re.findall(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    processor, cores = names[0] if names else platform.machine(), len(os.sched_getaffinity(0))
    # Keeps only the last part of absolute paths: these folders differ between machines.
    words = [re.sub("(^|=)/.*/", r"\1", word) for word in (sys.argv[1:] if argv is None else argv)]
    return {
        "command": shlex.join(["python", "-m", f"benchmarks.{name}", *words]),
        "machine": f"{processor}, {cores} cores, Python {platform.python_version()}",
        "date": datetime.date.today().isoformat(),
    }


def section(title: str, results: Mapping[str, Any], text: str, *more: str) -> str:
    """A section in Markdown: title, `conditions` among the results, text, and further blocks."""
    origin = f"{results['machine']}, {results['date']}.\n{text}"
    return "\n\n".join((f"## {title}", f"    {results['command']}", origin, *more))


def table(heads: str, rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; floats with three significant digits, None as -.

    heads: as they stand in Markdown: "camera | time, ms"
    """
    names = heads.split(" | ")
    lines = [names, ["---"] * len(names), *([_cell(value) for value in row] for row in rows)]
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


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return "-" if value is None else str(value)
