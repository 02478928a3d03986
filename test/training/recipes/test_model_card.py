# SPDX-License-Identifier: Apache-2.0
"""The card's tables hold what was measured, and the shipped card is filled in and short."""

from collections import Counter

import numpy as np
import pytest

from carla_unet_ros.errors import InputError
from carla_unet_ros.evaluation.confusion_matrix import ConfusionMatrix
from carla_unet_ros.labels import carla_13
from carla_unet_ros.model_file import SHIPPED_MODEL
from carla_unet_ros.training.evaluate import Evaluation
from carla_unet_ros.training.recipes.boxes_found import BoxesFound
from carla_unet_ros.training.recipes.model_card import (
    Place,
    fill_card,
    table_of_boxes,
    table_of_classes,
    table_of_places,
)

PLACE = Place("town", "0.9.13", "a town")


def evaluation(right: int, wrong: int) -> Evaluation:
    """`right` road pixels called road, `wrong` called sidewalk, in one frame."""
    matrix = ConfusionMatrix(13)
    prediction = np.array([[7] * right + [8] * wrong], np.uint8)
    matrix.add(np.full_like(prediction, 7), prediction)
    return Evaluation(carla_13(), matrix, [0.01])


def test_a_place_has_its_figures_in_its_row() -> None:
    table = table_of_places([PLACE], [evaluation(3, 1)])
    # Road: 3 of 4 found, none else called road. Sidewalk is not there, so it has no IoU.
    assert table.splitlines()[-1] == "| town: a town | 1 | 0.750 | 0.750 |"


def test_a_class_that_a_place_lacks_is_a_dash() -> None:
    rows = table_of_classes(carla_13(), [PLACE], [evaluation(3, 1)]).splitlines()
    assert rows[0] == "| IoU | town |"
    assert "| Roads | 0.75 |" in rows
    assert "| Walls | - |" in rows
    assert len(rows) == 2 + 13


def test_boxes_by_day_and_in_the_dark_have_a_row_each() -> None:
    found = BoxesFound(
        Counter({("car", False): 4, ("person", True): 2}), Counter({("car", False): 3})
    )
    rows = table_of_boxes(found).splitlines()
    assert rows[0] == "| boxes found | all | car | truck | person | bike | motorbike |"
    assert rows[2] == "| by day | 0.75 of 4 | 0.75 of 4 | - | - | - | - |"
    assert rows[3] == "| in the dark | 0.00 of 2 | - | - | 0.00 of 2 | - | - |"


def test_a_name_without_a_value_is_told() -> None:
    assert fill_card("it is $what", {"what": "good"}) == "it is good"
    with pytest.raises(InputError, match="what"):
        fill_card("it is $what", {})


def test_the_shipped_card_is_filled_in_and_short() -> None:
    lines = SHIPPED_MODEL.with_suffix(".md").read_text().splitlines()
    assert len(lines) <= 80
    assert not any("$" in line for line in lines)
