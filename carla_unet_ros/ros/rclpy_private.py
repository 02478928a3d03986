# SPDX-License-Identifier: Apache-2.0
"""Wraps the private names of rclpy that this package uses; no other module uses any.

If a release of rclpy has dropped one of them, the import of this module fails and names it.
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
    """Raises ImportError, with the reason, if rclpy's C++ part lacks a name used here."""
    try:
        operator.attrgetter(*_NAMES)(implementation)
    except AttributeError as error:
        raise ImportError(
            f"rclpy is not as in ROS 2 Jazzy: {error}; adapt carla_unet_ros/ros/rclpy_private.py"
        ) from None


check_names(rclpy_implementation)

RCLError: type[RuntimeError] = rclpy_implementation.RCLError
"""Raised by rcl for wrong ROS arguments or a transition that is not possible now."""

UnknownROSArgsError: type[RuntimeError] = rclpy_implementation.UnknownROSArgsError
"""Raised for unknown arguments after --ros-args; its text is the list of them."""


def take(subscription: Subscription) -> tuple[Any, dict[str, Any]] | None:
    """Takes a subscription's next message and its info without an executor, or None."""
    handle: Any = subscription.handle
    with handle:
        return handle.take_message(subscription.msg_type, subscription.raw)


def keep_participant(node: Node) -> AbstractContextManager[None]:
    """Context manager inside which a destroyed node keeps its DDS participant."""
    return node.handle
