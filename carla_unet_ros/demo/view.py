# SPDX-License-Identifier: Apache-2.0
"""The demo's own node: it receives what the other nodes publish, and keeps what to show.

    /carla/ego_vehicle/rgb_front/image                        sensor_msgs/Image    frame
    /carla/ego_vehicle/rgb_front/segmentation/overlay         sensor_msgs/Image    overlay
    /carla/ego_vehicle/semantic_segmentation_front/image      sensor_msgs/Image    truth
    /diagnostics, /evaluation/iou                             diagnostic_msgs/DiagnosticArray

Frame, overlay and truth with equal stamps make one view.
"""

import time
from collections.abc import Callable

import cv2
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image

from carla_unet_ros.demo.recording import View
from carla_unet_ros.labels import Uint8
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.ros.diagnostics import ERROR
from carla_unet_ros.ros.image_messages import to_bgra

_IMAGE = "/carla/ego_vehicle/rgb_front/image"
_TRUTH = "/carla/ego_vehicle/semantic_segmentation_front/image"
_SEGMENTATION = "/segmentation"
_IOU = "/evaluation/iou"
_VIEW = "/view"
_LAST_PAIRS = "/evaluation: last pairs"
_STAMPS_KEPT = 60


class DemoView:
    """Starts ROS and subscribes; `close` ends it.

    newest:        the last complete view; None before the first
    first_overlay: time.time() when the first overlay came; 0 before
    """

    def __init__(self, show: Callable[[View], None]) -> None:
        """`show` is called with every complete view."""
        self.newest: View | None = None
        self.first_overlay = 0.0
        self._show = show
        self._waiting: dict[int, dict[str, Image]] = {}
        self._states: dict[str, DiagnosticStatus] = {}
        self._context = Context()
        # The demo handles signals itself: at Ctrl-C it first ends the nodes.
        rclpy.init(context=self._context, args=[], signal_handler_options=SignalHandlerOptions.NO)
        self._node = Node("carla_unet_demo", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._subscribe()

    def spin(self, seconds: float) -> None:
        """Receives one message, or waits for one so long."""
        self._executor.spin_once(seconds)

    def problem(self) -> str:
        """The segmentation node's own text of why it cannot work; "" where it works."""
        state = self._states.get(_SEGMENTATION)
        return state.message if state is not None and state.level == ERROR else ""

    def figures(self) -> str:
        """One line of figures from the diagnostics of the nodes."""
        camera = f"{_SEGMENTATION}: {_IMAGE}"
        return (
            f"{self._value(camera, 'rate (Hz)')} frames/s   "
            f"image age {self._value(camera, 'image age (ms)')} ms   "
            f"engine {self._value(_SEGMENTATION, 'engine time median (ms)')} ms   "
            f"mean IoU {self._value(_LAST_PAIRS, 'mean IoU')}   "
            f"free space IoU {self._value(_LAST_PAIRS, 'free space IoU')}   "
            f"{self._value(_SEGMENTATION, 'engine')}"
        )

    def page(self) -> str:
        """The address of the page in the browser; "" while view_node has not told it."""
        return self._value(_VIEW, "page").strip("-")

    def close(self) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        self._context.try_shutdown()

    def _subscribe(self) -> None:
        topics = {
            "frame": _IMAGE,
            "overlay": CameraTopics(_IMAGE).output("overlay"),
            "truth": _TRUTH,
        }
        for part, topic in topics.items():
            self._node.create_subscription(
                Image, topic, self._callback_for(part), QoSProfile(depth=2)
            )
        for topic in ("/diagnostics", _IOU):
            self._node.create_subscription(
                DiagnosticArray, topic, self._on_diagnostics, QoSProfile(depth=10)
            )

    def _callback_for(self, part: str) -> Callable[[Image], None]:
        return lambda message: self._take(part, message)

    def _take(self, part: str, message: Image) -> None:
        if part == "overlay" and not self.first_overlay:
            self.first_overlay = time.time()
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        parts = self._waiting.setdefault(stamp, {})
        parts[part] = message
        if len(parts) == 3:
            self._waiting = {old: kept for old, kept in self._waiting.items() if old > stamp}
            images = {name: _bgr(image) for name, image in parts.items()}
            self.newest = View(seconds=stamp / 1e9, **images)
            self._show(self.newest)
        elif len(self._waiting) > _STAMPS_KEPT:
            del self._waiting[min(self._waiting)]

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self._states |= {state.name: state for state in message.status}

    def _value(self, status: str, key: str) -> str:
        state = self._states.get(status)
        values = {} if state is None else {value.key: value.value for value in state.values}
        return values.get(key, "-")


def _bgr(message: Image) -> Uint8:
    return np.asarray(cv2.cvtColor(to_bgra(message), cv2.COLOR_BGRA2BGR), np.uint8)
