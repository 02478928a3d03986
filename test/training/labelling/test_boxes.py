# SPDX-License-Identifier: Apache-2.0
"""What a box says of its pixels."""

from pathlib import Path

import numpy as np
import pytest

from carla_unet_ros.labels import IGNORE, Uint8, carla_13
from carla_unet_ros.training.data.folders import DataError
from carla_unet_ros.training.labelling.boxes import Box, apply_boxes, read_boxes

NAMES = carla_13()
PERSON, ROAD, VEHICLE = NAMES.ids(["Pedestrians", "Roads", "Vehicles"])


def scene() -> tuple[Uint8, Uint8]:
    """Grey road all over, called road, and on it a dark figure of 20x60 that nobody saw."""
    frame = np.full((120, 160, 3), 150, np.uint8)
    frame += np.random.default_rng(0).integers(0, 12, frame.shape, dtype=np.uint8)
    frame[30:90, 70:90] = (30, 20, 60)
    return frame, np.full((120, 160), ROAD, np.uint8)


def box(what: str) -> Box:
    """Around the figure, two pixels larger on each side."""
    return Box(what, 80 / 160, 60 / 120, 24 / 160, 64 / 120)


def test_what_stands_in_a_persons_box_is_a_person_and_the_rest_stays_road() -> None:
    frame, labels = scene()
    result = apply_boxes(labels, frame, [box("person")], NAMES)
    figure = result[32:88, 72:88]
    assert (figure == PERSON).mean() > 0.95
    outside = np.ones(result.shape, bool)
    outside[28:92, 68:92] = False
    assert (result[outside] == ROAD).all()


def test_who_rides_a_motorbike_is_a_person_above_and_a_vehicle_below() -> None:
    frame, labels = scene()
    result = apply_boxes(labels, frame, [box("motorbike")], NAMES)
    assert (result[35:55, 75:85] == PERSON).all()
    assert (result[65:85, 75:85] == VEHICLE).all()


def test_a_vehicle_that_touches_no_box_is_unsure_and_one_that_does_is_kept() -> None:
    frame, labels = scene()
    frame[10:20, 10:40] = (160, 40, 40)
    labels[10:20, 10:40] = VEHICLE
    result = apply_boxes(labels, frame, [box("car")], NAMES)
    assert (result[10:20, 10:40] == IGNORE).all()
    near = Box("car", 25 / 160, 15 / 120, 32 / 160, 12 / 120)
    assert (apply_boxes(labels, frame, [near], NAMES)[12:18, 15:35] == VEHICLE).all()


def test_a_box_with_nothing_to_cut_out_is_its_core_and_unsure_around_it() -> None:
    _, labels = scene()
    flat = np.full((120, 160, 3), 150, np.uint8)
    result = apply_boxes(labels, flat, [box("person")], NAMES)
    assert result[60, 80] == PERSON
    assert set(np.unique(result[28:92, 68:92]).tolist()) <= {PERSON, IGNORE, ROAD}


def test_a_box_of_a_few_pixels_is_unsure() -> None:
    frame, labels = scene()
    tiny = Box("person", 0.5, 0.1, 3 / 160, 8 / 120)
    result = apply_boxes(labels, frame, [tiny], NAMES)
    assert (result == IGNORE).sum() in range(16, 40)
    assert (result != PERSON).all()


def test_boxes_over_the_edge_of_the_picture_and_around_all_of_it_are_no_error() -> None:
    frame, labels = scene()
    boxes = [Box("car", 0.0, 0.0, 0.3, 0.3), Box("truck", 0.5, 0.5, 1.5, 1.5)]
    assert apply_boxes(labels, frame, boxes, NAMES).shape == labels.shape


def test_the_same_frame_gives_the_same_labels() -> None:
    frame, labels = scene()
    results = [apply_boxes(labels, frame, [box("bike")], NAMES) for _ in range(2)]
    assert (results[0] == results[1]).all()


def test_boxes_are_read_by_name_the_smallest_first(tmp_path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text(
        "name,what,x,y,width,height\na,car,0.5,0.5,0.2,0.2\na,person,0.5,0.5,0.1,0.1\n"
    )
    assert [found.what for found in read_boxes(path)["a"]] == ["person", "car"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a,cow,0.5,0.5,0.1,0.1", "line 2: 'cow' is unknown; expected person"),
        ("a,car,0.5,half,0.1,0.1", "line 2: expected four numbers"),
        ("a,car,0.5,0.5,0.0,0.1", "line 2: a box of 0.0 x 0.1"),
        ("a,car,0.5", "line 2: expected four numbers"),
        ("a,car,0.5,0.5,inf,0.1", "line 2: 0.5, 0.5, inf, 0.1; expected finite numbers"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line: str, said: str) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text(f"name,what,x,y,width,height\n{line}\n")
    with pytest.raises(DataError, match=said):
        read_boxes(path)


def test_a_file_without_the_columns_says_which_are_expected(tmp_path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text("frame,kind\na,car\n")
    with pytest.raises(DataError, match="expected name,what,x,y,width,height"):
        read_boxes(path)


def test_a_box_outside_the_picture_has_no_pixels_in_it() -> None:
    assert Box("car", 5.0, 0.5, 0.1, 0.2).pixels(600, 800) == (800, 240, 800, 360)


def test_what_has_no_end_is_not_read() -> None:
    with pytest.raises(DataError, match=r"boxes /dev/zero cannot be read: .*no regular file"):
        read_boxes(Path("/dev/zero"))
