"""A node's parameters as launch arguments: each is described once, in the node's own table.

An argument left empty says nothing, so `params_file` can; one that is given is checked here,
before any process starts. No launch is imported: it comes with a ROS installation alone.
"""

from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from carla_unet_ros.ros.parameters import NodeParameter, ParameterTable, Value

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def description(parameter: NodeParameter[Any]) -> str:
    """What `ros2 launch --show-args` says of a parameter."""
    text = parameter.description
    if parameter.choices:
        text += f"; one of {', '.join(parameter.choices)}"
    if parameter.range is not None:
        text += f"; {_bounds(parameter.range)}"
    return f"{text}. Left empty: as in params_file, else {_shown(parameter.default)}"


def given(table: type[ParameterTable], texts: Mapping[str, str]) -> dict[str, Value]:
    """The parameters whose arguments are not empty, typed as the node declares them.

    texts: arguments by name; those that no parameter has are left alone
    Raises ValueError with a sentence for a value the node would refuse.
    """
    values: dict[str, Value] = {}
    for parameter in table.rows():
        text = texts.get(parameter.name, "").strip()
        if text:
            values[parameter.name] = _value(parameter, text)
    return values


def node(
    name: str, table: type[ParameterTable], texts: Mapping[str, str], **fixed: Value
) -> dict[str, Any]:
    """Keywords of launch_ros's Node for <name>_node of this package.

    texts: arguments by name; params_file is one of them, or left out
    fixed: parameters that rule over it, but not over arguments
    Raises ValueError as `given` does, and for a params_file that is not there.
    """
    files = []
    if texts.get("params_file"):
        path = Path(texts["params_file"]).expanduser()
        if not path.is_file():
            raise ValueError(f"params_file {path} is no file; expected a YAML file of parameters")
        files.append(str(path))
    return {
        "package": "carla_unet_ros",
        "executable": f"{name}_node",
        "name": name,
        # Not left out: launch would write the parameters for any node, and a file's section for
        # this node would rule over them.
        "namespace": texts.get("namespace", ""),
        "parameters": [*files, fixed | given(table, texts)],
        "output": "screen",
    }


def name_topics_after_car(arguments: MutableMapping[str, str]) -> None:
    """Where `role_name` is given: the topics and the frame of that car, for all that is empty."""
    role = arguments.get("role_name")
    if not role:
        return
    camera = f"/carla/{role}/rgb_front"
    of_this_car = {
        "image_topics": f"{camera}/image",
        "image_topic": f"{camera}/image",
        "labels_topic": f"{camera}/segmentation/labels",
        "truth_topic": f"/carla/{role}/semantic_segmentation_front/image",
        "camera": camera,
        "vehicle_frame": role,
    }
    for name, value in of_this_car.items():
        arguments[name] = arguments.get(name) or value


def boolean(name: str, text: str) -> bool:
    """ValueError with a sentence for anything but true and false, in any case, 1 and 0."""
    try:
        return _BOOLEANS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"{name} is {text!r}; expected true or false") from None


def _value(parameter: NodeParameter[Any], text: str) -> Value:
    value = _typed(parameter, text)
    problem = parameter.problem(value)
    if problem is None and parameter.range is not None:
        assert isinstance(value, int | float)
        least, most = parameter.range
        if not least <= value <= most:
            problem = f"{parameter.name} is {text}; expected {_bounds(parameter.range)}"
    if problem:
        raise ValueError(problem)
    return value


def _typed(parameter: NodeParameter[Any], text: str) -> Value:
    default = parameter.default
    if isinstance(default, bool):
        return boolean(parameter.name, text)
    if isinstance(default, list):
        entries = text.removeprefix("[").removesuffix("]").split(",")
        return [entry.strip().strip("'\"") for entry in entries]
    if isinstance(default, str):
        return text
    try:
        return int(text) if isinstance(default, int) else float(text)
    except ValueError:
        kind = "a whole number" if isinstance(default, int) else "a number"
        raise ValueError(f"{parameter.name} is {text!r}; expected {kind}") from None


def _bounds(bounds: tuple[float, float]) -> str:
    least, most = (f"{bound:g}" if isinstance(bound, float) else str(bound) for bound in bounds)
    return f"{least} to {most}"


def _shown(default: Value) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return repr(default) if isinstance(default, str | list) else f"{default:g}"
