# SPDX-License-Identifier: Apache-2.0
"""A simple car: it goes where a planner's throttle and steering lead it.

The motion is that of the kinematic bicycle model, with the middle of the car as its origin (Kong,
Pfeiffer, Schildbach, Borrelli, "Kinematic and dynamic vehicle models for autonomous driving
control design", IV 2015). The throttle is that of CARLA's carla_twist_to_control, 0 to 10: the
car approaches 3 m/s for each unit of it, and brakes where there is none.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from carla_unet_ros.ground.ground_memory import Place

LENGTH, WIDTH, WHEELBASE = 4.6, 1.85, 2.9
"""Metres."""

_SPEED_OF_THROTTLE = 3.0  # m/s for each unit
_LAG = 1.0  # s
_BRAKE = 4.0  # m/s2
_LARGEST_ANGLE = 0.6  # rad


class Car(NamedTuple):
    """place: of the middle of the car in a fixed frame; speed: m/s ahead"""

    place: Place
    speed: float = 0.0

    def after(self, seconds: float, throttle: float, angle: float) -> "Car":
        """The car after this time, which is short.

        angle: of the front wheels to the left, in radians
        """
        if throttle > 0:
            wanted = _SPEED_OF_THROTTLE * throttle
            speed = self.speed + (wanted - self.speed) * min(seconds / _LAG, 1.0)
        else:
            speed = max(self.speed - _BRAKE * seconds, 0.0)
        way, x, y, yaw = (self.speed + speed) / 2 * seconds, *self.place
        slope = math.tan(min(max(angle, -_LARGEST_ANGLE), _LARGEST_ANGLE))
        slip = math.atan(slope / 2)
        turn = way * math.cos(slip) * slope / WHEELBASE
        course = yaw + slip + turn / 2
        x, y = x + way * math.cos(course), y + way * math.sin(course)
        return Car(Place(x, y, yaw + turn), speed)


def corners(x: float, y: float, turn: float, width: float, length: float) -> npt.NDArray:
    """The corners [4, 2] of a rectangle; `turn` turns its length from y towards x."""
    across = np.array((math.cos(turn), -math.sin(turn))) * width / 2
    along = np.array((math.sin(turn), math.cos(turn))) * length / 2
    return (x, y) + np.array((along + across, along - across, -along - across, across - along))


def overlap(one: npt.NDArray, other: npt.NDArray) -> bool:
    """Whether two rectangles, corners [4, 2], have ground in common (separating axes)."""
    for edges in (one[1:3] - one[:2], other[1:3] - other[:2]):
        here, there = one @ edges.T, other @ edges.T
        if (here.max(0) <= there.min(0)).any() or (there.max(0) <= here.min(0)).any():
            return False
    return True
