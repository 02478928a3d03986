# SPDX-License-Identifier: Apache-2.0
"""Refuses requests to set parameters that rclpy cannot read, with a sentence.

rclpy raises an error at a value of a type that it does not know, and whoever asked then waits for
an answer for ever.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.node import Node
from rclpy.parameter import Parameter

from carla_unet_ros.ros.diagnostics import shorten

_KNOWN_TYPES = frozenset(kind.value for kind in Parameter.Type)


def refuse_unreadable_requests(node: Node) -> None:
    """Has the node's parameter services refuse, as a whole, what rclpy cannot read."""
    for service in node.services:
        if service.srv_type in (SetParameters, SetParametersAtomically):
            service.callback = partial(_answer, service.callback)


def _answer(answer: Callable[[Any, Any], Any], request: Any, response: Any) -> Any:
    problem = next(filter(None, map(_problem, request.parameters)), "")
    if not problem:
        return answer(request, response)
    refused = SetParametersResult(successful=False, reason=problem)
    if isinstance(response, SetParameters.Response):
        response.results = [refused] * len(request.parameters)
    else:
        response.result = refused
    return response


def _problem(parameter: ParameterMessage) -> str:
    if parameter.value.type in _KNOWN_TYPES:
        return ""
    return (
        f"{shorten(parameter.name)} has a value of type {parameter.value.type}, which "
        "rcl_interfaces/ParameterType does not know; nothing was set"
    )
