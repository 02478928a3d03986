# SPDX-License-Identifier: Apache-2.0
"""Finds topics that carry another type than a node expects: nothing arrives on them.

DDS connects no reader with a writer of another type, and reports nothing.
"""

from collections.abc import Iterable
from typing import Any

from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image


def find_wrong_type(node: Node, subscriptions: Iterable[Subscription]) -> str:
    """Returns a sentence about the first topic whose publishers all have another type, or ""."""
    for subscription in subscriptions:
        topic, expected = subscription.topic_name, _name(subscription.msg_type)
        found = {info.topic_type for info in node.get_publishers_info_by_topic(topic)}
        if found and expected not in found:
            carried = " and ".join(sorted(found))
            return f"{topic} carries {carried}, expected {expected}{_advice(topic, found)}"
    return ""


def count_publishers(node: Node, subscription: Subscription) -> int:
    """The number of publishers of a subscription's topic that have its type."""
    infos = node.get_publishers_info_by_topic(subscription.topic_name)
    return sum(info.topic_type == _name(subscription.msg_type) for info in infos)


def _name(message: Any) -> str:
    """The ROS name of a message class, such as sensor_msgs/msg/Image."""
    return f"{message.__module__.partition('.')[0]}/msg/{message.__name__}"


def _advice(topic: str, found: set[str]) -> str:
    """How an image topic of the other kind can be taken."""
    if _name(CompressedImage) in found and not topic.endswith("/compressed"):
        return (
            "; segmentation_node takes compressed frames from names that end in /compressed: name "
            f"{topic}/compressed and remap it (-r {topic}/compressed:={topic})"
        )
    if _name(Image) in found and topic.endswith("/compressed"):
        plain = f"{topic.removesuffix('/compressed')}/raw"
        return (
            "; a name that ends in /compressed stands for compressed frames: name "
            f"{plain} and remap it (-r {plain}:={topic})"
        )
    return ""
