"""One camera: its frames come in, its labels, confidence and overlay go out.

    in    <image topic>                      sensor_msgs/Image or CompressedImage, keep last 1
          <camera>/camera_info               sensor_msgs/CameraInfo
    out   <camera>/segmentation/labels       sensor_msgs/Image mono8, class ids
                              /confidence    sensor_msgs/Image mono8, 0..255
                              /overlay       sensor_msgs/Image bgr8
                              /camera_info   sensor_msgs/CameraInfo with the frame's header
                              /legend        std_msgs/String, JSON, latched
                              /label_info    vision_msgs/LabelInfo, latched, where installed

What nobody subscribes to is not made, and while nobody subscribes to any of the three images
the frames are not subscribed either. The queue holds one frame: while the engine is busy a
newer frame replaces the waiting one, so what is published is never older than it need be.
"""

import time
from collections.abc import Callable
from typing import Any

from rclpy.event_handler import (
    PublisherEventCallbacks,
    QoSRequestedIncompatibleQoSInfo,
    QoSSubscriptionMatchedInfo,
    SubscriptionEventCallbacks,
)
from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    QoSProfile,
    ReliabilityPolicy,
    qos_policy_name_from_kind,
)
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header, String

from carla_unet_ros.engines import EngineError
from carla_unet_ros.labels import Uint8
from carla_unet_ros.labels.label_info import label_info, label_info_type
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.labels.overlay import draw_overlay
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.ros.frame_clock import FrameClock
from carla_unet_ros.ros.image_messages import BadFrame, to_bgra, to_image_message
from carla_unet_ros.segmentation.camera_status import CameraState
from carla_unet_ros.segmentation.frame_statistics import FrameStatistics
from carla_unet_ros.segmenter import Segmentation, Segmenter

_OUTPUT = QoSProfile(depth=5)
_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_NEWEST_OF_ANY = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_RELIABILITY = {
    "reliable": ReliabilityPolicy.RELIABLE,
    "best_effort": ReliabilityPolicy.BEST_EFFORT,
}
RELIABILITIES = tuple(_RELIABILITY)

_SECONDS_BETWEEN_WARNINGS = 5.0


