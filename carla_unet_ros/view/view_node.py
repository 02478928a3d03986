# SPDX-License-Identifier: Apache-2.0
"""Shows in a browser what a camera sees and what the nodes make of it, on a time line.

    in   <camera>/image                     frames, Image or CompressedImage
         <camera>/segmentation/labels       with confidence, legend and ground_grid beside them
         <semantic camera>/image            truth
         /evaluation/iou, /diagnostics      IoU of each class; rate, image age and engine time
    out  /diagnostics                       once a second: the address of the page, how many frames
                                            were shown and skipped, CPU and memory used

The page shows the name of the class under the mouse, and can be wound back as far as `past_memory`
reaches. It works without a screen on this machine. Rerun (https://rerun.io) serves it.
"""

import ipaddress
import os
import sys
import time
from functools import partial
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import OccupancyGrid
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import Uint8, carla_label_set
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.labels.semantic_images import raw_tags
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.ros.diagnostics import ERROR, OK, number, status
from carla_unet_ros.ros.image_messages import checked_jpeg, label_ids, to_bgra, to_semantic
from carla_unet_ros.ros.lifecycle import STEADY
from carla_unet_ros.ros.main import run
from carla_unet_ros.ros.parameters import NodeParameter, declare, help_text
from carla_unet_ros.ros.scene_topics import SceneTopics
from carla_unet_ros.view.frame_picker import FramePicker
from carla_unet_ros.view.viewer_server import Place, ViewerServer, process_cost

PORTS = (1, 65535)


class Parameters(SceneTopics):
    page_address = NodeParameter(
        "127.0.0.1",
        "IP address to listen on; 0.0.0.0 lets every machine of the network see the pictures",
        check=ipaddress.ip_address,
        constant=True,
    )
    page_port = NodeParameter(9090, "TCP port of the page", range=PORTS, constant=True)
    data_port = NodeParameter(
        9876, "TCP port from which the page takes its data", range=PORTS, constant=True
    )
    shown_rate = NodeParameter(
        5.0, "how many frames a second are shown at most", range=(0.1, 100.0), constant=True
    )
    past_memory = NodeParameter(
        512,
        "megabytes of the past to keep; the oldest goes first",
        range=(16, 65536),
        constant=True,
    )
    only_watched = NodeParameter(
        False,
        "whether to subscribe only while a browser shows the page; false keeps the past for one "
        "that comes later",
        live=True,
    )


_QUEUE = QoSProfile(depth=5)
_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_SECONDS_BETWEEN_WARNINGS = 5.0
_LAST_PAIRS = ": last pairs"
_CURVES = {
    "rate (Hz)": ("figures/rate", "labels"),
    "image age (ms)": ("figures/age", "labels"),
    "engine time median (ms)": ("figures/age", "engine"),
}


