# SPDX-License-Identifier: Apache-2.0
"""Measures what the ground grid costs per frame, on one core.

    python -m benchmarks.ground_grid [--document]

Times the default grid of 200x200 cells: the lookup table, built once per calibration, and each
frame after that, alone and with memory.
"""

import sys
import time
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from benchmarks.reporting import Benchmark, Report, Results, section, table
from benchmarks.timing import spread, timed
from carla_unet_ros.camera_model import Calibration, intrinsics
from carla_unet_ros.ground.cell_evidence import look_at_cells
from carla_unet_ros.ground.connected_ground import keep_connected
from carla_unet_ros.ground.ground_grid import CameraPose, Extent, GroundGrid, class_weights
from carla_unet_ros.ground.ground_memory import GroundMemory, Place

_SIZES = ((800, 600), (1280, 720), (1920, 1080))
_HEADS = "camera | table, ms | one frame, ms: median | 95 % | with memory, ms: median | 95 %"
_EXPLANATION = """\
From a label image to the default grid of 200x200 cells, on one core. The table is computed once
for a calibration, the rest for every frame, while the vehicle drives 10 m/s."""


@dataclass(frozen=True, kw_only=True)
class Options(Report):
    """Measure what the ground grid costs per frame."""

    frames: int = 300  # frames timed of each size


def measured(options: Options) -> Results:
    return {"cases": [measured_size(*size, options.frames) for size in tqdm(_SIZES, "sizes")]}


def measured_size(width: int, height: int, frames: int) -> dict[str, object]:
    """Milliseconds of the table and of a frame, for a 90-degree camera 2 m above the ground."""
    camera = intrinsics(width, height, 90.0)
    calibration = Calibration(width, height, camera.focal, camera.focal, camera.cx, camera.cy)
    start = time.perf_counter()
    grid = GroundGrid(Extent(), calibration, CameraPose.from_angles(2.0, 0.0, 2.0))
    table = time.perf_counter() - start
    labels = np.random.default_rng(0).integers(0, 13, (height, width), np.uint8)
    weights = class_weights((6, 7))
    times = timed(lambda labels: grid.occupancy(labels, weights), [labels] * frames)
    memory, costs = GroundMemory(Extent(), 3.0), np.full(13, 100, np.uint8)
    costs[[6, 7]] = 0

    def remember(number: int) -> None:
        place = Place(number / 2, 0.0, number / 100)
        memory.add(place, number / 20, look_at_cells(grid, labels, costs, labels * 19))
        keep_connected(memory.around(place).occupancy(costs), Extent(), grid.first_seen)

    remembered = {f"memory_{k}": v for k, v in spread(timed(remember, range(frames))).items()}
    return {"camera": f"{width}x{height}", "table_ms": 1000 * table, **spread(times), **remembered}


def described(results: Results) -> str:
    rows = [list(case.values()) for case in results["cases"]]
    return section("The ground grid", results, _EXPLANATION, table(_HEADS, rows))


main = Benchmark("ground_grid", Options, measured, described).main

if __name__ == "__main__":
    sys.exit(main())
