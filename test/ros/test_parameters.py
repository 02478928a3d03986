# SPDX-License-Identifier: Apache-2.0
"""A node's table of parameters: what is declared, how the values are read and who may change them.

pyright checks this file too: it reports a line that is marked as an error here and is none.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from collections.abc import Iterator, Mapping

import pytest
import rclpy
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from carla_unet_ros.ros.parameters import NodeParameter, ParameterTable, declare, help_text


def not_evening(weather: str) -> None:
    if weather == "evening":
        raise ValueError("it is too dark in the evening")


class Mounting(ParameterTable):
    height = NodeParameter(2.0, "metres", range=(0.1, 100.0), live=True)


class Parameters(Mounting):
    engine = NodeParameter("auto", "what runs it", choices=("auto", "openvino"))
    window = NodeParameter(100, "how many", constant=True)
    topics = NodeParameter(["/a", "/b"], "which")
    weather = NodeParameter("noon", "light", check=not_evening, live=True)
    autostart = NodeParameter(True, "by itself")


@pytest.fixture
def node(ros_domain: int) -> Iterator[Node]:
    del ros_domain
    rclpy.init()
    node = Node("small")
    yield node
    node.destroy_node()
    rclpy.shutdown()


def change(node: Node, name: str, value: object) -> str:
    """Why a change is refused, or ""."""
    (result,) = node.set_parameters([Parameter(name, value=value)])
    return result.reason


def test_a_table_lists_its_own_parameters_before_those_it_extends() -> None:
    names = [parameter.name for parameter in Parameters.rows()]
    assert names == ["engine", "window", "topics", "weather", "autostart", "height"]
    assert Parameters.height.default == 2.0


def test_a_type_checker_knows_the_values_by_the_defaults(node: Node) -> None:
    values = declare(node, Parameters)
    engine: str = values.engine
    window: int = values.window
    height: float = values.height
    topics: list[str] = values.topics
    autostart: bool = values.autostart
    assert (engine, window, height) == ("auto", 100, 2.0)
    assert (topics, autostart) == (["/a", "/b"], True)
    wrong: int = values.engine  # pyright: ignore[reportAssignmentType]
    assert wrong == "auto"


def test_a_misspelt_parameter_is_an_error_to_a_type_checker_and_at_run_time(node: Node) -> None:
    values = declare(node, Parameters)
    with pytest.raises(AttributeError):
        _ = values.hieght  # pyright: ignore[reportAttributeAccessIssue]


def test_values_follow_every_change(node: Node) -> None:
    values = declare(node, Parameters)
    assert change(node, "height", 1.5) == ""
    assert change(node, "topics", ["/c"]) == ""
    assert (values.height, values.topics) == (1.5, ["/c"])


def test_a_value_at_the_start_rules_over_the_default(node: Node) -> None:
    del node
    overridden = Node("other", parameter_overrides=[Parameter("window", value=7)])
    assert declare(overridden, Parameters).window == 7
    overridden.destroy_node()


def test_a_wrong_value_at_the_start_is_refused(node: Node) -> None:
    del node
    overridden = Node("other", parameter_overrides=[Parameter("weather", value="evening")])
    with pytest.raises(ParameterException, match="too dark in the evening"):
        declare(overridden, Parameters)
    overridden.destroy_node()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("engine", "cuda", "engine is 'cuda'; expected one of auto, openvino"),
        ("weather", "evening", "weather: it is too dark in the evening"),
        ("engine", "openvino", "engine cannot be changed now: it is in use"),
        ("height", 1.0, ""),
        ("weather", "dawn", ""),
    ],
)
def test_a_change_is_refused_in_a_sentence(
    node: Node, name: str, value: object, sentence: str
) -> None:
    reasons: list[str] = []
    values = declare(node, Parameters, frozen=lambda: "".join(reasons))
    reasons.append("it is in use")
    before = getattr(values, name)
    assert change(node, name, value) == sentence
    assert getattr(values, name) == (before if sentence else value)


def test_ros_itself_refuses_what_is_constant_or_out_of_range(node: Node) -> None:
    values = declare(node, Parameters)
    assert "read-only" in change(node, "window", 7)
    assert "height" in change(node, "height", 0.0)
    assert (values.window, values.height) == (100, 2.0)


def test_help_names_every_parameter_with_its_default() -> None:
    lines = help_text("A small node.", Parameters).splitlines()
    assert lines[:4] == [
        "A small node.",
        "parameters:",
        "  engine (default: 'auto')",
        "      what runs it [auto, openvino]",
    ]
    assert lines[-2:] == ["  height (default: 2.0)", "      metres"]


def not_far_with(values: Mapping[str, object]) -> None:
    if values["window"] == 7 and values["engine"] == "openvino":
        raise ValueError("openvino sees no window of 7")


def test_values_that_cannot_be_used_together_are_refused(node: Node) -> None:
    values = declare(node, Parameters, check_all=not_far_with)
    assert change(node, "engine", "openvino") == ""
    both = [Parameter("weather", value="night"), Parameter("engine", value="auto")]
    assert node.set_parameters_atomically(both).successful
    assert (values.engine, values.weather) == ("auto", "night")
    at_start = [Parameter("window", value=7), Parameter("engine", value="openvino")]
    overridden = Node("other", parameter_overrides=at_start)
    with pytest.raises(ValueError, match="sees no window of 7"):
        declare(overridden, Parameters, check_all=not_far_with)
    overridden.destroy_node()


def test_a_change_that_does_not_fit_the_other_values_is_refused(node: Node) -> None:
    del node
    overridden = Node("other", parameter_overrides=[Parameter("window", value=7)])
    values = declare(overridden, Parameters, check_all=not_far_with)
    assert change(overridden, "engine", "openvino") == "openvino sees no window of 7"
    assert values.engine == "auto"
    overridden.destroy_node()