class ViewNode(Node):
    """Ends its server when it is destroyed."""

    def __init__(self) -> None:
        super().__init__("view")
        self._values = values = declare(self, Parameters)
        require_rerun()
        from carla_unet_ros.view.time_line import TimeLine

        self._tags = carla_label_set(values.tags)
        place = Place(values.page_address, values.page_port, values.data_port)
        self._server = ViewerServer(place, values.past_memory)
        self._time_line = TimeLine(self._server.data_url, self._tags)
        self._picker = FramePicker(round(1e9 / values.shown_rate))
        self._newest = 0
        self._unusable = 0
        self._problem = ""
        self._subscriptions_now: list[Subscription] = []
        self._measured = time.monotonic(), self._cpu()
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._follow_browsers()
        self.create_timer(1.0, self._each_second, clock=STEADY)
        self.get_logger().info(f"showing {values.image_topic} on {self._server.page}")

    def destroy_node(self) -> None:
        """Ends the server, then destroys the node."""
        self._time_line.close()
        self._server.close()
        super().destroy_node()

    def _subscribe(self) -> list[Subscription]:
        values, subscribe = self._values, self.create_subscription
        beside = values.labels_topic.rpartition("/")[0]
        pictures: dict[str, tuple[str, type]] = {
            "frame": (values.image_topic, _kind(values.image_topic)),
            "labels": (values.labels_topic, Image),
            "confidence": (f"{beside}/confidence", Image),
            "truth": (values.truth_topic, _kind(values.truth_topic)),
            "grid": (f"{beside}/ground_grid", OccupancyGrid),
        }
        return [
            subscribe(String, f"{beside}/legend", self._on_legend, _LATCHED),
            *(
                subscribe(kind, topic, partial(self._on_picture, stream), _QUEUE)
                for stream, (topic, kind) in pictures.items()
            ),
            subscribe(DiagnosticArray, "/evaluation/iou", self._on_iou, 10),
            subscribe(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10),
        ]

    def _follow_browsers(self) -> None:
        """Subscribes and unsubscribes as `only_watched` wants it."""
        wanted = not self._values.only_watched or self._server.browsers() > 0
        if wanted and not self._subscriptions_now:
            self._subscriptions_now = self._subscribe()
        elif not wanted and self._subscriptions_now:
            for subscription in self._subscriptions_now:
                self.destroy_subscription(subscription)
            self._subscriptions_now = []

    def _on_legend(self, message: String) -> None:
        try:
            legend = Legend.from_json(message.data)
        except ValueError as error:
            self._warn(f"the legend cannot be read: {error}")
            return
        self._time_line.name_labels(legend.published_classes)

    def _on_picture(self, stream: str, message: Any) -> None:
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        if self._picker.restarted(stream, stamp):
            self.get_logger().info("time starts again: a new recording begins")
            self._time_line.begin()
        for name, picture in self._picker.add(stream, stamp, message).items():
            try:
                self._show(name, stamp, picture)
            except ValueError as problem:
                self._unusable += 1
                self._warn(f"{name} cannot be shown: {problem}")
            self._newest = stamp

    def _show(self, name: str, stamp: int, message: Any) -> None:
        line = self._time_line
        if name == "frame":
            if (jpeg := checked_jpeg(message)) is not None:
                line.show_jpeg(stamp, jpeg)
            else:
                line.show_frame(stamp, to_bgra(message))
        elif name == "labels":
            line.show_labels(stamp, label_ids(message))
        elif name == "confidence":
            line.show_confidence(stamp, label_ids(message))
        elif name == "truth":
            line.show_truth(stamp, self._read_truth(message))
        else:
            info = message.info
            line.show_grid(stamp, np.asarray(message.data, np.int8).reshape(info.height, -1))

    def _read_truth(self, message: "Image | CompressedImage") -> Uint8:
        image = to_semantic(message)
        tags = raw_tags(image)
        return self._tags.ids_of_colours(image) if tags is None else tags

    def _on_iou(self, message: DiagnosticArray) -> None:
        for found in message.status:
            if found.name.endswith(_LAST_PAIRS):
                figures = {entry.key: _figure(entry.value) for entry in found.values}
                self._show_curves("figures/iou", figures)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        """Takes the figures of the segmentation node; of its cameras only ours."""
        for found in message.status:
            if found.hardware_id not in ("", self.resolve_topic_name(self._values.image_topic)):
                continue
            for entry in found.values:
                if entry.key in _CURVES:
                    entity, name = _CURVES[entry.key]
                    self._show_curves(entity, {name: _figure(entry.value)})

    def _show_curves(self, entity: str, figures: dict[str, float | None]) -> None:
        """At the time of the newest picture: these messages may count another time."""
        if self._newest:
            known = {name: value for name, value in figures.items() if value is not None}
            self._time_line.show_figures(self._newest, entity, known)

    def _warn(self, text: str) -> None:
        self._problem = text
        self.get_logger().warning(text, throttle_duration_sec=_SECONDS_BETWEEN_WARNINGS)

    def _each_second(self) -> None:
        self._follow_browsers()
        message = DiagnosticArray(status=[self._status()])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)
        self._problem = ""

    def _status(self) -> Any:
        problem = self._server.problem()
        now, cpu = time.monotonic(), self._cpu()
        before, cpu_before = self._measured
        self._measured = now, cpu
        memory = process_cost(os.getpid()).memory, self._server.cost().memory
        values = {
            "page": self._server.page,
            "browsers": str(self._server.browsers()),
            "frames shown": str(self._picker.shown),
            "frames skipped": str(self._picker.skipped),
            "pictures unusable": str(self._unusable),
            "recordings": str(self._time_line.recordings),
            "CPU (% of a core)": number(100 * (cpu - cpu_before) / max(now - before, 1e-3)),
            "memory of the node (MB)": number(memory[0] / 1e6),
            "memory of the server (MB)": number(memory[1] / 1e6),
        }
        state = f"showing on {self._server.page}"
        if not self._subscriptions_now:
            state = f"idle: no browser shows {self._server.page}"
        name = self.get_fully_qualified_name()
        return status(name, ERROR if problem else OK, problem or self._problem or state, values)

    def _cpu(self) -> float:
        return process_cost(os.getpid()).cpu + self._server.cost().cpu


def require_rerun() -> None:
    """Raises InputError where Rerun is not installed."""
    try:
        import rerun  # noqa: F401
        import rerun_cli  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"the page needs rerun-sdk ({error}): pip install rerun-sdk; it needs Python 3.11 and "
            "NumPy 2, so use a virtual environment of its own where ROS comes from apt"
        ) from error


def _kind(topic: str) -> type:
    return CompressedImage if CameraTopics(topic).compressed else Image


def _figure(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def main(argv: list[str] | None = None) -> int:
    return run(ViewNode, argv, about=help_text(__doc__, Parameters))


if __name__ == "__main__":
    sys.exit(main())
