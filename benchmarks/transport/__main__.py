# SPDX-License-Identifier: Apache-2.0
"""Measures how long frames take from the camera to their labels, and how many arrive.

    python -m benchmarks.transport [--document]

A camera process sends bgra8 frames with the QoS of CARLA's bridge, each stamped as it is sent.
Two paths are timed, from the stamp to the receipt in another process: `frames`, the frames
themselves, and `labels`, which segmentation_node in a third process makes of them, including its
engine's time. Fast DDS keeps its defaults, or reads config/fastdds_shm.xml on the sender's or the
receiver's side; subscriptions are reliable and best effort, to 1 and 4 cameras.

The node takes the newest frame whenever its engine is free: labels may be rarer than frames.
"""

import argparse
import itertools
import signal
import sys
from typing import Any

from benchmarks import reporting
from benchmarks.transport.cases import (
    RELIABILITIES,
    SIDES,
    WAYS,
    Case,
    add_options,
    origin,
    run,
)
from carla_unet_ros.ros.camera_topics import MOST_CAMERAS

_HEADS = ("what arrives", "cameras", "subscribed", "fastdds_shm.xml on", "received of sent",
          "median, ms", "95 %, ms")  # fmt: skip
_EXPLANATION = """\
Images that another process received, of
those sent between the first and the last of them, and their age on arrival, from the stamp, which
is the moment of sending. `frames` come straight from the camera's process, `labels` through
segmentation_node, which takes the newest frame whenever its engine is free: labels may be rarer
than frames. `fastdds_shm.xml`: the side whose Fast DDS reads that file of `config/`."""


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    choices = options.ways, options.cameras, options.reliability, options.shared_memory
    cases = [Case(*values, options.rate) for values in itertools.product(*choices)]
    results = run("transport", cases, options, argv)
    reporting.finish(results, "transport", section(results), options)
    return 0


def section(results: dict[str, Any]) -> str:
    """The section of docs/performance.md: one row per case."""
    cases = results["cases"]
    rate = f"Each camera sends {cases[0]['rate']:g} frames/s. {_EXPLANATION}"
    rows = reporting.table(_HEADS, [_row(case) for case in cases])
    return "\n\n".join(("## Transport", origin(results), rate, rows))


def _row(case: dict[str, Any]) -> list[object]:
    received = f"{case['received']} of {case['sent']}"
    if silent := case["received_by_camera"].count(0):
        received += f", nothing from {silent}"
    name = [case[key] for key in ("way", "cameras", "reliability", "shared_memory")]
    return [*name, received, case["median_ms"], case["p95_ms"]]


def _parser() -> argparse.ArgumentParser:
    parser = reporting.parser_of(__doc__, "transport")
    add_options(parser)
    add = parser.add_argument
    add("--rate", type=float, default=20.0, help="frames a second of each camera (%(default)s)")
    add("--ways", nargs="+", choices=WAYS, default=WAYS)
    add("--cameras", nargs="+", type=int, choices=range(1, MOST_CAMERAS + 1), default=(1, 4))
    add("--reliability", nargs="+", choices=RELIABILITIES, default=RELIABILITIES)
    add("--shared-memory", nargs="+", choices=SIDES, default=SIDES,
        help="sides on which fastdds_shm.xml is set")  # fmt: skip
    return parser


if __name__ == "__main__":
    # SIGTERM acts as Ctrl-C does, so that it ends the processes, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
