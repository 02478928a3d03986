# SPDX-License-Identifier: Apache-2.0
"""The planner of the documentation: what it steers for a grid, and whole drives with it.

The drives are closed loops: a simple car model goes where the planner steers it, on a road whose
labels are known, and the planner sees the ground that is remembered of them.
"""

import importlib.util
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import Twist
from nav_msgs.msg import OccupancyGrid
from ros_bench import Process, RosBench

from carla_unet_ros.camera_model import Calibration
from carla_unet_ros.ground.cell_evidence import look_at_cells
from carla_unet_ros.ground.connected_ground import keep_connected
from carla_unet_ros.ground.ground_grid import CameraPose, Extent, GroundGrid
from carla_unet_ros.ground.ground_memory import GroundMemory, Place

GRID = "/carla/ego_vehicle/rgb_front/segmentation/ground_grid"
FOLLOW_ROAD = Path(__file__).parents[2] / "docs" / "examples" / "follow_road.py"
_SPEC = importlib.util.spec_from_file_location("follow_road", FOLLOW_ROAD)
assert _SPEC and _SPEC.loader
planner = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(planner)


def message(cells: np.ndarray, size: float = 0.5, right: float = 10.0) -> OccupancyGrid:
    grid = OccupancyGrid()
    grid.info.resolution = size
    grid.info.height, grid.info.width = cells.shape
    grid.info.origin.position.y = -right
    grid.data = cells.astype(np.int8).ravel().tolist()
    return grid


def road(first: float, last: float, ahead: float = 40.0, cost: int = 0) -> np.ndarray:
    """20 m wide, cells of 0.5 m, free between these metres to the left."""
    left = (np.arange(40) + 0.5) * 0.5 - 10
    column = np.where((left > first) & (left < last), cost, 100)
    return np.repeat(column[:, None], int(ahead * 2), 1)


def side(cells: np.ndarray) -> float:
    """To which side it steers: above 0 to the left."""
    return planner.steer(message(cells), 0.0).angular.z


def test_on_a_free_road_it_keeps_its_distance_from_the_right_edge_at_full_speed():
    # Its lane is the middle of the cell whose right side is 2.2 m, nearest 2 m, beside the edge.
    twist = planner.steer(message(road(-2, 4)), 0.0)
    assert twist.linear.x == planner.SPEED
    assert abs(twist.angular.z) < 0.01
    assert side(road(-3.5, 3)) < -0.01
    assert side(road(-1, 5)) > 0.01


def test_where_the_right_opens_it_goes_straight_on():
    cells = road(-2, 4)
    cells[:16, 16:26] = 0  # a side street from 8 to 13 m ahead
    assert abs(side(cells)) < 0.02


def test_it_follows_a_bend():
    ahead, left = (np.arange(80) + 0.5) * 0.5, (np.arange(40)[:, None] + 0.5) * 0.5 - 10
    middle = 1.0 + ahead**2 / 2 / 50  # a radius of 50 m to the left
    twist = planner.steer(message(np.where(np.abs(left - middle) < 3.5, 0, 100)), 0.0)
    # tan(steering) = wheelbase / radius is 0.058; the car is also a little too far to the left.
    assert 0.02 < twist.angular.z < 0.06
    assert twist.linear.x > 0


def test_uncertain_ground_is_free_below_half_far_ahead_and_must_be_surer_nearby():
    near = road(-3, 3)
    far = near.copy()
    far[14:26, 30:] = 49
    assert planner.steer(message(far), 0.0).linear.x == planner.SPEED
    far[14:26, 30:] = 50
    assert planner.steer(message(far), 0.0).linear.x < planner.SPEED
    near[14:26, 14:20] = 19
    assert planner.steer(message(near), 0.0).linear.x == planner.SPEED
    near[14:26, 14:20] = 20
    assert planner.steer(message(near), 0.0) == Twist()
    assert planner.steer(message(np.full_like(near, -1)), 0.0) == Twist()


