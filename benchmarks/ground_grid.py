"""What a frame costs on its way to the ground grid, on one core.

Run: python benchmarks/ground_grid.py. Prints, for the default grid of 200x200 cells, how long
the table of a calibration takes and how long each frame takes after it.
"""

import argparse
import sys
import time

import numpy as np

from carla_unet_ros.camera_model import intrinsics
from carla_unet_ros.ground_grid import (
    Calibration,
    CameraPose,
    Extent,
    GroundGrid,
    class_weights,
)

_SIZES = ((800, 600), (1280, 720), (1920, 1080))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=300, help="frames timed for each size")
    options = parser.parse_args(argv)
    weights = class_weights([6, 7])
    print("| camera | table, ms | frame, ms: median | 95 % |\n|---|---|---|---|")
    for width, height in _SIZES:
        camera = intrinsics(width, height, 90.0)
        calibration = Calibration(width, height, camera.focal, camera.focal, camera.cx, camera.cy)
        start = time.perf_counter()
        grid = GroundGrid(Extent(), calibration, CameraPose.from_angles(2.0, 0.0, 2.0))
        table = time.perf_counter() - start
        labels = np.random.default_rng(0).integers(0, 13, (height, width), dtype=np.uint8)
        seconds = []
        for _ in range(options.frames):
            start = time.perf_counter()
            grid.occupancy(labels, weights)
            seconds.append(time.perf_counter() - start)
        median, most = 1000 * np.percentile(seconds, (50, 95))
        print(f"| {width}x{height} | {1000 * table:.0f} | {median:.2f} | {most:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
