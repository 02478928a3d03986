# SPDX-License-Identifier: Apache-2.0
"""A drive along a known road: what is remembered of it, in numbers.

The road runs along x and is 7 m wide. A car of 2 m x 4 m crosses it 20 m ahead of the start, and
one frame of the drive is poisoned: all of it is a vehicle. A frame comes every 50 ms.
"""

import math

import numpy as np
import pytest

from carla_unet_ros.camera_model import Calibration
from carla_unet_ros.ground.cell_evidence import MOST, CellEvidence, look_at_cells
from carla_unet_ros.ground.ground_grid import (
    FREE,
    OCCUPIED,
    UNKNOWN,
    CameraPose,
    Extent,
    GroundGrid,
    class_weights,
)
from carla_unet_ros.ground.ground_memory import GroundMemory, Place
from carla_unet_ros.labels import IGNORE, Uint8

ROAD, SIDEWALK, VEGETATION, CAR, LINE = 0, 1, 2, 3, 4
COSTS = np.array([0, 60, 80, 100, 0], np.uint8)
CAMERA = Calibration(400, 300, 200.0, 200.0, 200.0, 150.0)
POSE = CameraPose.from_angles(2.0, 0.0, 2.0)
EXTENT = Extent(0.2, ahead=30.0, behind=5.0, left=10.0, right=10.0)
GRID = GroundGrid(EXTENT, CAMERA, POSE)
STEP = 0.05


def points(place: Place) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel meets the ground, in the fixed frame; not a number above the horizon."""
    v, u = np.mgrid[0.5:300, 0.5:400]
    depth = np.where(v > 150, 200 * 2.0 / np.maximum(v - 150, 1e-9), np.nan)
    x, y = 2.0 + depth, -(u - 200) / 200 * depth
    cos, sin = math.cos(place.yaw), math.sin(place.yaw)
    return place.x + cos * x - sin * y, place.y + sin * x + cos * y


def picture(place: Place, seconds: float) -> Uint8:
    """Sidewalk beside the road; the car crosses from the left at 5 m/s, as a flat patch."""
    x, y = points(place)
    labels = np.where(np.abs(y) < 3.5, ROAD, SIDEWALK).astype(np.uint8)
    car = 8 - 5 * seconds
    labels[(np.abs(x - 20) < 1) & (np.abs(y - car) < 2)] = CAR
    return labels


def drive(memory: GroundMemory, frames: range, poisoned: int = -1, speed: float = 5.0) -> Place:
    place = Place(0.0, 0.0, 0.0)
    for number in frames:
        place = Place(100 + speed * number * STEP, -3.0, 0.0)
        here = Place(place.x - 100, place.y + 3, 0.0)
        labels = picture(here, number * STEP)
        if number == poisoned:
            labels[:] = CAR
        memory.add(place, number * STEP, look_at_cells(GRID, labels, COSTS))
    return place


def cell(x: float, y: float) -> tuple[int, int]:
    return math.floor((y + 10) / 0.2), math.floor((x + 5) / 0.2)


def single_frame(labels: Uint8) -> np.ndarray:
    return GRID.occupancy(labels, class_weights([ROAD]))


def on_road(values: np.ndarray, first: float, last: float) -> np.ndarray:
    """The cells of the road's inner 6 m between these metres ahead."""
    return values[cell(0, -3)[0] : cell(0, 3)[0], cell(first, 0)[1] : cell(last, 0)[1]]


def test_the_class_of_a_cell_blocks_where_the_grid_of_one_frame_is_occupied():
    labels = np.random.default_rng(0).integers(0, 4, (300, 400), np.uint8)
    labels[labels == 2] = ROAD
    labels[200:220, :100] = IGNORE
    evidence = look_at_cells(GRID, labels, COSTS)
    grid = single_frame(labels)
    assert ((evidence.classes == IGNORE) == (grid == UNKNOWN)).all()
    assert ((evidence.classes == ROAD) == (grid == FREE)).all()
    assert (np.isin(evidence.classes, (SIDEWALK, CAR)) == (grid == OCCUPIED)).all()
    assert not evidence.log_odds[evidence.classes == IGNORE].any()


