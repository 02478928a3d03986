# SPDX-License-Identifier: Apache-2.0
"""What the place of a pixel settles, whatever models said of it."""

import numpy as np

from carla_unet_ros.labels import IGNORE, carla_13
from carla_unet_ros.training.labelling.scene import settle_night_sky, settle_own_lane

NAMES = carla_13()
SKY, BUILDING, ROAD, SIDEWALK, VEGETATION = NAMES.ids(
    ["None/Unlabeled", "Buildings", "Roads", "Sidewalks", "Vegetation"]
)


def night() -> tuple[np.ndarray, np.ndarray]:
    """120 rows: black down to row 60 and called vegetation, a lit house in it, lit road below."""
    frame = np.zeros((120, 160, 3), np.uint8)
    labels = np.full((120, 160), VEGETATION, np.uint8)
    frame[10:60, :40] = 60
    labels[10:60, :40] = BUILDING
    frame[60:] = 40
    labels[60:] = ROAD
    return frame, labels


def test_black_above_the_horizon_of_a_dark_frame_is_sky() -> None:
    frame, labels = night()
    settled = settle_night_sky(labels, frame, NAMES)
    assert (settled[:48, 60:] == SKY).all()
    assert (settled[20:60, :30] == BUILDING).all()
    assert (settled[62:] == ROAD).all()


def test_black_near_the_horizon_is_unsure() -> None:
    frame, labels = night()
    settled = settle_night_sky(labels, frame, NAMES)
    assert (settled[51:55, 60:] == IGNORE).all()  # 120 // 12 = 10 rows above row 60


def test_a_day_has_no_night_sky() -> None:
    frame, labels = night()
    frame[60:] = 200
    assert (settle_night_sky(labels, frame, NAMES) == labels).all()


def test_sidewalk_ahead_of_the_car_is_road_and_sidewalk_beside_it_stays() -> None:
    labels = np.full((120, 160), SIDEWALK, np.uint8)
    labels[100, 80] = BUILDING
    settled = settle_own_lane(labels, NAMES)
    assert settled[110, 80] == ROAD
    assert settled[110, 10] == SIDEWALK
    assert settled[70, 80] == SIDEWALK  # the lane begins at 0.72 of the height
    assert settled[100, 80] == BUILDING
