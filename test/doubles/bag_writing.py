# SPDX-License-Identifier: Apache-2.0
"""Bags of images for tests, written without ROS."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

TYPES = get_typestore(Stores.ROS2_JAZZY)
RGB = "/carla/ego_vehicle/rgb_front/image"
LABELS = "/carla/ego_vehicle/semantic_segmentation_front/image"


class Calibrated(NamedTuple):
    """A camera_info on a topic, with this focal length in pixels."""

    topic: str
    focal: float


class Recorded(NamedTuple):
    """An image uint8 or uint16 [H, W] or [H, W, channels] on a topic; stamp in nanoseconds.

    padding: bytes added to each row; suffix: encode it as CompressedImage, ".png" or ".jpg"
    """

    topic: str
    stamp: int
    image: np.ndarray
    encoding: str = "bgra8"
    padding: int = 0
    suffix: str = ""


def write_bag(
    path: Path,
    entries: Iterable[Recorded | Calibrated],
    storage: str = "SQLITE3",
    compression: str = "",
) -> Path:
    """A bag; compression: what is compressed with zstd: FILE, MESSAGE or, in MCAP, STORAGE."""
    connections: dict[str, Any] = {}
    writer = Writer(path, version=9, storage_plugin=StoragePlugin[storage])
    if compression:
        writer.set_compression(CompressionMode[compression], CompressionFormat.ZSTD)
    with writer:
        for place, entry in enumerate(entries):
            message = _message(entry) if isinstance(entry, Recorded) else _camera_info(entry)
            kind: str = message.__msgtype__
            if entry.topic not in connections:
                connections[entry.topic] = writer.add_connection(
                    entry.topic, kind, typestore=TYPES
                )
            raw = TYPES.serialize_cdr(message, kind)
            writer.write(connections[entry.topic], 10**18 + place, raw)
    return path


def _header(stamp: int) -> Any:
    seconds, nanoseconds = divmod(stamp, 10**9)
    return TYPES.types["std_msgs/msg/Header"](
        stamp=TYPES.types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds),
        frame_id="ego_vehicle/camera",
    )


def _camera_info(entry: Calibrated) -> Any:
    types = TYPES.types
    region = types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    k = np.array([entry.focal, 0, 20, 0, entry.focal, 12, 0, 0, 1.0])
    return types["sensor_msgs/msg/CameraInfo"](
        _header(0), 24, 40, "plumb_bob", np.zeros(5), k, np.zeros(9), np.zeros(12), 0, 0, region
    )


def _message(image: Recorded) -> Any:
    types = TYPES.types
    header = _header(image.stamp)
    if image.suffix:
        pixels = image.image if image.image.ndim == 2 else image.image[..., :3]
        data = cv2.imencode(image.suffix, pixels)[1].ravel()
        return types["sensor_msgs/msg/CompressedImage"](
            header=header, format=f"bgr8; {image.suffix[1:]} compressed", data=data
        )
    height, width = image.image.shape[:2]
    rows = np.ascontiguousarray(image.image).view(np.uint8).reshape(height, -1)
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
