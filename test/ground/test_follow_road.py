# SPDX-License-Identifier: Apache-2.0
"""The planner of the documentation steers by the ground grid, and stops where there is none."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import Twist
from nav_msgs.msg import OccupancyGrid
from ros_bench import Process, RosBench

GRID = "/carla/ego_vehicle/rgb_front/segmentation/ground_grid"
FOLLOW_ROAD = Path(__file__).parents[2] / "docs" / "examples" / "follow_road.py"


@pytest.fixture
def follow_road(bench: RosBench, tmp_path: Path) -> Iterator[list[Twist]]:
    """The documentation's example of a planner, running; gives what it steers."""
    twists = bench.collect(Twist, "/carla/ego_vehicle/twist")
    process = Process([sys.executable, str(FOLLOW_ROAD)], tmp_path / "follow_road.txt")
    yield twists
    assert process.interrupt() == 0 and not process.printed


def grid_message(first_free: float, last_free: float) -> OccupancyGrid:
    """20 m around, cells of 0.5 m, free between these metres to the left."""
    grid = OccupancyGrid()
    grid.info.resolution, grid.info.width, grid.info.height = 0.5, 40, 40
    grid.info.origin.position.y = -10.0
    left = (np.arange(40) + 0.5) * 0.5 - 10
    cells = np.where((left > first_free) & (left < last_free), 0, 100).astype(np.int8)
    grid.data = np.repeat(cells, 40).tolist()
    return grid


@pytest.mark.parametrize(
    ("first", "last", "left"), [(-3.0, 3.0, 0.0), (0.0, 6.0, 3.0), (-8.0, -4.0, -6.0)]
)
def test_the_example_planner_steers_to_the_middle_of_the_road(
    bench: RosBench, follow_road: list[Twist], first: float, last: float, left: float
):
    grids = bench.node.create_publisher(OccupancyGrid, GRID, 1)

    def steered() -> list[Twist]:
        grids.publish(grid_message(first, last))
        bench.executor.spin_once(0.1)
        return [twist for twist in follow_road if twist != Twist()]

    twist = bench.until(steered)[0]
    assert twist.linear.x == 2.0
    assert twist.angular.z == pytest.approx(0.15 * left)


def test_the_example_planner_stops_where_nothing_is_free_and_when_no_grid_comes(
    bench: RosBench, follow_road: list[Twist]
):
    grids = bench.node.create_publisher(OccupancyGrid, GRID, 1)
    bench.until(grids.get_subscription_count)
    # It says stop twice a second without a grid, and at once for a grid that is all occupied.
    bench.until(lambda: follow_road)
    for _ in range(20):
        grids.publish(grid_message(0.0, 0.0))
    bench.until(lambda: len(follow_road) > 10)
    assert all(twist == Twist() for twist in follow_road)
