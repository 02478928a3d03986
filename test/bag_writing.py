"""Bags of images for tests, written without ROS."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

TYPES = get_typestore(Stores.ROS2_JAZZY)
RGB = "/carla/ego_vehicle/rgb_front/image"
LABELS = "/carla/ego_vehicle/semantic_segmentation_front/image"


class Recorded(NamedTuple):
    """An image [H, W] or [H, W, channels] on a topic; stamp in nanoseconds.

    padding: bytes added to each row; suffix: encode it as CompressedImage, ".png" or ".jpg"
    """

    topic: str
    stamp: int
    image: np.ndarray
    encoding: str = "bgra8"
    padding: int = 0
    suffix: str = ""


def write_bag(path: Path, images: Iterable[Recorded], storage: str = "SQLITE3") -> Path:
    connections: dict[str, Any] = {}
    with Writer(path, version=9, storage_plugin=StoragePlugin[storage]) as writer:
        for place, image in enumerate(images):
            kind = "CompressedImage" if image.suffix else "Image"
            kind = f"sensor_msgs/msg/{kind}"
            if image.topic not in connections:
                connections[image.topic] = writer.add_connection(
                    image.topic, kind, typestore=TYPES
                )
            raw = TYPES.serialize_cdr(_message(image), kind)
            writer.write(connections[image.topic], 10**18 + place, raw)
    return path


def _message(image: Recorded) -> Any:
    types = TYPES.types
    seconds, nanoseconds = divmod(image.stamp, 10**9)
    header = types["std_msgs/msg/Header"](
        stamp=types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds),
        frame_id="ego_vehicle/camera",
    )
    if image.suffix:
        data = cv2.imencode(image.suffix, image.image[..., :3])[1].ravel()
        return types["sensor_msgs/msg/CompressedImage"](
            header=header, format=f"bgr8; {image.suffix[1:]} compressed", data=data
        )
    height, width = image.image.shape[:2]
    rows = image.image.reshape(height, -1)
    rows = np.pad(rows, ((0, 0), (0, image.padding)), constant_values=77)
    return types["sensor_msgs/msg/Image"](
        header=header,
        height=height,
        width=width,
        encoding=image.encoding,
        is_bigendian=0,
        step=rows.shape[1],
        data=rows.ravel(),
    )
