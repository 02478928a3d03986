# SPDX-License-Identifier: Apache-2.0
"""One image of a camera as two topics: as it is, and compressed for networks and bags.

    <topic>              sensor_msgs/Image
    <topic>/compressed   sensor_msgs/CompressedImage: PNG, which keeps every id, or JPEG

Each is made only while it has a subscriber.
"""

from collections.abc import Callable

from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from carla_unet_ros.labels import Uint8
from carla_unet_ros.ros.image_messages import to_compressed_message, to_image_message

_DEPTH = 5


class ImageOutput:
    """The two publishers of an image.

    encoding:   of the image, mono8 or bgr8
    jpeg:       quality of the compressed form, 1..100; None makes it a PNG
    on_matched: called when somebody subscribes, or no longer does
    """

    def __init__(
        self,
        node: Node,
        topic: str,
        encoding: str,
        on_matched: Callable[[], None],
        jpeg: int | None = None,
    ) -> None:
        self._node = node
        self._encoding = encoding
        self._jpeg = jpeg
        self._raw, self._compressed = (
            node.create_publisher(
                kind,
                name,
                QoSProfile(depth=_DEPTH),
                event_callbacks=PublisherEventCallbacks(matched=lambda _: on_matched()),
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            )
            for kind, name in ((Image, topic), (CompressedImage, f"{topic}/compressed"))
        )

    @property
    def wanted(self) -> bool:
        """True if the image has a subscriber in either form."""
        return bool(
            self._raw.get_subscription_count() or self._compressed.get_subscription_count()
        )

    def publish(self, image: Uint8, header: Header) -> None:
        """Publishes the image as it is, if somebody subscribes to that."""
        if self._raw.get_subscription_count():
            self._raw.publish(to_image_message(image, self._encoding, header))

    def publish_compressed(self, image: Uint8, header: Header) -> None:
        """Publishes the image compressed, if somebody subscribes to that."""
        if self._compressed.get_subscription_count():
            message = to_compressed_message(image, self._encoding, header, self._jpeg)
            self._compressed.publish(message)

    def close(self) -> None:
        self._node.destroy_publisher(self._raw)
        self._node.destroy_publisher(self._compressed)
