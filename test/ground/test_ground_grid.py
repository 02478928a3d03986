# SPDX-License-Identifier: Apache-2.0
"""The ground seen by a camera whose geometry is worked out by hand.

800x600 at 90 degrees: f = 400 pixels, principal point (400, 300), 2 m high and 2 m ahead of the
vehicle's origin, as the bridge's rgb_front. On flat ground row v is seen at 400 * 2 / (v - 300)
metres from the camera.
"""

import math

import numpy as np
import pytest

from carla_unet_ros.camera_model import Calibration
from carla_unet_ros.ground.ground_grid import (
    FREE,
    OCCUPIED,
    UNKNOWN,
    CameraPose,
    Extent,
    GroundGrid,
    class_weights,
)
from carla_unet_ros.labels import IGNORE

ROAD, SIDEWALK, POLE = 7, 8, 5
CAMERA = Calibration(800, 600, 400.0, 400.0, 400.0, 300.0)
LEVEL = CameraPose.from_angles(2.0, 0.0, 2.0)
DRIVABLE = class_weights([6, ROAD])


def all_road() -> np.ndarray:
    return np.full((600, 800), ROAD, np.uint8)


def cell(x: float, y: float) -> tuple[int, int]:
    """Row and column of the default grid: 0.2 m cells, 20 m to the right, nothing behind."""
    return math.floor((y + 20) / 0.2), math.floor(x / 0.2)


def look(labels: np.ndarray, pose: CameraPose = LEVEL, **options: int) -> np.ndarray:
    return GroundGrid(Extent(), CAMERA, pose, **options).occupancy(labels, DRIVABLE)


def test_a_road_of_seven_metres_comes_out_within_one_cell():
    labels = all_road()
    for v in range(301, 600):
        pixels_a_metre = (v + 0.5 - 300) / 2
        side = np.abs(np.arange(800) + 0.5 - 400) / pixels_a_metre
        labels[v, side > 3.5] = SIDEWALK
    grid = look(labels)
    for x in np.arange(6.1, 40, 0.2).tolist():
        column = grid[:, cell(x, 0)[1]]
        free = np.flatnonzero(column == FREE)
        assert free[0] * 0.2 - 20 == pytest.approx(-3.5, abs=0.21), x
        assert (free[-1] + 1) * 0.2 - 20 == pytest.approx(3.5, abs=0.21), x
        assert len(free) == free[-1] - free[0] + 1, f"a hole in the road at {x} m"


def test_a_curb_ten_metres_before_the_camera_comes_out_twelve_before_the_origin():
    labels = all_road()
    labels[:380] = SIDEWALK  # 400 * 2 / 80 = 10 m
    ahead = look(labels)[cell(0, 0)[0]]
    assert np.flatnonzero(ahead == OCCUPIED)[0] * 0.2 == pytest.approx(12.0, abs=0.21)
    assert (ahead[cell(12.3, 0)[1] :] == OCCUPIED).all()


def test_pitch_moves_the_curb_to_another_row_and_not_to_another_place():
    down = CameraPose.from_angles(2.0, 0.0, 2.0, pitch=10.0)
    angle_below_axis = math.atan2(2, 10) - math.radians(10)
    row = round(300 + 400 * math.tan(angle_below_axis))
    labels = all_road()
    labels[:row] = SIDEWALK
    ahead = look(labels, down)[cell(0, 0)[0]]
    assert row == 309
    assert np.flatnonzero(ahead == OCCUPIED)[0] * 0.2 == pytest.approx(12.0, abs=0.21)


def test_a_camera_turned_left_sees_the_left_alone():
    grid = look(all_road(), CameraPose.from_angles(2.0, 0.0, 2.0, yaw=90.0))
    rows, columns = np.nonzero(grid == FREE)
    # The nearest ground is 800 / 300 = 2.7 m to the left, and the sight is as wide as it is deep.
    assert rows.min() == cell(0, 2.68)[0]
    assert grid[cell(2.0, 10)] == FREE
    assert grid[cell(13, 10)] == UNKNOWN
    assert columns.min() == 0


def test_roll_tilts_the_picture():
    # Rolled to the right by 30 degrees, the lower right corner of the picture (one to the right,
    # 3/4 down, one ahead) looks along (1, -0.491, -1.150): 2 m down it is at (1.74, -0.854).
    grid = look(all_road(), CameraPose.from_angles(2.0, 0.0, 2.0, roll=30.0))
    rows, columns = np.nonzero(grid == FREE)
    nearest = columns.argmin()
    assert (rows[nearest], columns[nearest]) == cell(2 + 1.75, -0.854)