def test_a_cell_has_the_cheapest_class_that_few_pixels_exceed():
    """Of about 60 pixels a tenth decides: 6 % car are too few, with 6 % sidewalk they are not."""
    labels = np.full((300, 400), ROAD, np.uint8)
    rows, columns = np.nonzero(labels == ROAD)
    turn = (rows * 7 + columns) % 100
    labels.reshape(-1)[turn < 6] = CAR
    near = cell(6, 0)
    few = look_at_cells(GRID, labels, COSTS, blocked_share=0.2)
    assert few.classes[near] == ROAD
    labels.reshape(-1)[(turn >= 6) & (turn < 40)] = SIDEWALK
    assert look_at_cells(GRID, labels, COSTS, blocked_share=0.2).classes[near] == SIDEWALK
    labels.reshape(-1)[turn < 40] = CAR
    assert look_at_cells(GRID, labels, COSTS, blocked_share=0.2).classes[near] == CAR


def test_more_than_eight_classes_need_a_second_word():
    labels = np.repeat(np.arange(20, dtype=np.uint8)[None], 300, 0).repeat(20, 1)
    costs = np.arange(20, dtype=np.uint8) * 5
    evidence = look_at_cells(GRID, labels, costs)
    # Pixel column 210 is class 10; straight ahead 8 m off (y = -0.4 m) one cell spans 5 pixels.
    x, y = points(Place(0.0, 0.0, 0.0))
    here = x[217, 210], y[217, 210]
    assert evidence.classes[cell(*here)] == 10


def test_log_odds_follow_confidence_and_range():
    labels = np.full((300, 400), ROAD, np.uint8)
    sure = look_at_cells(GRID, labels, COSTS).log_odds
    assert sure[cell(5.1, 0.1)] == pytest.approx(MOST / (1 + 5.1**2 / 900), rel=1e-3)
    assert sure[cell(29.9, 0.1)] == pytest.approx(MOST / 2, rel=1e-2)
    half = np.full((300, 400), 191, np.uint8)  # 0.749: log odds 1.09
    found = look_at_cells(GRID, labels, COSTS, half).log_odds
    assert found[cell(5.1, 0.1)] == pytest.approx(1.09 / (1 + 5.1**2 / 900), rel=1e-2)
    doubtful = np.full((300, 400), 100, np.uint8)
    assert not look_at_cells(GRID, labels, COSTS, doubtful).log_odds.any()


def test_a_road_is_remembered_behind_and_below_the_vehicle_with_its_edges():
    memory = GroundMemory(EXTENT, 10.0)
    place = drive(memory, range(100, 180))  # the car has long crossed
    ground = memory.around(place)
    values = ground.occupancy(COSTS)
    alone = single_frame(picture(Place(place.x - 100, 0.0, 0.0), 9.0))
    assert (on_road(values, -4, 25) == 0).mean() == 1.0
    assert (on_road(alone, -4, 25) == FREE).mean() < 0.8  # blind up to 4.7 m
    free = np.flatnonzero(values[:, cell(10, 0)[1]] == 0)
    assert free[0] * 0.2 - 10 == pytest.approx(-3.5, abs=0.21)
    assert (free[-1] + 1) * 0.2 - 10 == pytest.approx(3.5, abs=0.21)
    assert values[cell(10, 5)] == 60 and ground.classes[cell(10, 5)] == SIDEWALK


def test_a_crossing_car_is_seen_and_its_trace_is_gone_within_a_second():
    memory = GroundMemory(EXTENT, 10.0)
    here = drive(memory, range(32), speed=0.0)  # at 1.6 s it stands in the middle of the road
    crossing = memory.around(here)
    assert crossing.classes[cell(20, 0)] == CAR
    assert crossing.occupancy(COSTS)[cell(20, 0)] > 90
    drive(memory, range(32, 54), speed=0.0)  # the last of it leaves the inner road at 2.6 s
    gone = next(
        number
        for number in range(54, 100)
        if drive(memory, range(number, number + 1), speed=0.0)
        and (on_road(memory.around(here).occupancy(COSTS), 17, 25) == 0).all()
    )
    assert gone * STEP < 2.6 + 1.0


