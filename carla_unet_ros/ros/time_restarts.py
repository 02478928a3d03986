# SPDX-License-Identifier: Apache-2.0
"""Tells when simulation time starts again, as it does when the simulator loads a world.

What a node remembers of the old time is then wrong: TF, for one, refuses transforms that are older
than those it has, so a camera that was moved would be noticed only when the new time has passed
the old one.
"""

from collections.abc import Callable

from builtin_interfaces.msg import Time
from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node

_ANY = Duration(nanoseconds=-1)


class TimeRestarts:
    """Watches the node's clock, and the stamps that it is shown, for a step back."""

    def __init__(self, node: Node, start_over: Callable[[], None]) -> None:
        """start_over: called at each step back; it drops what is of the old time"""
        self._node = node
        self._start_over = start_over
        self._last: dict[str, int] = {}
        threshold = JumpThreshold(min_forward=None, min_backward=_ANY, on_clock_change=False)
        # Kept: the callback lives as long as its handle.
        self._watch = node.get_clock().create_jump_callback(
            threshold, post_callback=lambda _: self._restart("clock")
        )

    def look_at(self, stamp: Time, stream: str = "stamps") -> None:
        """stream: which messages the stamp is of; those of one stream come in their order"""
        nanoseconds = stamp.sec * 10**9 + stamp.nanosec
        if nanoseconds < self._last.get(stream, nanoseconds):
            self._restart(stream)
        self._last[stream] = nanoseconds

    def _restart(self, what: str) -> None:
        if what == "clock":  # the stamps that come are of the new time
            self._last.clear()
        self._node.get_logger().info(f"time starts again (seen by the {what})")
        self._start_over()
