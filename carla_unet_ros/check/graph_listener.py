# SPDX-License-Identifier: Apache-2.0
"""Listens to a running graph: who publishes the topics the nodes need, and what comes.

It subscribes to a topic as its publishers offer it, reliable or best effort, so that it hears
what is there, too, where the nodes would not; whether it fits them is asked of the middleware.
It publishes nothing, and does not subscribe to labels, so it makes no node compute.
"""

import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)
from rclpy.topic_endpoint_info import TopicEndpointInfo
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from carla_unet_ros.check.inspection import streams_of
from carla_unet_ros.check.observations import (
    Calibration,
    NodeReport,
    Observations,
    Picture,
    Publisher,
    Stream,
    Transform,
)
from carla_unet_ros.check.truth_tags import read_tags
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.ros.diagnostics import OK
from carla_unet_ros.ros.image_messages import BadFrame, to_bgra, to_semantic

_DEPTH = 10
_BEST_EFFORT = QoSProfile(depth=_DEPTH, reliability=ReliabilityPolicy.BEST_EFFORT)
_LATCHED = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
# What rmw calls a publisher that is no ROS node.
_WITHOUT_NAME = ("_NODE_NAME_UNKNOWN_", "_CREATED_BY_BARE_DDS_APP_")
_OF_ROS = "/_ros2cli_daemon"