def test_ground_that_is_unknown_behind_known_ground_is_an_obstacle_and_the_blind_part_is_not():
    cells = road(-2, 4)
    cells[:, : int(2 * planner.NEAR)] = -1  # so far the camera has seen nothing yet
    assert planner.steer(message(cells), 0.0).linear.x == planner.SPEED
    cells = road(-2, 4)
    cells[18:22, 10] = -1  # 5 m ahead: somebody walks there, and the memory doubts it
    assert planner.steer(message(cells), 0.0).linear.x < planner.SPEED


def test_it_slows_down_before_an_obstacle_and_stops():
    def speed(metres: float) -> float:
        cells = road(-3, 3)
        cells[:, int(metres * 2) :] = 100
        return planner.steer(message(cells), 0.0).linear.x

    # The way ends 1.5 m before it. Full speed from 22 m of way, none at 8 m, between them in
    # proportion; points of a lane are 0.6 m apart.
    assert speed(25.0) == planner.SPEED
    assert speed(16.5) == pytest.approx(planner.SPEED / 2, rel=0.1)
    assert speed(9.0) == speed(5.0) == 0.0


def test_it_passes_what_stands_at_the_edge_and_not_what_stands_in_its_lane():
    cells = road(-4, 5)
    cells[12:18, 24:32] = 100  # from 12 to 16 m ahead, 1 m to the right and farther
    passing = planner.steer(message(cells), 0.0)
    assert passing.linear.x > 0 and passing.angular.z > 0
    cells = road(-2, 7)
    cells[18:22, 18:26] = 100  # a car, 9 m ahead
    assert planner.steer(message(cells), 0.0) == Twist()


def test_the_older_the_grid_the_slower_it_drives():
    grid = message(road(-3, 3))
    half = planner.steer(grid, planner.OLDEST / 2)
    assert half.linear.x == pytest.approx(planner.SPEED / 2)
    assert planner.steer(grid, planner.OLDEST) == planner.steer(grid, 9.0) == Twist()


@pytest.mark.parametrize("ahead", [0.5, 2.0, 5.0, 7.5])
def test_a_short_grid_stops_it(ahead: float):
    assert planner.steer(message(road(-3, 3, ahead)), 0.0) == Twist()


def test_a_malformed_grid_stops_it():
    for change in (
        {"resolution": 0.0},
        {"resolution": math.nan},
        {"resolution": -0.5},
        {"width": 79},
        {"height": 0},
        {"width": 0},
    ):
        grid = message(road(-3, 3))
        for name, value in change.items():
            setattr(grid.info, name, value)
        assert planner.steer(grid, 0.0) == Twist(), change
    grid = message(road(-3, 3))
    grid.info.origin.position.x = math.inf
    assert planner.steer(grid, 0.0) == Twist()
    assert planner.steer(OccupancyGrid(), 0.0) == Twist()


@pytest.fixture
def follow_road(bench: RosBench, tmp_path: Path) -> Iterator[list[Twist]]:
    """The planner as a process of its own; gives what it steers."""
    twists = bench.collect(Twist, "/carla/ego_vehicle/twist")
    process = Process([sys.executable, str(FOLLOW_ROAD)], tmp_path / "follow_road.txt")
    yield twists
    assert process.interrupt() == 0 and not process.printed


def test_it_drives_while_grids_come_stops_for_a_short_one_and_when_none_comes(
    bench: RosBench, follow_road: list[Twist]
):
    grids = bench.node.create_publisher(OccupancyGrid, GRID, 1)
    bench.until(lambda: follow_road)
    assert follow_road[-1] == Twist()

    def sent(cells: np.ndarray, drives: bool) -> bool:
        grids.publish(message(cells))
        bench.executor.spin_once(0.05)
        return (follow_road[-1].linear.x > 0) == drives

    bench.until(lambda: sent(road(-3, 3), True))
    bench.until(lambda: sent(road(-3, 3, ahead=5.0), False))
    bench.until(lambda: sent(road(-3, 3), True))
    bench.until(lambda: follow_road[-1] == Twist())  # nothing comes


