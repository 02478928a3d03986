# SPDX-License-Identifier: Apache-2.0
"""Publishes the outputs of one camera, each only while it has a subscriber.

<camera>/segmentation/labels       sensor_msgs/Image mono8, class ids; 255 is too uncertain
                     /confidence   sensor_msgs/Image mono8, 0..255
                     /camera_info  sensor_msgs/CameraInfo with the frame's header
                     /overlay      sensor_msgs/Image bgr8
                     /labels/compressed, /confidence/compressed   CompressedImage, PNG
                     /overlay/compressed                          CompressedImage, JPEG
                     /legend       std_msgs/String, JSON, latched
                     /label_info   vision_msgs/LabelInfo, latched, where installed
"""

import copy
from collections.abc import Callable

from rclpy.logging import RcutilsLogger
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header, String

from carla_unet_ros.labels import Uint8
from carla_unet_ros.labels.label_info import label_info, label_info_type
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.labels.overlay import draw_overlay
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.segmentation.image_output import ImageOutput
from carla_unet_ros.segmenter import Segmentation, hide_uncertain, least_confidence

_SECONDS_BETWEEN_WARNINGS = 5.0

_JPEG_QUALITY = 90
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
        self._least_confidence = least_confidence(legend.min_confidence)
        self._labels, self._confidence, self._overlay = self._images = [
            ImageOutput(node, topics.output(name), encoding, on_matched, jpeg)
            for name, encoding, jpeg in (
                ("labels", "mono8", None),
                ("confidence", "mono8", None),
                ("overlay", "bgr8", _JPEG_QUALITY),
            )
        ]
        self._calibration = node.create_publisher(
            CameraInfo,
            topics.output("camera_info"),
            QoSProfile(depth=5),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self._names = node.create_publisher(String, topics.output("legend"), _LATCHED)
        info_type = label_info_type()
        self._label_info = info_type and node.create_publisher(
            info_type, topics.output("label_info"), _LATCHED
        )

    @property
    def wanted(self) -> bool:
        """True if labels, confidence or overlay have a subscriber, in either form."""
        return any(image.wanted for image in self._images)

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

        Labels go out before anything else is made, because planners wait for them. What takes
        longest, to compress, comes last.

        frame:       uint8 [H, W, 4] in B, G, R, A
        calibration: the camera's newest camera_info, relayed if it is of this size; or None
        """
        published: list[tuple[ImageOutput, Uint8]] = []

        def publish(output: ImageOutput, image: Uint8) -> None:
            output.publish(image, header)
            published.append((output, image))

        labels_wanted, overlay_wanted = self._labels.wanted, self._overlay.wanted
        if self._least_confidence and (labels_wanted or overlay_wanted):
            hide_uncertain(found, self._least_confidence)
        if labels_wanted:
            publish(self._labels, self._legend.to_published(found.labels))
        if self._confidence.wanted:
            publish(self._confidence, found.confidence)
        if calibration is not None and self._calibration.get_subscription_count():
            self._relay(calibration, header, frame)
        if overlay_wanted:
            palette = self._legend.model_labels.palette_bgr
            publish(self._overlay, draw_overlay(frame, found.labels, palette, self._opacity()))
        for output, image in published:
            output.publish_compressed(image, header)

    def close(self) -> None:
        for image in self._images:
            image.close()
        for publisher in filter(None, (self._calibration, self._names, self._label_info)):
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