class GraphListener:
    """What is seen grows while the node spins and `look` is called now and then.

    image, truth: topics of the frames and of the semantic camera
    reliability:  with which segmentation_node subscribes to the frames
    """

    def __init__(self, node: Node, image: str, truth: str, reliability: ReliabilityPolicy) -> None:
        topics = CameraTopics(image), CameraTopics(truth)
        self._node = node
        self._outputs = {
            "segmentation": topics[0].output("labels"),
            "ground_grid": topics[0].output("ground_grid"),
            "evaluation": "/evaluation/iou",
        }
        self.seen = streams_of(image, topics[0].camera_info, truth, topics[1].camera_info)
        seen = self.seen
        frames = QoSProfile(depth=1, reliability=reliability)
        self._asked = {
            image: frames,
            truth: QoSProfile(depth=_DEPTH),
            **dict.fromkeys(
                (seen.clock.topic, seen.frames_info.topic, seen.truth_info.topic), _BEST_EFFORT
            ),
        }
        self._newest: dict[str, Any] = {}
        self._subscribed: set[str] = set()
        for topic in ("/diagnostics", self._outputs["evaluation"]):
            node.create_subscription(DiagnosticArray, topic, self._on_diagnostics, _DEPTH)
        self._listen_to_tf()

    def look(self) -> None:
        """Looks at the graph, and subscribes to what has appeared in it."""
        own = self._node.get_fully_qualified_name()
        others = {
            f"{namespace.rstrip('/')}/{name}"
            for name, namespace in self._node.get_node_names_and_namespaces()
        }
        self.seen.other_nodes = sorted(
            name for name in others - {own} if not name.startswith(_OF_ROS)
        )
        self.seen.image_topics = sorted(
            name
            for name, types in self._node.get_topic_names_and_types()
            if "sensor_msgs/msg/Image" in types and "/segmentation/" not in name
        )
        for stream in self.seen.streams:
            self._look_at(stream)
        for name, topic in self._outputs.items():
            if self._publishers(topic):
                self.seen.nodes.setdefault(name, {})

    def read(self, tags: str) -> Observations:
        """What was seen so far, with the newest images read. tags: of the truth"""
        seen, newest = self.seen, self._newest
        if frame := newest.get(seen.frames.topic):
            seen.frame = _picture(frame, to_bgra)
        if truth := newest.get(seen.truth.topic):
            seen.truth_picture = _picture(truth, to_semantic)
            if not seen.truth_picture.problem:
                seen.tags = read_tags(to_semantic(truth), tags)
        seen.frames_calibration = _calibration(newest.get(seen.frames_info.topic))
        seen.truth_calibration = _calibration(newest.get(seen.truth_info.topic))
        return seen

    def _publishers(self, topic: str) -> list[TopicEndpointInfo]:
        return list(self._node.get_publishers_info_by_topic(topic))

    def _look_at(self, stream: Stream) -> None:
        offers = self._publishers(stream.topic)
        # A publisher that has ended meanwhile was there all the same.
        if not offers:
            return
        if CameraTopics(stream.topic).compressed:
            stream.type = "sensor_msgs/msg/CompressedImage"
        asked = self._asked[stream.topic]
        stream.publishers = [
            Publisher(_name(offer), offer.topic_type, _misfit(offer, asked)) for offer in offers
        ]
        right = [offer for offer in offers if offer.topic_type == stream.type]
        if not right or stream.topic in self._subscribed:
            return
        self._subscribed.add(stream.topic)
        reliable = all(
            offer.qos_profile.reliability == ReliabilityPolicy.RELIABLE for offer in right
        )
        self._node.create_subscription(
            _MESSAGES[stream.type],
            stream.topic,
            lambda message: self._on_message(stream, message),
            QoSProfile(depth=_DEPTH) if reliable else _BEST_EFFORT,
        )

    def _on_message(self, stream: Stream, message: Any) -> None:
        stamp = message.clock if isinstance(message, Clock) else message.header.stamp
        stream.add(time.monotonic(), stamp.sec * 10**9 + stamp.nanosec)
        self._newest[stream.topic] = message

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            for node, reports in self.seen.nodes.items():
                if status.name.partition(":")[0].rpartition("/")[2] == node:
                    report = NodeReport(status.name, status.level == OK, status.message)
                    reports[status.name] = report

    def _listen_to_tf(self) -> None:
        try:
            # By its name: the pip wheels of ROS 2 lack it.
            kind = import_module("tf2_msgs.msg").TFMessage
        except ImportError as error:
            self.seen.no_tf = f"tf2_msgs cannot be imported ({error})"
            return
        self._node.create_subscription(kind, "/tf", self.on_transforms, _LATCHED.depth)
        self._node.create_subscription(kind, "/tf_static", self.on_transforms, _LATCHED)

    def on_transforms(self, message: Any) -> None:
        """Takes a tf2_msgs/TFMessage."""
        for entry in message.transforms:
            place, turn = entry.transform.translation, entry.transform.rotation
            self.seen.transforms[entry.child_frame_id.lstrip("/")] = Transform(
                entry.header.frame_id.lstrip("/"),
                (place.x, place.y, place.z),
                (turn.x, turn.y, turn.z, turn.w),
            )


_MESSAGES = {
    "rosgraph_msgs/msg/Clock": Clock,
    "sensor_msgs/msg/Image": Image,
    "sensor_msgs/msg/CompressedImage": CompressedImage,
    "sensor_msgs/msg/CameraInfo": CameraInfo,
}


def _name(offer: TopicEndpointInfo) -> str:
    if offer.node_name in _WITHOUT_NAME:
        return "a program that is no ROS node (CARLA itself)"
    return f"{offer.node_namespace.rstrip('/')}/{offer.node_name}"


def _misfit(offer: TopicEndpointInfo, asked: QoSProfile) -> str:
    compatible, reason = qos_check_compatible(offer.qos_profile, asked)
    return reason.strip() if compatible == QoSCompatibility.ERROR else ""


def _picture(message: Any, read: Callable[[Any], Any]) -> Picture:
    encoding = getattr(message, "encoding", None) or f"compressed {message.format}"
    try:
        height, width = read(message).shape[:2]
    except BadFrame as error:
        return Picture(0, 0, encoding, message.header.frame_id, str(error))
    return Picture(width, height, encoding, message.header.frame_id, "")


def _calibration(message: CameraInfo | None) -> Calibration | None:
    if message is None:
        return None
    return Calibration(message.width, message.height, float(message.k[0]), float(message.k[4]))
