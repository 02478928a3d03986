# SPDX-License-Identifier: Apache-2.0
"""Where the car of the drive is in a fixed frame, and how it moves (REP 103: metres, radians).

The fixed frame has x to the north, y to the west, and its origin at the start of the street. The
frame of the car has x ahead and y to the left; the camera is CAMERA_AHEAD of its origin.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from carla_unet_ros.stand_in.town.course import Course

CAMERA_AHEAD = 2.0
"""Metres from the car's origin to its cameras, as in config/carla_objects.json."""

_STEP = 1e-3


class CarPose(NamedTuple):
    """x, y: metres in the fixed frame; yaw: radians, counterclockwise from x"""

    x: float
    y: float
    yaw: float


class CarMotion(NamedTuple):
    """pose: of the car's origin; ahead, left: m/s in the frame of the car; turn: rad/s"""

    pose: CarPose
    ahead: float
    left: float
    turn: float


def find_pose(course: Course, s: float, d: float, turn: float = 0.0) -> CarPose:
    """The pose of the car whose camera is at `s`, `d` metres to the right of the centre line.

    turn: radians from the direction of the street there to that of the camera, to the right
    """
    east, north = course.point(s)
    street = course.heading(s)
    heading = street + turn
    x = north - d * math.sin(street) - CAMERA_AHEAD * math.cos(heading)
    y = -(east + d * math.cos(street)) + CAMERA_AHEAD * math.sin(heading)
    return CarPose(x, y, -heading)


def find_motion(pose_at: Callable[[float], CarPose], time: float) -> CarMotion:
    """The pose at this time in seconds, with the speeds from the poses just before and after."""
    pose = pose_at(time)
    before, after = pose_at(time - _STEP), pose_at(time + _STEP)
    x, y, turn = ((b - a) / (2 * _STEP) for a, b in zip(before, after, strict=True))
    cos, sin = math.cos(pose.yaw), math.sin(pose.yaw)
    return CarMotion(pose, cos * x + sin * y, cos * y - sin * x, turn)
