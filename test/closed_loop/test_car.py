# SPDX-License-Identifier: Apache-2.0
"""The simple car: how it gets faster, stops and turns; and when two rectangles touch."""

import math

import pytest

from carla_unet_ros.closed_loop.car import WHEELBASE, Car, corners, overlap
from carla_unet_ros.ground.ground_memory import Place

pytestmark = pytest.mark.once

START = Car(Place(0.0, 0.0, 0.0))


def drive(car: Car, seconds: float, throttle: float, angle: float = 0.0) -> Car:
    for _ in range(round(seconds / 0.01)):
        car = car.after(0.01, throttle, angle)
    return car


def test_it_approaches_three_metres_a_second_for_each_unit_of_throttle():
    assert drive(START, 1.0, 2.0).speed == pytest.approx(6 * (1 - math.exp(-1)), rel=0.01)
    assert drive(START, 10.0, 2.0).speed == pytest.approx(6.0, rel=0.001)


def test_without_throttle_it_brakes_and_then_stands():
    """From 6 m/s with 4 m/s2 in 1.5 s and 6 * 6 / 8 = 4.5 m."""
    stopped = drive(Car(START.place, 6.0), 3.0, 0.0)
    assert stopped.speed == 0.0
    assert stopped.place == pytest.approx((4.5, 0.0, 0.0), abs=0.01)


def test_it_turns_on_a_circle_to_the_side_of_the_angle():
    """The rear axle's circle has the radius WHEELBASE / tan(angle); the middle's is larger."""
    angle = math.atan(WHEELBASE / 10.0)
    radius = math.hypot(10.0, WHEELBASE / 2)
    quarter = drive(Car(START.place, 3.0), radius * math.pi / 2 / 3.0, 1.0, angle)
    assert quarter.place.yaw == pytest.approx(math.pi / 2, rel=0.001)
    # Its circle's middle is 10 m to the left of the rear axle, which is 1.45 m behind.
    assert (quarter.place.x, quarter.place.y) == pytest.approx((8.55, 11.45), abs=0.01)
    assert drive(Car(START.place, 3.0), 1.0, 1.0, -angle).place.y < 0


def test_rectangles_that_have_ground_in_common_touch():
    own = corners(0.0, 0.0, 0.0, 2.0, 4.0)
    assert overlap(own, corners(1.9, 3.9, 0.0, 2.0, 4.0))
    assert not overlap(own, corners(2.1, 3.9, 0.0, 2.0, 4.0))
    # A square of 2 m, turned by 45 degrees, reaches 1.41 m to each side; its corner at the
    # corner of the other one does not.
    square = math.pi / 4
    assert overlap(own, corners(2.4, 0.0, square, 2.0, 2.0))
    assert not overlap(own, corners(2.5, 0.0, square, 2.0, 2.0))
    assert not overlap(own, corners(1.8, 2.8, square, 2.0, 2.0))
