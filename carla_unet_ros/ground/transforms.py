# SPDX-License-Identifier: Apache-2.0
"""What TF knows, where tf2_ros is installed.

tf2_ros comes with a ROS installation and not with the pip wheels, so it is imported only when it
is needed.
"""

import time
from importlib import import_module
from typing import Any

from builtin_interfaces.msg import Time as Stamp
from rclpy.node import Node
from rclpy.time import Time

_SECONDS_TO_COME = 1.0


class NoTransformError(LookupError):
    """TF has no such transform; the text says why."""


class Transforms:
    """The transforms that a node has received.

    missing: why there can be none; "" where tf2_ros is installed
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._buffer: Any = None
        self._listener: Any = None
        self._patient_until = 0.0
        self.missing = ""
        try:
            # Imported by name: a type checker would report the optional module as missing.
            self._tf: Any = import_module("tf2_ros")
        except ImportError as error:
            self.missing = f"tf2_ros cannot be imported ({error})"

    def listen(self) -> None:
        if not self.missing and self._listener is None:
            self._buffer = self._tf.Buffer()
            self._listener = self._tf.TransformListener(self._buffer, self._node)
            self._patient_until = time.monotonic() + _SECONDS_TO_COME

    def stop(self) -> None:
        if self._listener is not None:
            self._listener.unregister()
            self._listener = self._buffer = None

    def forget(self) -> None:
        """Drops all: TF refuses what is older than what it has, as when time starts again."""
        self.drop()
        self._patient_until = time.monotonic() + _SECONDS_TO_COME

    def drop(self) -> None:
        """The same for messages of the old time that came late."""
        if self._buffer is not None:
            self._buffer.clear()

    @property
    def may_still_come(self) -> bool:
        """Whether the node has listened for so short a time that nothing may have come yet."""
        return not self.missing and time.monotonic() < self._patient_until

    def lookup(self, target: str, source: str, stamp: Stamp | None = None) -> Any:
        """The TransformStamped source -> target, at this time or the newest. NoTransformError."""
        if self._buffer is None:
            raise NoTransformError(self.missing or "nothing is listened to")
        when = Time() if stamp is None else Time.from_msg(stamp)
        try:
            return self._buffer.lookup_transform(target, source, when)
        except self._tf.TransformException as error:
            raise NoTransformError(f"TF has no {source} in {target} ({error})") from error


def to_seconds(stamp: Stamp) -> float:
    return stamp.sec + stamp.nanosec / 1e9
