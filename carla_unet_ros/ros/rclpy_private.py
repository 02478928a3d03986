# SPDX-License-Identifier: Apache-2.0
"""Wraps the private names of rclpy that this package uses; no other module uses any.

If a release of rclpy has dropped one of them, the import of this module fails and names it.
"""

import operator
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
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


class GuardedExecutor(SingleThreadedExecutor):
    """Runs callbacks in the thread that spins, and goes on after one that raises an error.

    on_error: gets what was raised, but for the end of the context
    """

    def __init__(self, on_error: Callable[[Exception], None]) -> None:
        super().__init__()
        self._on_error = on_error

    def spin_once(self, timeout_sec: float | None = None) -> None:
        try:
            super().spin_once(timeout_sec)
        except ExternalShutdownException:
            raise
        except Exception as error:
            self._on_error(error)

    # A message that cannot even be taken: rclpy would consider its callback group busy for ever.
    def _take_subscription(self, sub: Any) -> Any:
        return self._taken(super()._take_subscription, sub)

    def _take_service(self, srv: Any) -> Any:
        return self._taken(super()._take_service, srv)

    def _taken(self, take_from: Callable[[Any], Any], entity: Any) -> Any:
        try:
            return take_from(entity)
        except Exception as error:
            self._on_error(error)
            return None


def filter_clock(node: Node, accept: Callable[[Any], bool]) -> None:
    """Has a node's clock take only those /clock messages for which `accept` returns True.

    Also when `use_sim_time` is set later.
    """
    source: Any = node._time_source
    take_time = source.clock_callback

    def on_clock(message: Any) -> None:
        if accept(message):
            take_time(message)

    source.clock_callback = on_clock
    if source._clock_sub is not None:
        source._clock_sub.callback = on_clock


def given_parameters(node: Node) -> dict[str, Any]:
    """The parameters that were given at the start, declared or not, by name."""
    return {name: parameter.value for name, parameter in node._parameter_overrides.items()}


def keep_participant(node: Node) -> AbstractContextManager[None]:
    """Context manager inside which a destroyed node keeps its DDS participant."""
    return node.handle
