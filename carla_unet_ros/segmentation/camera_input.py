# SPDX-License-Identifier: Apache-2.0
"""Receives one camera: its frames, and the calibration that belongs to them.

    <image topic>         sensor_msgs/Image, or CompressedImage where the name says so, keep last 1
    <camera>/camera_info  sensor_msgs/CameraInfo

The middleware's queue holds one frame: a newer one replaces the one in it, so what comes out is
always the newest there is.
"""

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.event_handler import (
    QoSRequestedIncompatibleQoSInfo,
    QoSSubscriptionMatchedInfo,
    SubscriptionEventCallbacks,
)
from rclpy.logging import RcutilsLogger
from rclpy.node import Node
from rclpy.qos import QoSPolicyKind, QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from carla_unet_ros.camera_model import Size
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.ros.rclpy_private import given_parameters
from carla_unet_ros.ros.topic_types import count_publishers, find_wrong_type
from carla_unet_ros.segmentation.camera_status import CameraState

_RELIABILITY = {
    "reliable": ReliabilityPolicy.RELIABLE,
    "best_effort": ReliabilityPolicy.BEST_EFFORT,
}
RELIABILITIES = tuple(_RELIABILITY)
_NEWEST_OF_ANY = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)

Frame = Image | CompressedImage


class CameraInput:
    """The subscriptions of one camera. They exist from `listen` to `stop`.

    group:         the callback group of its frames; it says when frames may be taken
    on_frame:      gets each frame, and the number its publisher gave it, or None without one
    on_size:       gets the size of the first camera_info after `ask_size`
    on_new_source: called when the numbers start anew: a new subscription, or another publisher

    calibration:   the newest camera_info, or None; other holders of the message rely on it
    """

    def __init__(
        self,
        node: Node,
        topics: CameraTopics,
        reliability: str,
        log: RcutilsLogger,
        group: CallbackGroup,
        on_frame: Callable[[Frame, int | None], None],
        on_new_source: Callable[[], None],
        on_size: Callable[[Size], None],
    ) -> None:
        self.calibration: CameraInfo | None = None
        self._node = node
        self._topics = topics
        self._reliability = reliability
        self._log = log
        self._group = group
        self._on_frame = on_frame
        self._on_new_source = on_new_source
        self._on_size = on_size
        self._publishers = 0
        self._incompatible = ""
        self._subscriptions: list[Subscription] = []
        self._asking: Subscription | None = None

    @property
    def listens(self) -> bool:
        return bool(self._subscriptions)

    def ask_size(self) -> None:
        """Takes one camera_info, also while nobody wants the frames."""
        self.stop_asking()
        self._asking = self._node.create_subscription(
            CameraInfo, self._topics.camera_info, self._on_asked, _NEWEST_OF_ANY
        )

    def stop_asking(self) -> None:
        if self._asking is not None:
            self._node.destroy_subscription(self._asking)
            self._asking = None

    def listen(self) -> None:
        """Subscribes, unless it has already."""
        if self._subscriptions:
            return
        self._incompatible = ""
        self._on_new_source()
        subscribe, topics = self._node.create_subscription, self._topics
        events = SubscriptionEventCallbacks(
            incompatible_qos=self._on_incompatible, matched=self._on_publishers
        )
        self._subscriptions = [
            subscribe(CameraInfo, topics.camera_info, self._on_calibration, _NEWEST_OF_ANY),
            subscribe(
                CompressedImage if topics.compressed else Image,
                topics.image,
                # rclpy hands a callback of two arguments the message's numbers too.
                self._on_image,  # pyright: ignore[reportArgumentType]
                QoSProfile(depth=1, reliability=_RELIABILITY[self._reliability]),
                callback_group=self._group,
                event_callbacks=events,
                qos_overriding_options=self._overridable(),
            ),
        ]

    def stop(self) -> None:
        """Unsubscribes, and forgets the calibration: it may have changed at the next `listen`."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
        self.calibration = None

    def state(self) -> CameraState:
        wrong_type = find_wrong_type(self._node, self._subscriptions[-1:])
        return CameraState(
            topic=self._node.resolve_topic_name(self._topics.image),
            listening=self.listens,
            publishers=self._count_publishers(),
            incompatible=wrong_type or self._incompatible,
            reliability=self._reliability,
        )

    def _count_publishers(self) -> int:
        if self._subscriptions:
            return count_publishers(self._node, self._subscriptions[-1])
        return self._node.count_publishers(self._topics.image)

    def _on_image(self, message: Frame, info: dict[str, Any]) -> None:
        # Each publisher numbers its own frames, so the gaps between two publishers' say nothing.
        number = info.get("publication_sequence_number") if self._publishers < 2 else None
        self._on_frame(message, number)

    def _overridable(self) -> QoSOverridingOptions:
        """Which QoS of the frames may be overridden.

        Reliability only if it is: otherwise ROS would keep the first value of the node's parameter
        `reliability`, which can be changed.
        """
        topic = self._node.resolve_topic_name(self._topics.image)
        policies = [QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH]
        if f"qos_overrides.{topic}.subscription.reliability" in given_parameters(self._node):
            policies.append(QoSPolicyKind.RELIABILITY)
        return QoSOverridingOptions(policies)

    def _on_asked(self, message: CameraInfo) -> None:
        self.stop_asking()
        self._on_size(Size(message.width, message.height))

    def _on_calibration(self, message: CameraInfo) -> None:
        self.calibration = message

    def _on_publishers(self, event: QoSSubscriptionMatchedInfo) -> None:
        self._publishers = event.current_count
        self._on_new_source()

    def _on_incompatible(self, event: QoSRequestedIncompatibleQoSInfo) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        self._incompatible = (
            f"a publisher offers another {policy} than the node asks for (reliability is "
            f"{self._reliability!r}); best_effort accepts every publisher"
        )
        self._log.warning(f"no images from {self._topics.image}: {self._incompatible}")
