# SPDX-License-Identifier: Apache-2.0
"""What a test asks a node by services: parameters, and the segmentation node its state."""

from typing import Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.parameter import Parameter, parameter_value_to_python
from ros_bench import RosBench


def state(bench: RosBench) -> str:
    answer = bench.call(GetState, "/segmentation/get_state", GetState.Request())
    return answer.current_state.label


def change(bench: RosBench, transition: int) -> bool:
    before = state(bench)
    request = ChangeState.Request(transition=Transition(id=transition))
    answer = bench.call_once(ChangeState, "/segmentation/change_state", request)
    return answer.success if answer else state(bench) != before


def set_parameter(bench: RosBench, name: str, value: object) -> str:
    """Sets a parameter; gives the reason of a refusal, "" where it was set."""
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    result = bench.call(SetParameters, "/segmentation/set_parameters", request).results[0]
    assert result.successful is not bool(result.reason)
    return result.reason


def wait_active(bench: RosBench) -> None:
    bench.until(lambda: "ready; 1 camera" in bench.processes[-1].printed)


def parameters(bench: RosBench, node: str, *names: str) -> list[Any]:
    """The values of these parameters of a node."""
    request = GetParameters.Request(names=names)
    answer = bench.call(GetParameters, f"{node}/get_parameters", request)
    return [parameter_value_to_python(value) for value in answer.values]
