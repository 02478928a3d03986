# SPDX-License-Identifier: Apache-2.0
"""Reads camera frames and their labels from a rosbag2 recording, paired by stamp; no ROS.

A bag is read twice: first its stamps, which tell the pairs; then the chosen frames. So a bag may
be larger than the memory, and frames are chosen from the whole drive.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from carla_unet_ros.labels import Uint8
from carla_unet_ros.labels.semantic_images import tags_in_red
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.ros.image_messages import BadFrame, to_semantic
from carla_unet_ros.training.bags.damage import BagError
from carla_unet_ros.training.bags.drives import Moment, find_starts
from carla_unet_ros.training.bags.reading import Bag, BagMessage
from carla_unet_ros.training.data.tag_recognition import colours_in

_LABELS_LOOKED_AT = 64
_ADVICE = "name the topics with --rgb-topic and --label-topic"


@dataclass
class BagIndex:
    """The topics and messages of a bag.

    frames, labels: how often each moment occurs
    colours:        (R, G, B) in a sample of the label images, spread over the drive
    drives:         how many there are; time starts again at the beginning of each
    damaged:        messages by topic that cannot be read, and why the first one cannot
    unreadable:     why the first unreadable label image of the sample cannot be read, or ""
    damage:         why the bag could be read only in part, or ""
    lost:           a sentence if other numbers of messages came than promised, or ""
    """

    frames: Counter[Moment] = field(default_factory=Counter)
    labels: Counter[Moment] = field(default_factory=Counter)
    colours: set[tuple[int, int, int]] = field(default_factory=set)
    drives: int = 1
    damaged: Counter[str] = field(default_factory=Counter)
    first_damaged: str = ""
    unreadable: str = ""
    damage: str = ""
    lost: str = ""

    @property
    def paired(self) -> list[Moment]:
        """Moments that occur once in each topic, rising. Others cannot be paired safely."""
        both = self.frames.keys() & self.labels.keys()
        return sorted(moment for moment in both if self.frames[moment] == self.labels[moment] == 1)


class Pairing(NamedTuple):
    """A frame's message and the label message of its moment, not decoded yet."""

    moment: Moment
    frame: Any
    labels: Any


class PairedBag(AbstractContextManager["PairedBag"]):
    """A bag (folder, .mcap or .db3 file) opened for its camera and its semantic camera."""

    def __init__(self, path: Path, frame_topic: str, label_topic: str) -> None:
        """Raises BagError if it is no bag, is damaged or lacks a topic, or if its camera_info
        messages say that the two cameras do not see the same."""
        self._topics = frame_topic, label_topic
        self._starts: list[int] = []
        self._damage = ""
        self._bag = Bag(path)
        try:
            for topic in self._topics:
                self._bag.check_images(topic, _ADVICE)
            self._check_calibrations()
        except BagError:
            self._bag.close()
            raise

    def __exit__(self, *_: object) -> None:
        self._bag.close()

    def index(self) -> BagIndex:
        """Reads every stamp, in a damaged bag those before the damage."""
        index = BagIndex()
        _, labels = self._topics
        messages: list[tuple[bool, int]] = []
        came = Counter(dict.fromkeys(self._topics, 0))
        stride = max(1, self._bag.promised(labels) // _LABELS_LOOKED_AT)
        try:
            for topic, message in self._decoded("stamps", index):
                is_labels = topic == labels
                if is_labels and came[topic] % stride == 0:
                    _look_at(message, index)
                came[topic] += 1
                messages.append((is_labels, _stamp(message)))
        except BagError as error:
            index.damage = self._damage = str(error)
        else:
            index.lost = self._bag.why_lost(came + index.damaged)
        self._starts = find_starts(messages)
        index.drives = len(self._starts) + 1
        for place, (is_labels, stamp) in enumerate(messages):
            counter = index.labels if is_labels else index.frames
            counter[self._moment(place, stamp)] += 1
        return index

    def pairs(self, moments: list[Moment]) -> Iterator[Pairing]:
        """Yields the pairs of these moments, all of `BagIndex.paired`, as they become complete."""
        wanted = set(moments)
        waiting: dict[Moment, Any] = {}
        try:
            for place, (topic, message) in enumerate(self._decoded("pairs", BagIndex())):
                moment = self._moment(place, _stamp(message))
                if moment not in wanted:
                    continue
                if moment not in waiting:
                    waiting[moment] = message
                    continue
                other = waiting.pop(moment)
                is_labels = topic == self._topics[1]
                frame, labels = (other, message) if is_labels else (message, other)
                yield Pairing(moment, frame, labels)
        except BagError:
            if not self._damage:  # else the index ends there, too, and all pairs came before
                raise

    def _moment(self, place: int, stamp: int) -> Moment:
        return Moment(bisect_right(self._starts, place), stamp)

    def _decoded(self, progress: str, index: BagIndex) -> Iterator[tuple[str, Any]]:
        """Yields topic and message in the bag's order; counts damaged messages in the index."""
        for message in self._bag.messages(self._topics, progress=progress):
            decoded = self._decode(message, index)
            if decoded is not None:
                yield message.topic, decoded

    def _decode(self, message: BagMessage, index: BagIndex) -> Any:
        try:
            return self._bag.decode(message)
        except BadFrame as error:
            index.damaged[message.topic] += 1
            index.first_damaged = index.first_damaged or str(error)
            return None

    def _check_calibrations(self) -> None:
        """Refuses two cameras of different fields of view: their pairs would be wrong."""
        topics = [CameraTopics(topic).camera_info for topic in self._topics]
        frame, labels = (self._calibration(topic) for topic in topics)
        if frame and labels and not np.allclose(frame, labels, rtol=1e-6):
            raise BagError(
                f"the cameras differ: {topics[0]} has k = {frame}, {topics[1]} has "
                f"k = {labels}; give both one size, field of view and pose, as "
                "config/carla_objects.json does"
            )

    def _calibration(self, topic: str) -> list[float] | None:
        """k of the first camera_info on a topic; None if there is none, or it is damaged.

        Damage is reported when the images are read.
        """
        try:
            for message in self._bag.messages([topic], ["sensor_msgs/msg/CameraInfo"]):
                return self._bag.decode(message).k.tolist()
        except (BagError, BadFrame):
            pass
        return None


def label_image(message: Any) -> Uint8:
    """A semantic image as uint8 [H, W, 4] in B, G, R, A; raw tags are only in the red channel.

    Raises BadFrame.
    """
    return tags_in_red(to_semantic(message))


def _look_at(message: Any, index: BagIndex) -> None:
    """Adds the colours of a label image to the index, or why it cannot be read."""
    try:
        index.colours |= colours_in(label_image(message))
    except BadFrame as error:
        index.unreadable = index.unreadable or str(error)


def _stamp(message: Any) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
