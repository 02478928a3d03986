# SPDX-License-Identifier: Apache-2.0
"""The legend of published ids, as JSON and as LabelInfo, and the tags of other CARLA versions."""

import json
import subprocess
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from carla_unet_ros.labels import LabelClass, LabelSet, carla_13
from carla_unet_ros.labels.label_info import label_info, label_info_type
from carla_unet_ros.labels.legend import Legend, labels_to_publish

ROADS_8, VEHICLES_8 = 7, 10
ROADS_15, CAR_15 = 1, 14


def legend(output_tags: str = "", min_confidence: float = 0.0) -> Legend:
    labels = labels_to_publish(carla_13(), output_tags)
    return Legend(labels, carla_13(), "tiny", "OpenVINO", min_confidence)


def test_the_legend_names_ids_names_colours_model_and_engine() -> None:
    data = json.loads(legend().to_json())
    assert data["classes"][ROADS_8] == {"id": 7, "name": "Roads", "rgb": [128, 64, 128]}
    assert data["model"] == "tiny"
    assert data["engine"] == "OpenVINO"
    assert Legend.from_json(legend().to_json()) == legend()


def test_a_legend_names_no_unknown_class_where_every_pixel_has_its_class() -> None:
    assert not {"unknown", "min_confidence"} & json.loads(legend().to_json()).keys()


def test_a_legend_names_the_class_of_pixels_that_are_too_uncertain() -> None:
    uncertain = legend(min_confidence=0.6)
    data = json.loads(uncertain.to_json())
    assert data["unknown"] == {"id": 255, "name": "Unknown", "rgb": [255, 255, 255]}
    assert data["min_confidence"] == 0.6
    assert Legend.from_json(uncertain.to_json()) == uncertain


def test_a_reader_of_label_sets_understands_a_legend_with_an_unknown_class() -> None:
    assert LabelSet.from_json(legend(min_confidence=0.6).to_json()) == carla_13()


@pytest.mark.parametrize("least", [-0.1, 1.1, float("nan")])
def test_a_min_confidence_outside_0_to_1_is_refused(least: float) -> None:
    with pytest.raises(ValueError, match=r"min_confidence is .*; expected 0 to 1"):
        legend(min_confidence=least)


def test_the_models_own_ids_are_published_as_they_are() -> None:
    ids = np.array([[ROADS_8, VEHICLES_8]], np.uint8)
    assert legend().to_published(ids) is ids


def test_output_tags_publish_the_ids_of_that_version() -> None:
    of_0_9_15 = legend("0.9.15")
    ids = np.array([[ROADS_8, VEHICLES_8]], np.uint8)
    assert of_0_9_15.to_published(ids).tolist() == [[ROADS_15, CAR_15]]
    assert json.loads(of_0_9_15.to_json())["classes"][ROADS_15]["name"] == "Roads"


def test_output_tags_without_a_tag_for_a_class_are_refused() -> None:
    classes = LabelClass(0, "Roads", (0, 0, 0)), LabelClass(1, "Cats", (1, 1, 1))
    odd = LabelSet("odd", "none", classes)
    with pytest.raises(ValueError, match=r"CARLA 0\.9\.14-0\.9\.16 has no tag .* classes Cats;"):
        labels_to_publish(odd, "0.9.15")


def test_output_tags_of_an_unknown_version_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no tag table for CARLA '7\.1'"):
        labels_to_publish(carla_13(), "7.1")


@pytest.mark.parametrize("text", ["", "{}", '{"classes": []}', carla_13().to_json()])
def test_a_text_that_is_no_legend_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no JSON|label set|has the ids|legend lacks"):
        Legend.from_json(text)


def test_a_text_whose_min_confidence_is_no_number_is_refused() -> None:
    text = legend(min_confidence=0.6).to_json().replace("0.6", '"high"')
    with pytest.raises(ValueError, match="min_confidence is 'high'; expected a number"):
        Legend.from_json(text)


class VisionClass:
    """The fields of vision_msgs/VisionClass 4.x: uint16 class_id, string class_name."""

    __slots__ = ("class_id", "class_name")

    def __init__(self, class_id: int = 0, class_name: str = "") -> None:
        assert 0 <= class_id <= 65535
        self.class_id = class_id
        self.class_name = class_name


class LabelInfo:
    """The fields of vision_msgs/LabelInfo 4.x: header, class_map, float32 threshold."""

    __slots__ = ("class_map", "header", "threshold")

    def __init__(self) -> None:
        self.header = Header()
        self.class_map: list[VisionClass] = []
        self.threshold = 0.0


@pytest.fixture
def vision_msgs(monkeypatch: pytest.MonkeyPatch) -> None:
    messages: Any = ModuleType("vision_msgs.msg")
    messages.LabelInfo, messages.VisionClass = LabelInfo, VisionClass
    monkeypatch.setitem(sys.modules, "vision_msgs", ModuleType("vision_msgs"))
    monkeypatch.setitem(sys.modules, "vision_msgs.msg", messages)


@pytest.mark.usefixtures("vision_msgs")
def test_label_info_lists_every_class() -> None:
    message = label_info(legend(), Time(sec=3))
    assert [entry.class_id for entry in message.class_map] == list(range(13))
    assert message.class_map[ROADS_8].class_name == "Roads"
    assert message.threshold == 0.0
    assert message.header.stamp.sec == 3
    assert label_info_type() is LabelInfo


@pytest.mark.usefixtures("vision_msgs")
def test_label_info_ends_with_the_unknown_class_and_says_its_threshold() -> None:
    message = label_info(legend("0.9.15", min_confidence=0.6), Time())
    assert message.class_map[ROADS_15].class_name == "Roads"
    assert (message.class_map[-1].class_id, message.class_map[-1].class_name) == (255, "Unknown")
    assert len(message.class_map) == 29 + 1
    assert message.threshold == 0.6


def test_without_vision_msgs_there_is_no_label_info(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vision_msgs.msg", None)
    assert label_info_type() is None


def test_label_sets_and_legends_need_no_ros() -> None:
    code = """
import sys
for name in ("rclpy", "builtin_interfaces", "std_msgs", "vision_msgs"):
    sys.modules[name] = None
from carla_unet_ros.labels import carla_13, label_info, legend, overlay
print(label_info.label_info_type())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"
