# SPDX-License-Identifier: Apache-2.0
"""The ground of the drawn drive: the car's own odometry lets the grid remember it.

The semantic camera is segmented: the model of the tests gives each pixel the class of the nearest
palette colour, so the labels are the truth itself.
"""

from pathlib import Path

import numpy as np
import pytest
from nav_msgs.msg import OccupancyGrid
from ros_bench import Diagnostics, RosBench, start_segmentation

from carla_unet_ros.stand_in.drive import Drive

pytestmark = pytest.mark.once

SIZE = {"width": 160, "height": 120}
CAMERA = "/carla/ego_vehicle/semantic_segmentation_front"


def test_ground_that_the_camera_no_longer_sees_is_known_by_the_drives_odometry(
    bench: RosBench, tiny_model_path: Path
) -> None:
    height = Drive(**SIZE, seed=4).camera_height
    grids = bench.collect(OccupancyGrid, f"{CAMERA}/segmentation/ground_grid")
    diagnostics = Diagnostics(bench)
    bench.start("stand_in.camera_node", seed=4, rate=10.0, **SIZE)
    start_segmentation(bench, tiny_model_path, image_topics=[f"{CAMERA}/image"])
    bench.start("ground.ground_grid_node", camera=CAMERA, camera_height=height)

    def lane() -> np.ndarray:
        """1 m to each side of the car, 1 to 4 m ahead of its origin: below the camera's view."""
        grid = np.asarray(grids[-1].data, np.int8).reshape(200, 200)
        return grid[95:105, 5:20]

    # The camera, 2 m ahead, looks down 36.9 degrees at most: it sees from 2.2 * 4 / 3 + 2 m on.
    assert height > 2
    bench.until(lambda: grids and (lane() == 0).all())
    bench.until(
        lambda: (
            diagnostics.value("/ground_grid", "memory")
            == "3 s, motion from /carla/ego_vehicle/odometry"
        )
    )
