# SPDX-License-Identifier: Apache-2.0
"""Measures the whole node: its label rate, the age of its labels, its CPU time and memory.

    python -m benchmarks.node [--document]

The cases are one camera at several rates and several cameras at one rate, over real DDS on this
machine. The node chooses the engine itself.
"""

import sys
from dataclasses import dataclass
from typing import Any

from benchmarks.reporting import Benchmark, Results, section, table
from benchmarks.transport.cases import Case, CaseOptions, origin, run

_HEADS = (
    "cameras | frames/s asked of each | frames/s sent by each | labels/s of each | "
    "labels of a camera: least | most | age, ms: median | 95 % | node: % of one core | "
    "node: memory, MB"
)
_EXPLANATION = """\
A camera process sends the frames, segmentation_node in a second one makes labels of them, a third
receives these; all three share the cores. Fast DDS reads `config/fastdds_shm.xml` on the sender's
side, the camera's, as [docs/carla.md](carla.md#large-frames) recommends. The node takes the newest
frame of a camera whenever its engine is free, and drops what it replaces: labels may be rarer than
frames. Least and most are labels received of one camera in the seconds counted, the age is from a
frame's stamp, the moment it was sent, to the receipt of its labels."""


@dataclass(frozen=True, kw_only=True)
class Options(CaseOptions):
    """Measure the whole node: label rate, age of labels, CPU time and memory."""

    rates: tuple[float, ...] = (10.0, 20.0, 30.0, 60.0)  # Hz of one camera, each a case
    cameras: tuple[int, ...] = (1, 2, 4)  # how many, each a case at 20 Hz


def cases(options: Options) -> list[Case]:
    """One camera at every rate and every number of cameras at one rate, without duplicates."""
    wanted = [(1, hz) for hz in options.rates] + [(cameras, 20.0) for cameras in options.cameras]
    return [Case("labels", n, "reliable", "sender", hz) for n, hz in dict.fromkeys(wanted)]


def described(results: Results) -> str:
    rows = table(_HEADS, [_row(case) for case in results["cases"]])
    return section("The node, across processes", results, origin(results), _EXPLANATION, rows)


def _row(case: dict[str, Any]) -> list[object]:
    each = case["received_by_camera"]
    counted = (case["sent_hz"], case["received_hz"], min(each), max(each))
    used = f"{100 * case['cpu_share']:.0f}", f"{case['memory_mb']:.0f}"
    ages = case["median_ms"], case["p95_ms"]
    return [case["cameras"], f"{case['rate']:g}", *counted, *ages, *used]


main = Benchmark("node", Options, lambda options: run(cases(options), options), described).main

if __name__ == "__main__":
    sys.exit(main())
