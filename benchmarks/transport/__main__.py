# SPDX-License-Identifier: Apache-2.0
"""Measures how long frames take from the camera to their labels, and how many arrive.

    python -m benchmarks.transport [--document]

Two paths are timed: of the frames themselves, with the QoS of CARLA's bridge, and of the labels
that segmentation_node makes of them. Fast DDS keeps its defaults, or reads config/fastdds_shm.xml
on the sender's or the receiver's side; subscriptions are reliable and best effort, to 1 and 4
cameras.
"""

import itertools
import sys
from dataclasses import dataclass
from typing import Any

from benchmarks.reporting import Benchmark, Results, section, table
from benchmarks.transport.cases import Case, CaseOptions, Reliability, Side, Way, origin, run

_HEADS = (
    "what arrives | cameras | subscribed | fastdds_shm.xml on | received of sent | "
    "median, ms | 95 %, ms"
)
_EXPLANATION = """\
Images that another process received, of
those sent between the first and the last of them, and their age on arrival, from the stamp, which
is the moment of sending. `frames` come straight from the camera's process, `labels` through
segmentation_node, which takes the newest frame whenever its engine is free: labels may be rarer
than frames. `fastdds_shm.xml`: the side whose Fast DDS reads that file of `config/`."""


@dataclass(frozen=True, kw_only=True)
class Options(CaseOptions):
    """Measure how long frames take from the camera to their labels, and how many arrive."""

    rate: float = 20.0  # frames a second of each camera
    ways: tuple[Way, ...] = ("frames", "labels")  # what arrives
    cameras: tuple[int, ...] = (1, 4)  # how many
    reliability: tuple[Reliability, ...] = ("reliable", "best_effort")  # of the subscriptions
    # sides on which fastdds_shm.xml is set
    shared_memory: tuple[Side, ...] = ("neither", "sender", "receiver")


def measured(options: Options) -> Results:
    choices = options.ways, options.cameras, options.reliability, options.shared_memory
    return run([Case(*values, options.rate) for values in itertools.product(*choices)], options)


def described(results: Results) -> str:
    cases = results["cases"]
    text = f"Each camera sends {cases[0]['rate']:g} frames/s. {_EXPLANATION}"
    rows = table(_HEADS, [_row(case) for case in cases])
    return section("Transport", results, origin(results), text, rows)


def _row(case: dict[str, Any]) -> list[object]:
    received = f"{case['received']} of {case['sent']}"
    if silent := case["received_by_camera"].count(0):
        received += f", nothing from {silent}"
    name = [case[key] for key in ("way", "cameras", "reliability", "shared_memory")]
    return [*name, received, case["median_ms"], case["p95_ms"]]


main = Benchmark("transport", Options, measured, described).main

if __name__ == "__main__":
    sys.exit(main())
