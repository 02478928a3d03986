# SPDX-License-Identifier: Apache-2.0
"""A boxed thing is found where enough of its box has a class of that thing; by day and dark."""

from collections.abc import Callable

import numpy as np
import pytest
import tiny_model

from carla_unet_ros.labels import carla_13
from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.training.labelling.boxes import Box
from carla_unet_ros.training.labelling.frames import NamedFrame
from carla_unet_ros.training.recipes.boxes_found import BoxesFound, count_boxes

SKY, VEHICLE, PERSON, ROAD = carla_13().ids(["None/Unlabeled", "Vehicles", "Pedestrians", "Roads"])
LEFT, RIGHT = (0.25, 0.5, 0.5, 1.0), (0.75, 0.5, 0.5, 1.0)

Count = Callable[[np.ndarray, list[Box]], BoxesFound]


@pytest.fixture(scope="module")
def count(tmp_path_factory: pytest.TempPathFactory) -> Count:
    """Counts boxes in a frame that a model labels just so, and in one that cannot be read."""
    model = tiny_model.write(tmp_path_factory.mktemp("model") / "tiny.onnx")
    segmenter = Segmenter(model, "openvino")

    def count(labels: np.ndarray, boxes: list[Box]) -> BoxesFound:
        frame = np.ascontiguousarray(tiny_model.painted(labels)[..., :3])
        frames = [NamedFrame("one", frame), NamedFrame("torn", None, "cannot be read")]
        return count_boxes(segmenter, frames, {"one": boxes})

    return count


def half_labelled(share: float, around: int = ROAD) -> np.ndarray:
    """40 x 80: of the left half the upper `share` is vehicle, of the right half person."""
    labels = np.full((40, 80), around, np.uint8)
    rows = round(40 * share)
    labels[:rows, :40], labels[:rows, 40:] = VEHICLE, PERSON
    return labels


@pytest.mark.parametrize(("share", "cars", "people"), [(0.4, 1, 1), (0.3, 0, 1), (0.1, 0, 0)])
def test_a_car_asks_for_two_fifths_of_its_box_a_person_for_one(
    count: Count, share: float, cars: int, people: int
) -> None:
    found = count(half_labelled(share), [Box("car", *LEFT), Box("person", *RIGHT)])
    assert found.share(False, "car") == (cars, 1)
    assert found.share(False, "person") == (people, 1)
    assert found.share(False) == ((cars + people) / 2, 2)


def test_a_rider_may_be_person_or_vehicle_but_a_person_no_vehicle(count: Count) -> None:
    found = count(half_labelled(1), [Box("bike", *LEFT), Box("person", *LEFT)])
    assert found.share(False, "bike") == (1, 1)
    assert found.share(False, "person") == (0, 1)


def test_dark_frames_have_their_own_count(count: Count) -> None:
    """The palette's sky is black."""
    found = count(half_labelled(0.4, around=SKY), [Box("car", *LEFT)])
    assert found.share(True, "car") == (1, 1)
    assert found.share(False, "car")[1] == 0


def test_tiny_boxes_and_signs_are_not_counted(count: Count) -> None:
    boxes = [Box("car", 0.5, 0.5, 0.03, 0.03), Box("traffic_sign", *LEFT)]
    assert count(half_labelled(1), boxes).share(False)[1] == 0
