# SPDX-License-Identifier: Apache-2.0
"""Keeps a node running when one of its callbacks raises an error that nobody expected.

    /diagnostics   "<node>: unexpected errors", once a second from the first error on

One message must not end a node that a vehicle relies on. Such an error is a mistake in a program,
so it stays an ERROR in /diagnostics until the node is started again.
"""

import time
import traceback

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.publisher import Publisher

from carla_unet_ros.ros.diagnostics import ERROR, shorten, status

_SECONDS_BETWEEN_TRACEBACKS = 5.0
_LONGEST_TRACEBACK = 10_000


class CallbackGuard:
    """Logs, counts and reports the unexpected errors of a node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._count = 0
        self._last = ""
        self._last_at = 0.0
        self._logged_at = -_SECONDS_BETWEEN_TRACEBACKS
        self._diagnostics: Publisher | None = None

    def report(self, error: Exception) -> None:
        """Takes an error that a callback raised."""
        now = time.monotonic()
        self._count += 1
        self._last = shorten(f"{type(error).__name__}: {error}")
        self._last_at = now
        # Not rclpy's throttle: it counts by the line of code, and costs the traceback every time.
        if now - self._logged_at >= _SECONDS_BETWEEN_TRACEBACKS:
            self._logged_at = now
            trace = shorten("".join(traceback.format_exception(error)), _LONGEST_TRACEBACK)
            count = f"{self._count} so far"
            self._node.get_logger().error(
                f"unexpected error in a callback ({count}); the node goes on:\n{trace}"
            )
        if self._diagnostics is None:
            self._begin_to_publish()

    def _begin_to_publish(self) -> None:
        self._diagnostics = self._node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._node.create_timer(1.0, self._publish, clock=steady)

    def _publish(self) -> None:
        assert self._diagnostics is not None
        seconds = time.monotonic() - self._last_at
        found = status(
            f"{self._node.get_fully_qualified_name()}: unexpected errors",
            ERROR,
            f"unexpected errors: {self._count}, the last {seconds:.0f} s ago: {self._last}; the "
            "log has the traceback: please report it",
            {"errors": str(self._count), "last error": self._last},
        )
        message = DiagnosticArray(status=[found])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._diagnostics.publish(message)
