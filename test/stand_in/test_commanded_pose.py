# SPDX-License-Identifier: Apache-2.0
"""The drawn street from a pose of choice, and where its edges, cars and people are, in metres."""

import math

import numpy as np
import pytest

from carla_unet_ros.labels import Uint8, carla_13
from carla_unet_ros.stand_in.drive import Drive, Lead, Pose

pytestmark = pytest.mark.once

WIDTH, HEIGHT, FOCAL = 320, 240, 160.0
ROAD, ROAD_LINE, VEHICLE, PERSON = carla_13().ids(
    ("Roads", "RoadLines", "Vehicles", "Pedestrians")
)
AWAY = Lead(-500.0)
DRIVE = Drive(WIDTH, HEIGHT, seed=4)


def label_at(labels: Uint8, pose: Pose, s: float, d: float, height: float = 0.0) -> int:
    """The label of a place on the street that the camera sees."""
    x, z, _ = DRIVE.view(pose).spot(s, d)
    column = WIDTH / 2 + FOCAL * x / z
    row = HEIGHT / 2 + FOCAL * (DRIVE.camera_height - height) / z
    return int(labels[int(row), int(column)])


def find_lead(pose: Pose, metres: float) -> float:
    """The middle column of the pixels that the car ahead changes."""
    seen, unseen = (DRIVE.look(pose, 0.0, lead).labels for lead in (Lead(pose.s + metres), AWAY))
    return float(np.flatnonzero((seen != unseen).any(axis=0)).mean())


def test_who_stands_to_the_left_or_turns_to_the_right_sees_the_car_ahead_on_the_other_side():
    straight = find_lead(Pose(0.0, DRIVE.lane), 15.0)
    assert straight == pytest.approx(WIDTH / 2, abs=15)  # the street bends a little
    # 1.5 m at 15 m, less the car's length, are 160 * 1.5 / 14 pixels.
    left = find_lead(Pose(0.0, DRIVE.lane - 1.5), 15.0)
    assert left - straight == pytest.approx(17, abs=2)
    turned = find_lead(Pose(0.0, DRIVE.lane, 0.2), 15.0)
    assert turned - straight == pytest.approx(-FOCAL * math.tan(0.2), abs=3)


@pytest.mark.parametrize("pose", [Pose(3.0, 0.0), Pose(3.0, 1.0, 0.6), Pose(3.0, -1.0, -0.6)])
def test_the_road_ends_where_the_picture_shows_its_edge(pose: Pose):
    labels = DRIVE.look(pose, 0.0, AWAY).labels
    for side in (-1, 1):
        if side * pose.turn < 0:
            continue  # that edge is outside of the picture
        inside, outside = (side * (DRIVE.half_width + more) for more in (-0.2, 0.2))
        assert label_at(labels, pose, pose.s + 6.0, inside) in (ROAD, ROAD_LINE)
        assert label_at(labels, pose, pose.s + 6.0, outside) not in (ROAD, ROAD_LINE)
        assert DRIVE.is_road(pose.s + 6.0, inside) and not DRIVE.is_road(pose.s + 6.0, outside)


def test_a_street_that_crosses_is_road_and_people_on_it_are_known():
    """Seed 4 has its first crossing in the middle of block 0 of 40 m."""
    assert DRIVE.is_road(20.0, 12.0) and not DRIVE.is_road(30.0, 12.0)
    people = [one for one in DRIVE.footprints(0.0, 0.0, AWAY) if one.name == "person"]
    assert people
    place = people[0]
    pose = Pose(place.s - 8.0, place.d)
    assert label_at(DRIVE.look(pose, 0.0, AWAY).labels, pose, place.s, place.d, 1.0) == PERSON


def test_cars_cover_the_ground_where_the_picture_shows_them():
    pose, lead = Pose(200.0, 0.0), Lead(212.0)
    labels = DRIVE.look(pose, 5.0, lead).labels
    cars = [one for one in DRIVE.footprints(pose.s, 5.0, lead) if one.name == "car"]
    assert (lead.s, DRIVE.lane) in [(one.s, one.d) for one in cars]
    near = [one for one in cars if pose.s + 5 < one.s < pose.s + 13]
    assert len(near) > 1  # parked ones, too
    for one in near:
        assert label_at(labels, pose, one.s, one.d, 0.6) == VEHICLE
        assert 1.7 < one.width < 2.5 and 3.8 < one.length < 7.6


@pytest.mark.parametrize("turn", [-0.4, 0.0, 0.4])
def test_a_place_is_found_again_from_its_camera_coordinates(turn: float):
    view = DRIVE.view(Pose(50.0, 1.0, turn))
    for place in ((50.0, 1.0), (47.7, -3.0), (58.3, 4.4)):
        x, z, direction = view.spot(*place)
        found = view.find(x, z)
        assert found[:2] == pytest.approx(place, abs=0.01)
        assert found[2] == pytest.approx(direction, abs=1e-3)
    assert view.spot(50.0, 1.0)[:2] == pytest.approx((0.0, 0.0), abs=1e-9)
