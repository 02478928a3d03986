# SPDX-License-Identifier: Apache-2.0
"""Costs of classes, as the parameter names them."""

import pytest

from carla_unet_ros.ground.class_costs import cost_table, parse_costs
from carla_unet_ros.labels import carla_13


def test_costs_are_named_and_all_other_classes_have_one():
    table = cost_table(carla_13(), parse_costs(["Sidewalks=60", "others = 90"]), [7, 6])
    assert table.tolist() == [90, 90, 90, 90, 90, 90, 0, 0, 60, 90, 90, 90, 90]


def test_without_others_they_are_obstacles():
    assert cost_table(carla_13(), parse_costs(["None/Unlabeled=7"]), [7]).tolist()[:2] == [7, 100]


@pytest.mark.parametrize("entry", ["Sidewalks", "Sidewalks=", "=3", "Sidewalks=101", "Walls=-1"])
def test_what_is_no_cost_is_told(entry: str):
    with pytest.raises(ValueError, match="expected NAME=COST"):
        parse_costs([entry])


def test_a_class_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(ValueError, match="no class 'Street'; it has None/Unlabeled"):
        cost_table(carla_13(), {"Street": 0}, [])
