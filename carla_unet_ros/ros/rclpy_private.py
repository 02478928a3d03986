# SPDX-License-Identifier: Apache-2.0
"""What this package needs of rclpy and rclpy does not promise: no other file knows such a name.

Where a release of rclpy has dropped one of them, importing this file says which.
"""

import operator
from contextlib import AbstractContextManager
from typing import Any

from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.subscription import Subscription

_NAMES = (
    "RCLError",
    "UnknownROSArgsError",
    "Node.__enter__",
    "Node.__exit__",
    "Subscription.take_message",
)


def check_names(implementation: Any) -> None:
    """ImportError with a sentence where rclpy's C++ part lacks a name that is used here."""
    try:
        operator.attrgetter(*_NAMES)(implementation)
    except AttributeError as error:
        raise ImportError(
            f"rclpy is not as in ROS 2 Jazzy: {error}; adapt carla_unet_ros/ros/rclpy_private.py"
        ) from None


check_names(rclpy_implementation)

RCLError: type[RuntimeError] = rclpy_implementation.RCLError
"""What rcl refuses: wrong ROS arguments, a transition that is not possible now."""

UnknownROSArgsError: type[RuntimeError] = rclpy_implementation.UnknownROSArgsError
"""Its text is the list of the arguments behind --ros-args that no ROS knows."""


def take(subscription: Subscription) -> tuple[Any, dict[str, Any]] | None:
    """The next message of a subscription and its numbers, past every executor; None without."""
    handle: Any = subscription.handle
    with handle:
        return handle.take_message(subscription.msg_type, subscription.raw)


def keep_participant(node: Node) -> AbstractContextManager[None]:
    """As long as it is entered, a node that is destroyed keeps its DDS participant."""
    return node.handle
