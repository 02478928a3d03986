# SPDX-License-Identifier: Apache-2.0
"""A node of this process that receives for a while, and what others use in that time."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from benchmarks.processes import usage


def stamp_of(message: Any) -> int:
    """The stamp in nanoseconds of a message with a header."""
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


class Listener:
    """A node that takes messages in `spin` alone; `close` ends it."""

    def __init__(self, name: str) -> None:
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        self.node = Node(name)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)

    def spin(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not until():
            self._executor.spin_once(min(left, 0.1))

    def watch(self, seconds: float, pids: Sequence[int] = ()) -> tuple[float, list[float]]:
        """Spins; returns the seconds that took, and of each process the share of one core."""
        start, before = time.monotonic(), [usage(pid)[0] for pid in pids]
        self.spin(seconds)
        took = time.monotonic() - start
        used = [usage(pid)[0] - was for pid, was in zip(pids, before, strict=True)]
        return took, [each / took for each in used]

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown()
