"""What a frame costs on its way to the ground grid, on one core.

    python benchmarks/ground_grid.py [--out ground_grid.json] [--document]

Prints, for the default grid of 200x200 cells, how long the table of a calibration takes and how
long each frame takes after it.
"""

import argparse
import json
import sys
import time
from typing import Any

import numpy as np
import report
from tqdm import tqdm

from carla_unet_ros.camera_model import intrinsics
from carla_unet_ros.ground.ground_grid import (
    Calibration,
    CameraPose,
    Extent,
    GroundGrid,
    class_weights,
)

_SIZES = ((800, 600), (1280, 720), (1920, 1080))
_HEADS = ("camera", "table, ms", "frame, ms: median", "95 %")
_EXPLANATION = """\
From a label image to the default grid of 200x200 cells, on one core. The table is computed once
for a calibration, the rest for every frame."""


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    cases = [measured(*size, options.frames) for size in tqdm(_SIZES, "sizes")]
    results = {**report.conditions("ground_grid", argv), "cases": cases}
    options.out.write_text(json.dumps(results, indent=2) + "\n")
    print(table(results))
    if options.document:
        report.write_section("ground grid", section(results), options.document)
    return 0


def measured(width: int, height: int, frames: int) -> dict[str, Any]:
    """Milliseconds of the table and, `frames` times, of a frame of random labels."""
    weights = class_weights([6, 7])
    camera = intrinsics(width, height, 90.0)
    calibration = Calibration(width, height, camera.focal, camera.focal, camera.cx, camera.cy)
    start = time.perf_counter()
    grid = GroundGrid(Extent(), calibration, CameraPose.from_angles(2.0, 0.0, 2.0))
    once = time.perf_counter() - start
    labels = np.random.default_rng(0).integers(0, 13, (height, width), dtype=np.uint8)
    seconds = []
    for _ in range(frames):
        start = time.perf_counter()
        grid.occupancy(labels, weights)
        seconds.append(time.perf_counter() - start)
    median, p95 = (1000 * float(value) for value in np.percentile(seconds, (50, 95)))
    size = f"{width}x{height}"
    return {"camera": size, "table_ms": 1000 * once, "median_ms": median, "p95_ms": p95}


def table(results: dict[str, Any]) -> str:
    """A Markdown table, one row a size of frames."""
    return report.table(_HEADS, [list(case.values()) for case in results["cases"]])


def section(results: dict[str, Any]) -> str:
    """What docs/performance.md says."""
    origin = f"{report.origin(results)}.\n{_EXPLANATION}"
    return "\n\n".join(("## The ground grid", origin, table(results)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--frames", type=int, default=300, help="timed for each size (%(default)s)")
    report.add_options(parser, "ground grid")
    return parser


if __name__ == "__main__":
    sys.exit(main())
