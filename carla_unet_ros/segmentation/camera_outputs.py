# SPDX-License-Identifier: Apache-2.0
"""Publishes the outputs of one camera, each only while it has a subscriber.

<camera>/segmentation/labels       sensor_msgs/Image mono8, class ids
                     /confidence   sensor_msgs/Image mono8, 0..255
                     /camera_info  sensor_msgs/CameraInfo with the frame's header
                     /overlay      sensor_msgs/Image bgr8
                     /legend       std_msgs/String, JSON, latched
                     /label_info   vision_msgs/LabelInfo, latched, where installed
"""

import copy
from collections.abc import Callable

from rclpy.event_handler import PublisherEventCallbacks
from rclpy.logging import RcutilsLogger
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header, String

from carla_unet_ros.labels import Uint8
from carla_unet_ros.labels.label_info import label_info, label_info_type
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.labels.overlay import draw_overlay
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.ros.image_messages import to_image_message
from carla_unet_ros.segmenter import Segmentation

_SECONDS_BETWEEN_WARNINGS = 5.0

_IMAGES = QoSProfile(depth=5)
_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class CameraOutputs:
    """The publishers of one camera. They exist until `close`.

    opacity:    returns the overlay's opacity, 0..1; called for every frame
    on_matched: called when somebody subscribes to an image, or no longer does
    """

    def __init__(
        self,
        node: Node,
        topics: CameraTopics,
        legend: Legend,
        log: RcutilsLogger,
        opacity: Callable[[], float],
        on_matched: Callable[[], None],
    ) -> None:
        self._node = node
        self._legend = legend
        self._log = log
        self._opacity = opacity
        matched = PublisherEventCallbacks(matched=lambda _: on_matched())
        self._labels, self._confidence, self._overlay = self._images = [
            node.create_publisher(Image, topics.output(name), _IMAGES, event_callbacks=matched)
            for name in ("labels", "confidence", "overlay")
        ]
        self._calibration = node.create_publisher(
            CameraInfo, topics.output("camera_info"), _IMAGES
        )
        self._names = node.create_publisher(String, topics.output("legend"), _LATCHED)
        info_type = label_info_type()
        self._label_info = info_type and node.create_publisher(
            info_type, topics.output("label_info"), _LATCHED
        )

    @property
    def wanted(self) -> bool:
        """True if labels, confidence or overlay have a subscriber."""
        return any(publisher.get_subscription_count() for publisher in self._images)

    def announce(self) -> None:
        """Publishes what the ids mean, latched: later subscribers get it, too."""
        self._names.publish(String(data=self._legend.to_json()))
        if self._label_info is not None:
            now = self._node.get_clock().now().to_msg()
            self._label_info.publish(label_info(self._legend, now))

    def publish(
        self, header: Header, frame: Uint8, found: Segmentation, calibration: CameraInfo | None
    ) -> None:
        """Publishes the outputs of one frame that have subscribers, under the frame's header.

        Labels go out before anything else is made, because planners wait for them.

        frame:       uint8 [H, W, 4] in B, G, R, A
        calibration: the camera's newest camera_info, relayed if it is of this size; or None
        """
        if self._labels.get_subscription_count():
            labels = self._legend.to_published(found.labels)
            self._labels.publish(to_image_message(labels, "mono8", header))
        if self._confidence.get_subscription_count():
            self._confidence.publish(to_image_message(found.confidence, "mono8", header))
        if calibration is not None and self._calibration.get_subscription_count():
            self._relay(calibration, header, frame)
        if self._overlay.get_subscription_count():
            palette = self._legend.model_labels.palette_bgr
            overlay = draw_overlay(frame, found.labels, palette, self._opacity())
            self._overlay.publish(to_image_message(overlay, "bgr8", header))

    def close(self) -> None:
        publishers = [*self._images, self._calibration, self._names, self._label_info]
        for publisher in filter(None, publishers):
            self._node.destroy_publisher(publisher)

    def _relay(self, calibration: CameraInfo, header: Header, frame: Uint8) -> None:
        height, width, _ = frame.shape
        if (calibration.width, calibration.height) != (width, height):
            self._log.warning(
                f"camera_info is for {calibration.width}x{calibration.height}, frames are "
                f"{width}x{height}: not relayed",
                throttle_duration_sec=_SECONDS_BETWEEN_WARNINGS,
            )
            return
        # A copy, because others may hold the message that was received.
        relayed = copy.copy(calibration)
        relayed.header = header
        self._calibration.publish(relayed)
