# SPDX-License-Identifier: Apache-2.0
"""Leaves out /clock messages that are no time: rclpy raises an error at negative seconds.

A simulator that starts, or a bag that is played with a wrong offset, may send some. The node keeps
the last good time, and says so in its log.
"""

from rclpy.node import Node
from rosgraph_msgs.msg import Clock

from carla_unet_ros.ros.rclpy_private import filter_clock

_SECONDS_BETWEEN_WARNINGS = 5.0


def is_time(message: Clock) -> bool:
    """Whether rclpy can represent the time of a /clock message."""
    return message.clock.sec >= 0


def leave_out_negative_time(node: Node) -> None:
    """Has the node's clock take only those /clock messages that are a time."""

    def accept(message: Clock) -> bool:
        if not is_time(message):
            node.get_logger().warning(
                f"/clock says {message.clock.sec} s; expected 0 or more: it is left out",
                throttle_duration_sec=_SECONDS_BETWEEN_WARNINGS,
            )
        return is_time(message)

    filter_clock(node, accept)
