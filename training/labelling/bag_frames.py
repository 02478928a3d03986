# SPDX-License-Identifier: Apache-2.0
"""Reads the camera frames of a rosbag2 recording, with or without labels; needs no ROS."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag2 import Reader, ReaderError
from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_typestore

from carla_unet_ros.ros.image_messages import BadFrame, to_bgra
from carla_unet_ros.training.data.bag_pairs import BagError
from carla_unet_ros.training.labelling.frames import NamedFrame

_IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")


class FrameBag:
    """Frames of one topic, named by their place in the bag.

    Raises BagError if it is no bag, is damaged, or has no images on the topic.
    """

    def __init__(self, path: Path, topic: str) -> None:
        self._path, self._topic = path, topic
        self._types = get_typestore(Stores.ROS2_JAZZY)
        self.names = [f"{place:06}" for place, _ in enumerate(self._messages())]
        if not self.names:
            raise BagError(f"{path} has no frames on {topic}")

    def read(self, names: Sequence[str]) -> Iterator[NamedFrame]:
        wanted = set(names)
        for place, message in enumerate(self._messages()):
            name = f"{place:06}"
            if name not in wanted:
                continue
            try:
                yield NamedFrame(name, np.ascontiguousarray(to_bgra(message())[..., :3]))
            except BadFrame as error:
                yield NamedFrame(name, None, f"frame {name}: {error}")

    def _messages(self) -> Iterator[Any]:
        """Yields a function for each message of the topic; it decodes the message."""
        try:
            with Reader(self._path) as reader:
                images = [entry for entry in reader.connections if entry.msgtype in _IMAGES]
                found = [entry for entry in images if entry.topic == self._topic]
                if not found:
                    topics = ", ".join(sorted({entry.topic for entry in images})) or "none at all"
                    raise BagError(
                        f"the bag has no images on {self._topic}; it has {topics}; name the topic "
                        "with --topic"
                    )
                for connection, _, raw in reader.messages(found):
                    yield lambda raw=raw, kind=connection.msgtype: self._types.deserialize_cdr(
                        raw, kind
                    )
        except (ReaderError, SerdeError, sqlite3.Error, OSError) as error:
            raise BagError(
                f"{self._path} cannot be read as a rosbag2 recording: {error}"
            ) from error
