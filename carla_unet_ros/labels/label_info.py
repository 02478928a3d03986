"""Class names as vision_msgs/LabelInfo, which Nav2's semantic layers wait for.

vision_msgs is no part of ROS's base; a node does without where it is not installed.
"""

from typing import Any

from builtin_interfaces.msg import Time

from carla_unet_ros.labels import LabelSet


def label_info_type() -> type | None:
    """vision_msgs/LabelInfo, or None where vision_msgs is not installed."""
    try:
        from vision_msgs.msg import LabelInfo  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    return LabelInfo


def label_info(labels: LabelSet, stamp: Time, frame_id: str = "") -> Any:
    """The message: one class_map entry per class. ImportError where vision_msgs is missing."""
    from vision_msgs.msg import LabelInfo, VisionClass  # pyright: ignore[reportMissingImports]

    message = LabelInfo()
    message.header.stamp = stamp
    message.header.frame_id = frame_id
    message.class_map = [
        VisionClass(class_id=label.id, class_name=label.name) for label in labels.classes
    ]
    return message
