# SPDX-License-Identifier: Apache-2.0
"""Checks the QoS overrides that a node was given, before it makes publishers and subscriptions.

    qos_overrides.<topic>.<publisher or subscription>.<policy>

Some are used only when somebody subscribes, and rclpy raises an error then.
"""

from rclpy.node import Node
from rclpy.qos import HistoryPolicy, ReliabilityPolicy

from carla_unet_ros.errors import InputError
from carla_unet_ros.ros.rclpy_private import given_parameters

_CHOICES = {
    policy: [member.name.lower() for member in kind if member.name != "UNKNOWN"]
    for policy, kind in (("reliability", ReliabilityPolicy), ("history", HistoryPolicy))
}


def check_qos_overrides(node: Node) -> None:
    """ValueError, with what was expected, for a reliability, history or depth that is none."""
    for name, value in given_parameters(node).items():
        policy = name.rpartition(".")[2]
        if not name.startswith("qos_overrides."):
            continue
        if policy in _CHOICES and value not in _CHOICES[policy]:
            raise InputError(f"{name} is {value!r}; expected one of {', '.join(_CHOICES[policy])}")
        if policy == "depth" and (type(value) is not int or value < 0):
            raise InputError(f"{name} is {value!r}; expected a number of messages")
