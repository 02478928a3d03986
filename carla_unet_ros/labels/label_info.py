# SPDX-License-Identifier: Apache-2.0
"""The legend as vision_msgs/LabelInfo, the message that Nav2's semantic layers read.

It says less than the JSON of the `legend` topic: ids and names, no colours and no model. Both
are made from one `Legend`.

Message types are imported when a message is made: vision_msgs is no part of ROS's base, and
training uses this room on machines without ROS.
"""

from typing import TYPE_CHECKING, Any

from carla_unet_ros.labels.legend import Legend

if TYPE_CHECKING:
    from builtin_interfaces.msg import Time


def label_info_type() -> type | None:
    """vision_msgs/LabelInfo, or None where vision_msgs is not installed."""
    try:
        from vision_msgs.msg import LabelInfo  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    return LabelInfo


def label_info(legend: Legend, stamp: "Time") -> Any:
    """The legend as a LabelInfo message.

    class_map: one entry for each class that a published label image may hold
    threshold: the legend's min_confidence, 0..1

    ImportError where vision_msgs is missing.
    """
    from vision_msgs.msg import LabelInfo, VisionClass  # pyright: ignore[reportMissingImports]

    message = LabelInfo()
    message.header.stamp = stamp
    message.class_map = [
        VisionClass(class_id=label.id, class_name=label.name) for label in legend.published_classes
    ]
    message.threshold = float(legend.min_confidence)
    return message