def test_one_poisoned_frame_changes_no_cell_that_was_known():
    clean, poisoned = GroundMemory(EXTENT, 10.0), GroundMemory(EXTENT, 10.0)
    drive(clean, range(100, 149))
    place = drive(poisoned, range(100, 150), poisoned=149)
    expected, found = clean.around(place), poisoned.around(place)
    settled = expected.certainty == 1
    assert settled.mean() > 0.5
    assert (found.classes[settled] == expected.classes[settled]).all()
    costs = expected.occupancy(COSTS), found.occupancy(COSTS)
    # Seen for more than ten frames: nothing at all has changed.
    assert (on_road(costs[1], -4, 15) == on_road(costs[0], -4, 15)).all()
    assert not (found.classes == CAR).any()  # what is new is not known by one frame
    alone = single_frame(np.full((300, 400), CAR, np.uint8))
    assert (on_road(alone, 6, 25) == OCCUPIED).all()  # without memory the road is closed


def test_a_drive_past_a_crossing_car_and_through_a_poisoned_frame_in_numbers():
    """From 3.6 s on the road is free, but frame 80 (4 s) says that all of it is a vehicle."""
    memory = GroundMemory(EXTENT, 10.0)
    drive(memory, range(72))
    false = {"with": 0, "without": 0}
    free = {"with": [], "without": []}
    for number in range(72, 100):
        place = drive(memory, range(number, number + 1), poisoned=80)
        labels = picture(Place(place.x - 100, 0.0, 0.0), number * STEP)
        if number == 80:
            labels[:] = CAR
        grids = {
            "with": memory.around(place).occupancy(COSTS),
            "without": single_frame(labels),
        }
        for name, grid in grids.items():
            near = on_road(grid, 0, 20)
            false[name] += int((near > 50).sum())
            free[name].append(((near >= 0) & (near < 50)).mean())
    assert false["with"] == 0
    # The inner 6 m from 4.7 m on, where the camera begins to see, in one frame.
    assert false["without"] == pytest.approx(30 * (20 - 4.7) / 0.2, rel=0.02)
    assert min(free["with"]) == 1.0
    assert max(free["without"]) < 0.78 and min(free["without"]) == 0


def test_a_cell_is_known_from_its_second_frame_and_the_surer_the_more_it_was_seen():
    memory = GroundMemory(EXTENT, 10.0)
    seen = look_at_cells(GRID, np.full((300, 400), ROAD, np.uint8), COSTS)
    here, near, costs = Place(0.0, 0.0, 0.0), cell(5.1, 0.1), []
    for number in range(5):
        memory.add(here, number * STEP, seen)
        costs.append(int(memory.around(here).occupancy(COSTS)[near]))
    # A frame adds 2 / (1 + 5.1^2 / 900) = 1.94 of the 4 that are certain: 50 - 50 * 3.89 / 4 = 1.
    assert costs == [-1, 1, 0, 0, 0]


def test_classes_of_one_cost_confirm_each_other_and_the_cell_has_the_last_one():
    memory = GroundMemory(EXTENT, 10.0)
    here, near = Place(0.0, 0.0, 0.0), cell(5.1, 0.1)
    for number in range(4):
        labels = np.full((300, 400), LINE if number % 2 else ROAD, np.uint8)
        memory.add(here, number * STEP, look_at_cells(GRID, labels, COSTS))
        assert memory.around(here).classes[near] == (
            IGNORE if number == 0 else LINE if number % 2 else ROAD
        )
    assert memory.around(here).occupancy(COSTS)[near] == 0  # as sure as of one class


def look_at_nothing() -> CellEvidence:
    return look_at_cells(GRID, np.full((300, 400), IGNORE, np.uint8), COSTS)


