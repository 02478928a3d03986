# SPDX-License-Identifier: Apache-2.0
"""Reads camera frames and their labels from a rosbag2 recording, paired by stamp; no ROS.

A bag is read twice: first its stamps, which tell the pairs; then the chosen frames. So a bag may
be larger than the memory, and frames are chosen from the whole drive.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader, ReaderError
from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_typestore
from tqdm import tqdm

from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import Uint8
from carla_unet_ros.labels.semantic_images import tags_in_red
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.ros.image_messages import BadFrame, to_semantic
from carla_unet_ros.training.data.tag_recognition import colours_in

_IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
_LABELS_LOOKED_AT = 64


class BagError(InputError):
    """A bag that cannot be used; the text says what was found and what to do."""


@dataclass
class BagIndex:
    """The topics and messages of a bag. Stamps are nanoseconds of the messages' headers.

    frames, labels: how often each stamp occurs
    colours:        (R, G, B) in a sample of the label images, spread over the drive
    """

    frames: Counter[int] = field(default_factory=Counter)
    labels: Counter[int] = field(default_factory=Counter)
    colours: set[tuple[int, int, int]] = field(default_factory=set)

    @property
    def paired(self) -> list[int]:
        """Stamps that occur once in each topic, rising. Others cannot be paired safely."""
        both = self.frames.keys() & self.labels.keys()
        return sorted(stamp for stamp in both if self.frames[stamp] == self.labels[stamp] == 1)


class Pairing(NamedTuple):
    """A frame's message and the label message of its stamp, not decoded yet."""

    stamp: int
    frame: Any
    labels: Any


class PairedBag:
    """A bag (folder, .mcap or .db3 file) opened for its camera and its semantic camera."""

    def __init__(self, path: Path, frame_topic: str, label_topic: str) -> None:
        """Raises BagError if it is no bag, is damaged or lacks a topic, or if its camera_info
        messages say that the two cameras do not see the same."""
        # These messages have the same layout in every ROS 2, so the definitions in the bag, which
        # may be wrong for other topics, are not needed.
        self._types = get_typestore(Stores.ROS2_JAZZY)
        try:
            self._reader = Reader(path)
            self._reader.open()
        except (ReaderError, OSError, sqlite3.Error) as error:
            raise BagError(
                f"{path} cannot be read as a rosbag2 recording ({error}); a recording that was "
                "killed has no metadata.yaml: `ros2 bag reindex` writes it"
            ) from error
        try:
            self._frames = self._connections(frame_topic)
            self._labels = self._connections(label_topic)
            self._check_calibrations(frame_topic, label_topic)
        except BagError:
            self._reader.close()
            raise

    def __enter__(self) -> "PairedBag":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reader.close()

    def index(self) -> BagIndex:
        """Reads every stamp. BagError if the bag is damaged."""
        index = BagIndex()
        labels = sum(connection.msgcount for connection in self._labels)
        stride = max(1, labels // _LABELS_LOOKED_AT)
        for is_labels, message in self._messages("stamps"):
            counter = index.labels if is_labels else index.frames
            if is_labels and index.labels.total() % stride == 0:
                index.colours |= _colours_if_readable(message)
            counter[_stamp(message)] += 1
        return index

    def pairs(self, stamps: list[int]) -> Iterator[Pairing]:
        """Yields the pairs of these stamps, all of `BagIndex.paired`, as they become complete."""
        wanted = set(stamps)
        waiting: dict[int, Any] = {}
        for is_labels, message in self._messages("pairs"):
            stamp = _stamp(message)
            if stamp not in wanted:
                continue
            if stamp not in waiting:
                waiting[stamp] = message
                continue
            other = waiting.pop(stamp)
            frame, labels = (other, message) if is_labels else (message, other)
            yield Pairing(stamp, frame, labels)

    def _connections(self, topic: str) -> list[Connection]:
        images = [entry for entry in self._reader.connections if entry.msgtype in _IMAGES]
        found = [entry for entry in images if entry.topic == topic]
        if not found or not any(entry.msgcount for entry in found):
            topics = sorted({f"{entry.topic} ({entry.msgcount})" for entry in images})
            raise BagError(
                f"the bag has no images on {topic}; it has {', '.join(topics) or 'none at all'}; "
                "name the topics with --rgb-topic and --label-topic"
            )
        return found

    def _check_calibrations(self, frame_topic: str, label_topic: str) -> None:
        """Refuses two cameras of different fields of view: their pairs would be wrong."""
        topics = [CameraTopics(topic).camera_info for topic in (frame_topic, label_topic)]
        frame, labels = (self._calibration(topic) for topic in topics)
        if frame and labels and not np.allclose(frame, labels, rtol=1e-6):
            raise BagError(
                f"the cameras differ: {topics[0]} has k = {frame}, {topics[1]} has "
                f"k = {labels}; give both one size, field of view and pose, as "
                "config/carla_objects.json does"
            )

    def _calibration(self, topic: str) -> list[float] | None:
        """k of the first camera_info on a topic; None if there is none."""
        kind = "sensor_msgs/msg/CameraInfo"
        connections = [
            entry
            for entry in self._reader.connections
            if (entry.topic, entry.msgtype) == (topic, kind)
        ]
        for _, _, raw in self._reader.messages(connections) if connections else ():
            message: Any = self._types.deserialize_cdr(raw, kind)
            return message.k.tolist()
        return None

    def _messages(self, what: str) -> Iterator[tuple[bool, Any]]:
        """Yields (whether it is of the label topic, message) in the bag's order."""
        connections = [*self._frames, *self._labels]
        labels = {connection.id for connection in self._labels}
        total = sum(connection.msgcount for connection in connections)
        try:
            for connection, _, raw in tqdm(
                self._reader.messages(connections), what, total, unit="message", leave=False
            ):
                message = self._types.deserialize_cdr(raw, connection.msgtype)
                yield connection.id in labels, message
        except (ReaderError, SerdeError, sqlite3.Error) as error:
            raise BagError(f"the bag is damaged: {error}") from error


def label_image(message: Any) -> Uint8:
    """A semantic image as uint8 [H, W, 4] in B, G, R, A; raw tags are only in the red channel.

    Raises BadFrame.
    """
    return tags_in_red(to_semantic(message))


def _colours_if_readable(message: Any) -> set[tuple[int, int, int]]:
    try:
        return colours_in(label_image(message))
    except BadFrame:
        # It is counted and reported when the pair is read.
        return set()


def _stamp(message: Any) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