def test_what_the_camera_does_not_see_is_unknown():
    grid = GroundGrid(Extent(behind=10), CAMERA, LEVEL).occupancy(all_road(), DRIVABLE)
    seen_from = 10 + 2 + 800 / 300
    assert (grid[:, : math.floor(seen_from / 0.2)] == UNKNOWN).all()
    assert grid[100, math.floor(seen_from / 0.2) + 1] == FREE
    # 45 degrees to each side: 10 m before the camera it sees 10 m to the left and no more.
    assert grid[cell(0, 9.7)[0], math.floor(22 / 0.2)] == FREE
    assert grid[cell(0, 10.3)[0], math.floor(22 / 0.2)] == UNKNOWN


def test_the_bonnet_at_the_bottom_is_left_out():
    labels = all_road()
    labels[500:] = 10
    assert look(labels)[cell(5.0, 0)] == OCCUPIED
    grid = look(labels, ignored_bottom_rows=100)
    # Row 500 is seen 400 * 2 / 200 = 4 m before the camera.
    assert grid[cell(5.8, 0)] == UNKNOWN
    assert grid[cell(6.3, 0)] == FREE
    assert not (grid == OCCUPIED).any()


def test_a_pole_narrower_than_a_cell_is_found():
    labels = all_road()
    foot = 460  # 400 * 2 / 160 = 5 m before the camera: 4 of its pixels are 5 cm
    labels[:foot, 402:406] = POLE
    grid = look(labels)
    assert grid[cell(7.1, -0.05)] == OCCUPIED
    assert grid[cell(6.7, -0.05)] == FREE
    assert grid[cell(7.1, 0.3)] == FREE


def test_one_wrong_pixel_near_the_car_blocks_nothing():
    labels = all_road()
    labels[550, 400] = POLE
    assert not (look(labels) == OCCUPIED).any()


def test_every_wrong_pixel_counts_where_the_share_is_zero():
    labels = all_road()
    labels[400, 400] = POLE  # 8 m before the camera a cell has some twenty pixels, all looked at
    grid = GroundGrid(Extent(), CAMERA, LEVEL)
    assert (grid.occupancy(labels, DRIVABLE, blocked_share=0.0) == OCCUPIED).sum() == 1


def test_pixels_without_a_label_tell_nothing():
    labels = all_road()
    labels[:, 400:] = IGNORE
    grid = look(labels)
    assert grid[cell(12, 1)] == FREE
    assert (grid[: cell(0, -0.3)[0]] == UNKNOWN).all()


def test_the_bridges_optical_frame_and_carlas_own_are_the_same_camera():
    # REP 103: an optical frame that looks along x is the quaternion (-1/2, 1/2, -1/2, 1/2).
    optical = CameraPose.from_quaternion((2, 0, 2), (-0.5, 0.5, -0.5, 0.5))
    body = CameraPose.from_quaternion((2, 0, 2), (0, 0, 0, 2), optical=False)
    assert optical.is_close(LEVEL) and body.is_close(LEVEL)
    half = math.radians(10) / 2
    down = CameraPose.from_quaternion((2, 0, 2), (0, math.sin(half), 0, math.cos(half)), False)
    assert down.is_close(CameraPose.from_angles(2, 0, 2, pitch=10))
    assert not down.is_close(LEVEL)


@pytest.mark.parametrize("angles", [(3, 8, -20), (-45, 60, 170), (180, 0, 0), (0, 89, 0)])
def test_any_place_of_the_camera_gives_a_grid_or_a_sentence(angles: tuple[float, float, float]):
    pose = CameraPose.from_angles(-1.0, 3.0, 1.2, *angles)
    try:
        grid = GroundGrid(Extent(0.5, 20, 20, 20, 20), CAMERA, pose).occupancy(
            all_road(), DRIVABLE
        )
    except ValueError as error:
        assert "sees no ground" in str(error)
    else:
        assert set(np.unique(grid)) == {UNKNOWN, FREE}


def test_bad_input_is_told_in_a_sentence():
    grid = GroundGrid(Extent(), CAMERA, LEVEL)
    with pytest.raises(ValueError, match="labels are 400x70, the camera is 800x600"):
        grid.occupancy(np.zeros((70, 400), np.uint8), DRIVABLE)
    with pytest.raises(ValueError, match="height above the ground"):
        GroundGrid(Extent(), CAMERA, CameraPose.from_angles(2, 0, 0))
    with pytest.raises(ValueError, match="sees no ground"):
        GroundGrid(Extent(), CAMERA, CameraPose.from_quaternion((2, 0, 2), (0, 0, 0, 1)))
    with pytest.raises(ValueError, match="sees no ground"):
        GroundGrid(Extent(), CAMERA, LEVEL, ignored_bottom_rows=600)
    with pytest.raises(ValueError, match="cell_size"):
        Extent(cell_size=0.0)
    with pytest.raises(ValueError, match="no length"):
        CameraPose.from_quaternion((2, 0, 2), (0, 0, 0, 0))
