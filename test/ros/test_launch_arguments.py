# SPDX-License-Identifier: Apache-2.0
"""A node's table of parameters as launch arguments: what is described, what is passed on."""

from pathlib import Path

import pytest

from carla_unet_ros.ros.launch_arguments import (
    check_classes,
    configure_node,
    describe_parameter,
    parse_arguments,
    parse_boolean,
)
from carla_unet_ros.ros.parameters import NodeParameter, ParameterTable


def not_evening(value: str) -> None:
    if value == "evening":
        raise ValueError("it is too dark in the evening")


class Parameters(ParameterTable):
    engine = NodeParameter("auto", "what runs it", choices=("auto", "openvino"))
    opacity = NodeParameter(0.5, "how strong", range=(0.0, 1.0))
    window = NodeParameter(100, "how many", range=(1, 100000))
    autostart = NodeParameter(True, "by itself")
    topics = NodeParameter(["/a"], "which")
    weather = NodeParameter("noon", "light", check=not_evening)


def test_an_empty_argument_says_nothing() -> None:
    assert parse_arguments(Parameters, {"engine": "", "opacity": " ", "other": "x"}) == {}


def test_values_get_the_type_the_node_declares() -> None:
    texts = {"engine": "openvino", "opacity": "1", "window": "7", "autostart": "False"}
    values = parse_arguments(Parameters, texts)
    assert values == {"engine": "openvino", "opacity": 1.0, "window": 7, "autostart": False}
    assert isinstance(values["opacity"], float)


def test_a_text_that_looks_like_a_number_stays_a_text() -> None:
    assert parse_arguments(Parameters, {"weather": "0.10"}) == {"weather": "0.10"}


@pytest.mark.parametrize(
    "text",
    [
        "/front/image,/rear/image",
        "['/front/image', '/rear/image']",
        "[/front/image , /rear/image]",
    ],
)
def test_a_list_may_be_written_with_or_without_brackets_and_quotes(text: str) -> None:
    assert parse_arguments(Parameters, {"topics": text}) == {
        "topics": ["/front/image", "/rear/image"]
    }


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("engine", "cuda", "engine is 'cuda'; expected one of auto, openvino"),
        ("opacity", "1.5", "opacity is 1.5; expected 0 to 1"),
        ("opacity", "nan", "opacity is nan; expected 0 to 1"),
        ("opacity", "half", "opacity is 'half'; expected a number"),
        ("window", "100001", "window is 100001; expected 1 to 100000"),
        ("window", "7.5", "window is '7.5'; expected a whole number"),
        ("autostart", "maybe", "autostart is 'maybe'; expected true or false"),
        ("weather", "evening", "weather: it is too dark in the evening"),
    ],
)
def test_a_wrong_value_is_told_in_a_sentence(name: str, text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_arguments(Parameters, {name: text})
    assert str(error.value) == sentence


@pytest.mark.parametrize(("text", "value"), [("true", True), ("True", True), ("0", False)])
def test_booleans_are_understood_as_launch_files_write_them(text: str, value: bool) -> None:
    assert parse_boolean("grid", text) is value


def test_the_description_tells_what_is_allowed_and_the_default() -> None:
    assert [describe_parameter(parameter) for parameter in Parameters.rows()[:3]] == [
        "what runs it; one of auto, openvino. Left empty: as in params_file, else 'auto'",
        "how strong; 0 to 1. Left empty: as in params_file, else 0.5",
        "how many; 1 to 100000. Left empty: as in params_file, else 100",
    ]


def test_arguments_rule_over_fixed_values_and_both_over_the_file(tmp_path: Path) -> None:
    params_file = tmp_path / "params.yaml"
    params_file.touch()
    texts = {"params_file": str(params_file), "namespace": "/car", "window": "7"}
    keywords = configure_node("camera", Parameters, texts, window=9, use_sim_time=True)
    assert keywords["parameters"] == [str(params_file), {"window": 7, "use_sim_time": True}]
    assert (keywords["executable"], keywords["name"]) == ("camera_node", "camera")
    assert keywords["namespace"] == "/car"


def test_a_params_file_that_is_not_there_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no file; expected a YAML file of parameters"):
        configure_node("camera", Parameters, {"params_file": str(tmp_path / "none.yaml")})


class GroundParameters(ParameterTable):
    drivable_classes = NodeParameter(["Roads"], "which")


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        ({}, ""),
        ({"drivable_classes": "Roads,RoadLines"}, ""),
        (
            {"drivable_classes": "Roads,Road"},
            "drivable_classes: label set 'carla-13' has no class 'Road'; it has None/Unlabeled",
        ),
        ({"drivable_classes": "Car", "output_tags": "0.9.15"}, ""),
        (
            {"drivable_classes": "Vehicles", "output_tags": "0.9.15"},
            "label set 'carla 0.9.14-0.9.16' has no class 'Vehicles'",
        ),
        ({"drivable_classes": "Roads", "model": "/none.onnx"}, "/none.onnx"),
    ],
)
def test_classes_are_those_of_the_labels_that_will_be_published(
    texts: dict[str, str], sentence: str
) -> None:
    if not sentence:
        check_classes(GroundParameters, GroundParameters.drivable_classes, texts)
        return
    with pytest.raises(ValueError) as error:
        check_classes(GroundParameters, GroundParameters.drivable_classes, texts)
    assert sentence in str(error.value)


def test_without_a_params_file_there_are_the_arguments_alone() -> None:
    assert configure_node("camera", Parameters, {})["parameters"] == [{}]