class CameraStream:
    """Subscriptions and publishers of one camera, made with `node` and gone with `close`.

    opacity: asked at every overlay, 0..1

    subscriptions: to the camera, while somebody wants its masks
    last_turn:     when its last frame was taken, in seconds of the monotonic clock
    """

    def __init__(
        self,
        node: Node,
        topics: CameraTopics,
        reliability: str,
        segmenter: Segmenter,
        legend: Legend,
        clock: FrameClock,
        opacity: Callable[[], float],
    ) -> None:
        self.statistics = FrameStatistics()
        self.subscriptions: list[Subscription] = []
        self.last_turn = 0.0
        self._node = node
        self._topics = topics
        self._reliability = reliability
        self._segmenter = segmenter
        self._legend = legend
        self._opacity = opacity
        self._clock = clock
        self._log = node.get_logger().get_child(topics.image.strip("/~").replace("/", "."))
        self._active = False
        self._publishers = 0
        self._incompatible = ""
        self._camera_info: CameraInfo | None = None
        self._size: tuple[int, int] | None = None
        matched = PublisherEventCallbacks(matched=lambda _: self._follow_subscribers())
        self._images = {
            name: node.create_publisher(
                Image, topics.output(name), _OUTPUT, event_callbacks=matched
            )
            for name in ("labels", "confidence", "overlay")
        }
        self._calibration = node.create_publisher(
            CameraInfo, topics.output("camera_info"), _OUTPUT
        )
        self._latched = [node.create_publisher(String, topics.output("legend"), _LATCHED)]
        if info_type := label_info_type():
            self._latched.append(
                node.create_publisher(info_type, topics.output("label_info"), _LATCHED)
            )

    def activate(self) -> None:
        """Publishes what the ids mean, then listens as soon as somebody wants the masks."""
        self._latched[0].publish(String(data=self._legend.to_json()))
        for publisher in self._latched[1:]:
            now = self._node.get_clock().now().to_msg()
            publisher.publish(label_info(self._legend, now))
        self._active = True
        self._follow_subscribers()

    def deactivate(self) -> None:
        self._active = False
        self._follow_subscribers()

    def close(self) -> None:
        self.deactivate()
        for publisher in (*self._images.values(), self._calibration, *self._latched):
            self._node.destroy_publisher(publisher)

    def state(self) -> CameraState:
        topic = self._node.resolve_topic_name(self._topics.image)
        return CameraState(
            topic=topic,
            listening=bool(self.subscriptions),
            publishers=self._node.count_publishers(topic),
            incompatible=self._incompatible,
            reliability=self._reliability,
            size=self._size,
        )

    def _follow_subscribers(self) -> None:
        """Listens to the camera exactly while active and while somebody wants an image."""
        wanted = self._active and bool(self._wanted())
        if wanted and not self.subscriptions:
            self._subscribe()
        elif not wanted:
            for subscription in self.subscriptions:
                self._node.destroy_subscription(subscription)
            self.subscriptions = []
            self._camera_info = None

    def _wanted(self) -> list[str]:
        return [
            name for name, publisher in self._images.items() if publisher.get_subscription_count()
        ]

    def _subscribe(self) -> None:
        self._incompatible = ""
        self.statistics.listen()
        image_type = CompressedImage if self._topics.compressed else Image
        events = SubscriptionEventCallbacks(
            incompatible_qos=self._on_incompatible,
            matched=self._on_publishers,
        )
        self.subscriptions = [
            self._node.create_subscription(
                CameraInfo, self._topics.camera_info, self._on_camera_info, _NEWEST_OF_ANY
            ),
            self._node.create_subscription(
                image_type,
                self._topics.image,
                # rclpy hands a callback of two arguments the message's numbers too.
                self._on_image,  # pyright: ignore[reportArgumentType]
                QoSProfile(depth=1, reliability=_RELIABILITY[self._reliability]),
                event_callbacks=events,
            ),
        ]

    def _on_publishers(self, event: QoSSubscriptionMatchedInfo) -> None:
        self._publishers = event.current_count
        self.statistics.listen()

    def _on_incompatible(self, event: QoSRequestedIncompatibleQoSInfo) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        self._incompatible = (
            f"a publisher offers another {policy} than the node asks for (reliability is "
            f"{self._reliability!r}); best_effort accepts every publisher"
        )
        self._log.warning(f"no images from {self._topics.image}: {self._incompatible}")

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._camera_info = message

    def _on_image(self, message: Image | CompressedImage, info: dict[str, Any]) -> None:
        self.last_turn = time.monotonic()
        stamp = message.header.stamp
        # Each publisher numbers its own frames; of two at once the gaps say nothing.
        number = info.get("publication_sequence_number") if self._publishers < 2 else None
        self.statistics.arrived(number, self._clock.age_ms(stamp))
        wanted = self._wanted()
        if not wanted:
            return
        try:
            frame = to_bgra(message)
            segmentation = self._segmenter.segment(frame)
        except BadFrame as problem:
            self.statistics.bad(str(problem))
            self._log.warning(
                f"frame skipped: {problem}", throttle_duration_sec=_SECONDS_BETWEEN_WARNINGS
            )
        except EngineError as problem:
            self.statistics.failed(str(problem))
            self._log.error(str(problem), throttle_duration_sec=_SECONDS_BETWEEN_WARNINGS)
        else:
            self._size = frame.shape[1], frame.shape[0]
            self._publish(message.header, wanted, frame, segmentation)
            self.statistics.published(self._clock.age_ms(stamp))

    def _publish(
        self, header: Header, wanted: list[str], frame: Uint8, segmentation: Segmentation
    ) -> None:
        self._publish_calibration(header)
        if "labels" in wanted:
            labels = self._legend.published(segmentation.labels)
            self._images["labels"].publish(to_image_message(labels, "mono8", header))
        if "confidence" in wanted:
            confidence = to_image_message(segmentation.confidence, "mono8", header)
            self._images["confidence"].publish(confidence)
        if "overlay" in wanted:
            palette = self._legend.model_labels.palette_bgr
            overlay = draw_overlay(frame, segmentation.labels, palette, self._opacity())
            self._images["overlay"].publish(to_image_message(overlay, "bgr8", header))

    def _publish_calibration(self, header: Header) -> None:
        """Relays the newest camera_info under the frame's header, if it is of the frame's size."""
        info = self._camera_info
        if info is None or not self._calibration.get_subscription_count():
            return
        if (info.width, info.height) != self._size:
            self._log.warning(
                f"camera_info is for {info.width}x{info.height}, frames are "
                f"{'x'.join(map(str, self._size or ()))}: not relayed",
                throttle_duration_sec=_SECONDS_BETWEEN_WARNINGS,
            )
            return
        info.header = header
        self._calibration.publish(info)
