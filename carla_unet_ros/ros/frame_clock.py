# SPDX-License-Identifier: Apache-2.0
"""Computes the age of a frame in the time of its stamp: simulation time with `use_sim_time`.

A node's own clock stands still while a callback runs, and the callbacks here run as long as the
engine does. FrameClock therefore takes the newest /clock message whenever it is asked.
"""

import math
import time

from builtin_interfaces.msg import Time
from rclpy.clock import ROSClock
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rosgraph_msgs.msg import Clock

from carla_unet_ros.ros.clock_messages import is_time
from carla_unet_ros.ros.rclpy_private import take

# A difference outside this range is no age: stamp and clock are in different times.
_LEAST_MS, _MOST_MS = -1000.0, 3_600_000.0


class FrameClock:
    """The node's clock, read from the newest /clock message that the middleware holds."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._clock_messages: Subscription | None = None
        self._simulated: int | None = None

    def age_ms(self, stamp: Time) -> float:
        """Milliseconds from the stamp to now, at least 0; NaN if the two cannot be compared.

        They cannot if frames carry simulation time and use_sim_time is false, or vice versa, or
        if no /clock message has arrived.
        """
        age = (self.nanoseconds() - (stamp.sec * 10**9 + stamp.nanosec)) / 1e6
        # A frame may overtake the /clock message of its own tick.
        return max(age, 0.0) if _LEAST_MS < age < _MOST_MS else math.nan

    def nanoseconds(self) -> int:
        clock = self._node.get_clock()
        if not (isinstance(clock, ROSClock) and clock.ros_time_is_active):
            return time.time_ns()
        if self._clock_messages is None:
            self._clock_messages = self._node.create_subscription(
                Clock,
                "/clock",
                self._on_clock,
                QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT),
            )
        if taken := take(self._clock_messages):
            self._on_clock(taken[0])
        if self._simulated is None:
            return clock.now().nanoseconds
        return self._simulated

    def _on_clock(self, message: Clock) -> None:
        if is_time(message):
            self._simulated = message.clock.sec * 10**9 + message.clock.nanosec