CAMERA = Calibration(200, 150, 100.0, 100.0, 100.0, 75.0)
EXTENT = Extent(0.4, ahead=30.0, behind=2.0, left=10.0, right=10.0)
TABLE = GroundGrid(EXTENT, CAMERA, CameraPose.from_angles(2.0, 0.0, 2.0))
COSTS = np.array([0, 60, 100], np.uint8)
STEP = 0.1


class WindingRoad:
    """A road of 7 m whose middle swings to both sides, with cars parked on its right."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.swing, self.length = rng.uniform(1.0, 4.0), rng.uniform(25.0, 40.0)
        self.cars = np.arange(30.0, 300.0, 30.0) + rng.uniform(-5, 5, 9)

    def beside(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Metres to the left of the road's middle."""
        return y - self.swing * (1 - np.cos(x / self.length))

    def labels(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """0 road, 1 sidewalk, 2 car, of points in metres."""
        beside = self.beside(x, y)
        found = np.where(np.abs(beside) < 3.5, 0, 1).astype(np.uint8)
        near = np.abs(np.asarray(x)[..., None] - self.cars).min(-1) < 2.2
        found[near & (beside > -3.5) & (beside < -1.7)] = 2
        return found


def ground_points(place: Place) -> tuple[np.ndarray, np.ndarray]:
    """Where the pixels meet the ground; far away above the horizon."""
    v, u = np.mgrid[0.5:150, 0.5:200]
    depth = 200.0 / np.maximum(v - 75, 0.1)
    x, y = 2.0 + depth, -(u - 100) / 100 * depth
    cos, sin = math.cos(place.yaw), math.sin(place.yaw)
    return place.x + cos * x - sin * y, place.y + sin * x + cos * y


def corners(place: Place) -> tuple[np.ndarray, np.ndarray]:
    """Of a car of 4 m x 1.8 m around its origin."""
    x, y = np.array([2.0, 2.0, -2.0, -2.0]), np.array([0.9, -0.9, 0.9, -0.9])
    cos, sin = math.cos(place.yaw), math.sin(place.yaw)
    return place.x + cos * x - sin * y, place.y + sin * x + cos * y


def drive(street: WindingRoad, seconds: float) -> tuple[float, bool]:
    """Metres driven, and whether the car stayed on the road and touched no car."""
    place, memory, driven = Place(0.0, 0.0, 0.0), GroundMemory(EXTENT, 3.0), 0.0
    for number in range(round(seconds / STEP)):
        labels = street.labels(*ground_points(place))
        memory.add(place, number * STEP, look_at_cells(TABLE, labels, COSTS))
        values = memory.around(place).occupancy(COSTS)
        values = keep_connected(values, EXTENT, TABLE.first_seen)
        grid = message(values, EXTENT.cell_size)
        grid.info.origin.position.x = -EXTENT.behind
        twist = planner.steer(grid, 0.05)
        # 3 m/s for each unit of throttle, a wheelbase of 2.9 m.
        step = 3.0 * twist.linear.x * STEP
        yaw = place.yaw + step * math.tan(np.clip(twist.angular.z, -0.6, 0.6)) / 2.9
        place = Place(place.x + step * math.cos(yaw), place.y + step * math.sin(yaw), yaw)
        if street.labels(*corners(place)).any():
            return driven, False
        driven += step
    return driven, True


@pytest.mark.once
@pytest.mark.parametrize("seed", range(3))
def test_in_a_closed_loop_it_stays_on_the_road_and_touches_no_car(seed: int):
    driven, safe = drive(WindingRoad(seed), 20.0)
    assert safe
    assert driven > 50  # past a parked car at least; at full speed it would be 120
