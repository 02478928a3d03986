# SPDX-License-Identifier: Apache-2.0
"""Where the car of the drive is: the pose agrees with the street that is drawn around it."""

import math

import numpy as np
import pytest

from carla_unet_ros.stand_in.car_motion import CAMERA_AHEAD, CarPose, find_motion, find_pose
from carla_unet_ros.stand_in.town.course import Course, View

pytestmark = pytest.mark.once


def test_on_a_straight_street_to_the_north_x_is_the_way_and_y_is_to_the_left():
    course = Course(np.random.default_rng(0), bend=0.0)
    # The camera is 3 m to the right of the middle, the car's origin 2 m behind the camera.
    assert find_pose(course, 100.25, 3.0) == pytest.approx((98.25, -3.0, 0.0))


@pytest.mark.parametrize("turn", [0.0, -0.3])
def test_the_later_camera_is_where_the_street_that_is_drawn_has_it(turn: float):
    course = Course(np.random.default_rng(1), bend=0.3)
    here, there = (40.3, 1.0, turn), (90.8, 2.0)
    spot = View(course, *here).spot(*there)
    pose, later = find_pose(course, *here), find_pose(course, *there)
    cos, sin = math.cos(pose.yaw), math.sin(pose.yaw)
    # Ahead of the first camera by z, to its right by x.
    ahead, right = CAMERA_AHEAD + spot.z, spot.x
    camera = pose.x + cos * ahead + sin * right, pose.y + sin * ahead - cos * right
    assert later.x + CAMERA_AHEAD * math.cos(later.yaw) == pytest.approx(camera[0], abs=0.01)
    assert later.y + CAMERA_AHEAD * math.sin(later.yaw) == pytest.approx(camera[1], abs=0.01)
    assert later.yaw - pose.yaw == pytest.approx(-spot.turn, abs=1e-4)
    assert abs(spot.turn) > 0.05  # a bend that a wrong sign would show


def test_speeds_are_those_in_the_frame_of_the_car():
    """A car that looks along y, drives 8 m/s ahead, slides 1 m/s to the left (-x), and turns."""
    motion = find_motion(lambda t: CarPose(-t, 8 * t, math.pi / 2 + 0.2 * (t - 5)), 5.0)
    assert motion.pose == pytest.approx((-5.0, 40.0, math.pi / 2))
    assert (motion.ahead, motion.left, motion.turn) == pytest.approx((8.0, 1.0, 0.2))


def test_the_place_after_an_hour_does_not_depend_on_what_was_asked_before():
    one, other = (Course(np.random.default_rng(2), bend=0.2) for _ in range(2))
    for s in (0.0, 100.0, 7000.0):
        find_pose(one, s, 0.0)
    here, later = find_pose(one, 36000.0, 0.0), find_pose(one, 36000.5, 0.0)
    assert here == find_pose(other, 36000.0, 0.0)
    assert math.dist(here[:2], later[:2]) == pytest.approx(0.5, abs=0.01)
