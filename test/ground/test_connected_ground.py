# SPDX-License-Identifier: Apache-2.0
"""Free ground counts only where a way leads to it from the vehicle."""

import numpy as np

from carla_unet_ros.ground.connected_ground import keep_connected
from carla_unet_ros.ground.ground_grid import Extent

EXTENT = Extent(1.0, ahead=10.0, behind=2.0, left=5.0, right=5.0)
"""12 columns from -2 m, 10 rows from -5 m."""


def ground() -> np.ndarray:
    """Seen from 3 m on: road to both sides of a wall at y = 2..3."""
    values = np.full((10, 12), -1, np.int8)
    values[:, 5:] = 0
    values[7, 5:] = 80
    return values


def test_ground_behind_a_wall_is_not_free_and_all_else_stays():
    values = ground()
    found = keep_connected(values, EXTENT, first_seen=3.0)
    assert (found[8:, 5:] == 100).all()
    assert (found[:8] == values[:8]).all()
    assert (found[8:, :5] == -1).all()


def test_a_gap_in_the_wall_connects():
    values = ground()
    values[7, 11] = 40
    assert (keep_connected(values, EXTENT, 3.0) == values).all()


def test_uncertain_ground_below_half_connects_and_above_it_does_not():
    values = ground()
    values[7, 11] = 49
    assert (keep_connected(values, EXTENT, 3.0) == values).all()
    values[7, 11] = 50
    assert keep_connected(values, EXTENT, 3.0)[9, 11] == 100


def test_an_obstacle_in_front_of_the_bumper_cuts_off_what_is_behind_it():
    values = ground()
    values[:, 5] = 100
    assert (keep_connected(values, EXTENT, 3.0)[:7, 6:] == 100).all()
    # Unknown ground connects up to where the camera sees, and not beyond it.
    values[:, 5] = -1
    assert (keep_connected(values, EXTENT, 3.0)[:7, 6:] == 0).all()
    values[:, 6] = -1
    assert (keep_connected(values, EXTENT, 3.0)[:7, 7:] == 100).all()
