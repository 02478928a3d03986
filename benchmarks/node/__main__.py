# SPDX-License-Identifier: Apache-2.0
"""Measures the whole node: its label rate, the age of its labels, its CPU time and memory.

    python -m benchmarks.node [--document]

A camera process sends bgra8 frames, as CARLA's bridge does; segmentation_node labels them;
a third process receives the labels, over real DDS on this machine. The node chooses the engine
itself. The cases are one camera at several rates and several cameras at one rate. Fast DDS reads
config/fastdds_shm.xml on the camera's side, as docs/carla.md recommends.
"""

import argparse
import signal
import sys
from typing import Any

from benchmarks import reporting
from benchmarks.transport.cases import Case, add_options, origin, run
from carla_unet_ros.ros.camera_topics import MOST_CAMERAS

_HEADS = ("cameras", "frames/s asked of each", "frames/s sent by each", "labels/s of each",
          "labels of a camera: least", "most", "age, ms: median", "95 %", "node: % of one core",
          "node: memory, MB")  # fmt: skip
_EXPLANATION = """\
A camera process sends the frames, segmentation_node in a second one makes labels of them, a third
receives these; all three share the cores. Fast DDS reads `config/fastdds_shm.xml` on the sender's
side, the camera's, as [docs/carla.md](carla.md#large-frames) recommends. The node takes the newest
frame of a camera whenever its engine is free, and drops what it replaces: labels may be rarer than
frames. Least and most are labels received of one camera in the seconds counted, the age is from a
frame's stamp, the moment it was sent, to the receipt of its labels."""


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    results = run("node", cases(options), options, argv)
    reporting.finish(results, "node", section(results), options)
    return 0


def cases(options: argparse.Namespace) -> list[Case]:
    """One camera at every rate and every number of cameras at one rate, without duplicates."""
    wanted = [(1, rate) for rate in options.rates]
    wanted += [(cameras, 20.0) for cameras in options.cameras]
    return [
        Case("labels", cameras, "reliable", "sender", rate)
        for cameras, rate in dict.fromkeys(wanted)
    ]


def section(results: dict[str, Any]) -> str:
    """The section of docs/performance.md: one row per case."""
    return "\n\n".join((
        "## The node, across processes",
        origin(results),
        _EXPLANATION,
        reporting.table(_HEADS, [_row(case) for case in results["cases"]]),
    ))  # fmt: skip


def _row(case: dict[str, Any]) -> list[object]:
    each = case["received_by_camera"]
    counted = (case["sent_hz"], case["received_hz"], min(each), max(each))
    used = f"{100 * case['cpu_share']:.0f}", f"{case['memory_mb']:.0f}"
    ages = case["median_ms"], case["p95_ms"]
    return [case["cameras"], f"{case['rate']:g}", *counted, *ages, *used]


def _parser() -> argparse.ArgumentParser:
    parser = reporting.parser_of(__doc__, "node")
    add_options(parser)
    add = parser.add_argument
    add("--rates", nargs="+", type=float, default=(10.0, 20.0, 30.0, 60.0), metavar="HZ",
        help="of one camera, each a case (10 20 30 60)")  # fmt: skip
    add("--cameras", nargs="+", type=int, choices=range(1, MOST_CAMERAS + 1), default=(1, 2, 4),
        help="how many, each a case at 20 Hz (1 2 4)")  # fmt: skip
    return parser


if __name__ == "__main__":
    # SIGTERM acts as Ctrl-C does, so that it ends the processes, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