def test_what_is_no_longer_seen_is_unknown_after_the_time_of_the_memory():
    memory = GroundMemory(EXTENT, 4.0)
    seen = look_at_cells(GRID, np.full((300, 400), ROAD, np.uint8), COSTS)
    nothing = look_at_nothing()
    here, near = Place(0.0, 0.0, 0.0), cell(6, 0.1)
    for number in range(10):
        memory.add(here, number * STEP, seen)
    # From the limit of 6 to 2, where a cell stops being known, at 1 a second.
    memory.add(here, 0.45 + 1.0, nothing)
    assert memory.around(here).occupancy(COSTS)[near] == 0
    memory.add(here, 0.45 + 3.0, nothing)
    assert memory.around(here).occupancy(COSTS)[near] == 12  # 3 of 4: 50 - 50 * 3 / 4
    memory.add(here, 0.45 + 4.1, nothing)
    assert memory.around(here).occupancy(COSTS)[near] == UNKNOWN


@pytest.mark.parametrize("yaw", [0.0, math.pi / 2, 2.5, -1.0])
def test_what_was_seen_stays_where_it_is_when_the_vehicle_moves_and_turns(yaw: float):
    """A pole 10 m ahead and 2 m to the left comes nearer by 4 m; then the vehicle turns."""
    memory = GroundMemory(EXTENT, 10.0)
    classes = np.full((EXTENT.rows, EXTENT.columns), ROAD, np.uint8)
    classes[cell(9.5, 1.5)[0] : cell(10.5, 2.5)[0], cell(9.5, 0)[1] : cell(10.5, 0)[1]] = CAR
    nothing = look_at_nothing()
    seen = nothing._replace(classes=classes, log_odds=np.full(classes.shape, MOST, np.float32))
    start = Place(1e5, -2e4, yaw)
    for number in range(4):
        memory.add(start, number * STEP, seen)
    cos, sin = math.cos(yaw), math.sin(yaw)
    moved = Place(start.x + 4 * cos, start.y + 4 * sin, yaw)
    memory.add(moved, 0.2, nothing)
    assert_pole(memory.around(moved).classes, 6.0, 2.0)
    turned = moved._replace(yaw=yaw + 0.3)
    memory.add(turned, 0.25, nothing)
    x, y = 6 * math.cos(0.3) + 2 * math.sin(0.3), 2 * math.cos(0.3) - 6 * math.sin(0.3)
    assert_pole(memory.around(turned).classes, x, y)


def assert_pole(classes: Uint8, x: float, y: float) -> None:
    rows, columns = np.nonzero(classes == CAR)
    assert columns.mean() * 0.2 - 4.9 == pytest.approx(x, abs=0.21)
    assert rows.mean() * 0.2 - 9.9 == pytest.approx(y, abs=0.21)
    assert 20 <= len(rows) <= 31  # 1 m2 has 25 cells


def test_a_jump_of_the_pose_is_told_from_driving():
    memory = GroundMemory(EXTENT, 10.0)
    seen = look_at_cells(GRID, np.full((300, 400), ROAD, np.uint8), COSTS)
    assert memory.jump(Place(500.0, 0.0, 0.0), 0.0) == 0  # the first place is no jump
    memory.add(Place(0.0, 0.0, 3.1), 1.0, seen)
    assert memory.jump(Place(2.0, 0.0, -3.1), 1.05) == 0  # 40 m/s, and 0.08 rad over pi
    assert memory.jump(Place(30.0, 40.0, 3.1), 1.05) == pytest.approx(50.0)
    assert memory.jump(Place(30.0, 40.0, 3.1), 2.05) == 0  # 50 m in a second
    assert memory.jump(Place(0.0, 0.0, 1.5), 1.05) > 0  # 92 degrees at once
    memory.clear()
    assert (memory.around(Place(0.0, 0.0, 0.0)).classes == IGNORE).all()
    assert memory.jump(Place(30.0, 40.0, 3.1), 1.05) == 0
