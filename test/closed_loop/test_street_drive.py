# SPDX-License-Identifier: Apache-2.0
"""Closed loops on the drawn street with true labels: the example planner, and none."""

import runpy
from functools import cache
from pathlib import Path

import pytest
from geometry_msgs.msg import Twist, Vector3
from nav_msgs.msg import OccupancyGrid

from carla_unet_ros.closed_loop.street_drive import Moment, Steer, StreetDrive, true_labels
from carla_unet_ros.stand_in.drive import Drive

pytestmark = pytest.mark.once

SIZE = 320, 240
FOLLOW_ROAD = Path(__file__).parents[2] / "docs" / "examples" / "follow_road.py"


@cache
def street() -> Drive:
    return Drive(*SIZE, seed=2)


def drive(steer: Steer, lead: float, seconds: float) -> list[Moment]:
    """The steps of a drive behind a car that stands so many metres ahead."""
    loop = StreetDrive(street(), true_labels, steer, SIZE, lambda _: lead)
    moments = []
    for moment in loop.moments(100.0):
        moments.append(moment)
        if moment.end or moment.time >= seconds:
            break
    return moments


def go_straight_on(grid: OccupancyGrid, age: float) -> Twist:
    del grid, age
    return Twist(linear=Vector3(x=2.0))


def test_it_stays_on_the_road_and_stops_behind_a_car_that_stands():
    steer = runpy.run_path(str(FOLLOW_ROAD))["steer"]
    moments = drive(steer, 30.0, 14.0)
    last = moments[-1]
    assert not last.end
    assert last.speed < 0.3
    # The camera is 0.3 m behind the front; the car ahead has about 2.3 m behind its middle.
    assert 2.0 < 30.0 - 2.3 - last.pose.s < 9.0
    assert max(moment.speed for moment in moments) > 2.0


def test_a_planner_that_does_not_steer_leaves_the_road():
    moments = drive(go_straight_on, -500.0, 20.0)
    assert moments[-1].end == "left the road"
    assert abs(moments[-1].pose.d) > street().half_width - 2


def test_a_planner_that_does_not_stop_touches_the_car_ahead():
    last = drive(go_straight_on, 12.0, 20.0)[-1]
    assert last.end == "touched a car"
    # From 0.3 m behind its front to the other's rear, half a car before its middle.
    assert last.pose.s == pytest.approx(12.0 - 0.3 - 2.3, abs=1.2)
