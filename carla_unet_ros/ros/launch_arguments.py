# SPDX-License-Identifier: Apache-2.0
"""Derives launch arguments from a node's parameters, so that launch files need not declare them.

Every parameter of a node is a launch argument. An empty argument sets nothing; the parameter then
comes from `params_file` or is the node's default. Other arguments are checked here, before any
process starts. This module does not import launch, which comes only with a ROS installation.
"""

import math
from collections.abc import Mapping, MutableMapping
from typing import Any

from carla_unet_ros.errors import InputError, expand_home
from carla_unet_ros.labels.legend import labels_to_publish
from carla_unet_ros.model_file import SHIPPED_MODEL, read_model
from carla_unet_ros.ros.parameters import NodeParameter, ParameterTable, Value

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def describe_parameter(parameter: NodeParameter[Any]) -> str:
    """The text that `ros2 launch --show-args` prints for a parameter."""
    text = parameter.description
    if parameter.choices:
        text += f"; one of {', '.join(parameter.choices)}"
    if parameter.range is not None:
        text += f"; {_bounds(parameter.range)}"
    return f"{text}. Left empty: as in params_file, else {_shown(parameter.default)}"


def parse_arguments(table: type[ParameterTable], texts: Mapping[str, str]) -> dict[str, Value]:
    """The parameters whose arguments are not empty, in the types that the node declares.

    texts: the arguments by name; those of no parameter are ignored

    Raises ValueError, with what was expected, for a value that the node would reject.
    """
    values: dict[str, Value] = {}
    for parameter in table.rows():
        text = texts.get(parameter.name, "").strip()
        if text:
            values[parameter.name] = _value(parameter, text)
    return values


def configure_node(
    name: str, table: type[ParameterTable], texts: Mapping[str, str], **fixed: Value
) -> dict[str, Any]:
    """The keyword arguments of launch_ros's Node that start <name>_node of this package.

    texts: the arguments by name; params_file may be one of them
    fixed: parameters that override params_file; arguments override them

    Raises ValueError as `parse_arguments` does, and if params_file does not exist.
    """
    files = []
    if texts.get("params_file"):
        files.append(find_params_file(texts["params_file"]))
    return {
        "package": "carla_unet_ros",
        "executable": f"{name}_node",
        "name": name,
        # Needed even if empty: without a namespace, launch writes the parameters for any node, and
        # a section of params_file for this node would override them.
        "namespace": texts.get("namespace", ""),
        "parameters": [*files, fixed | parse_arguments(table, texts)],
        "output": "screen",
    }


def find_params_file(text: str) -> str:
    """The path of a YAML file of parameters. ValueError where there is none."""
    path = expand_home(text)
    if not path.is_file():
        raise InputError(f"params_file {path} is no file; expected a YAML file of parameters")
    return str(path)


def name_topics_after_car(arguments: MutableMapping[str, str]) -> None:
    """Fills empty topics and frames with those of the car `role_name`, if one is given."""
    role = arguments.get("role_name")
    if not role:
        return
    camera = f"/carla/{role}/rgb_front"
    of_this_car = {
        "image_topics": f"{camera}/image",
        "image_topic": f"{camera}/image",
        "labels_topic": f"{camera}/segmentation/labels",
        "truth_topic": f"/carla/{role}/semantic_segmentation_front/image",
        "depth_topic": f"/carla/{role}/depth_front/image",
        "camera": camera,
        "odometry_topic": f"/carla/{role}/odometry",
        "vehicle_frame": role,
    }
    for name, value in of_this_car.items():
        arguments[name] = arguments.get(name) or value


def check_classes(
    table: type[ParameterTable], parameter: NodeParameter[Any], texts: Mapping[str, str]
) -> None:
    """ValueError where classes are named that segmentation_node will not publish.

    table, parameter: whose argument names the classes; nothing is checked where it is empty
    texts:            the arguments by name; model and output_tags say which classes there are
    """
    names = parse_arguments(table, texts).get(parameter.name)
    if not isinstance(names, list):
        return
    model = read_model(texts.get("model") or SHIPPED_MODEL)
    labels = labels_to_publish(model.label_set, texts.get("output_tags", ""))
    try:
        labels.ids(names)
    except ValueError as error:
        raise InputError(f"{parameter.name}: {error}") from error


def parse_boolean(name: str, text: str) -> bool:
    """Parses true, false, 1 or 0 in any case. Raises ValueError for any other text."""
    try:
        return _BOOLEANS[text.strip().lower()]
    except KeyError:
        raise InputError(f"{name} is {text!r}; expected true or false") from None


def parse_number(name: str, text: str) -> float:
    """Parses a number above 0. Raises ValueError for any other text."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise InputError(f"{name} is {text!r}; expected a number above 0")
    return value


def _value(parameter: NodeParameter[Any], text: str) -> Value:
    value = _typed(parameter, text)
    problem = parameter.problem(value)
    if problem is None and parameter.range is not None:
        assert isinstance(value, int | float)
        least, most = parameter.range
        if not least <= value <= most:
            problem = f"{parameter.name} is {text}; expected {_bounds(parameter.range)}"
    if problem:
        raise InputError(problem)
    return value


def _typed(parameter: NodeParameter[Any], text: str) -> Value:
    default = parameter.default
    if isinstance(default, bool):
        return parse_boolean(parameter.name, text)
    if isinstance(default, list):
        entries = text.removeprefix("[").removesuffix("]").split(",")
        return [entry.strip().strip("'\"") for entry in entries]
    if isinstance(default, str):
        return text
    try:
        return int(text) if isinstance(default, int) else float(text)
    except ValueError:
        kind = "a whole number" if isinstance(default, int) else "a number"
        raise InputError(f"{parameter.name} is {text!r}; expected {kind}") from None


def _bounds(bounds: tuple[float, float]) -> str:
    least, most = (f"{bound:g}" if isinstance(bound, float) else str(bound) for bound in bounds)
    return f"{least} to {most}"


def _shown(default: Value) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return repr(default) if isinstance(default, str | list) else f"{default:g}"
