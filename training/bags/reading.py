# SPDX-License-Identifier: Apache-2.0
"""Opens a rosbag2 recording and reads the messages of some topics; needs no ROS.

A recording may be cut short by a full disk, copied in part, or edited by hand. Whatever is wrong
with it ends in a BagError: a sentence that names the file and says what helps (`damage.py`).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader
from rosbags.rosbag2.reader import DirectoryReader
from rosbags.typesys import Stores, get_typestore
from tqdm import tqdm

from carla_unet_ros.pictures import shown
from carla_unet_ros.ros.image_messages import BadFrame
from carla_unet_ros.training.bags.damage import (
    METADATA,
    BagError,
    check_path,
    reason,
    recovery,
    why_unreadable,
)

IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")


class BagMessage(NamedTuple):
    """A message as it lies in the bag; `Bag.decode` reads it."""

    topic: str
    kind: str
    raw: bytes | memoryview


class Bag(AbstractContextManager["Bag"]):
    """A recording (folder, .mcap or .db3 file), open until `close`."""

    def __init__(self, path: Path) -> None:
        """Raises BagError if it is no recording, or is damaged."""
        check_path(path)
        self._path = path
        # These messages have the same layout in every ROS 2, so the definitions in the bag, which
        # may be wrong for other topics, are not needed.
        self._types = get_typestore(Stores.ROS2_JAZZY)
        try:
            self._reader = Reader(path)
            self._reader.open()
            self._promised = _image_counts(self._reader.connections)
            self._held = _image_counts(self._connections())
        except Exception as error:  # damage leads the parsers of the reader to any error
            raise BagError(why_unreadable(path, error)) from error

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._reader.close()

    def check_images(self, topic: str, advice: str) -> None:
        """Raises BagError if a topic has no images; `advice` says how to name another one."""
        if self._promised[topic] or self._held[topic]:
            return
        topics = ", ".join(f"{name} ({count})" for name, count in sorted(self._promised.items()))
        raise BagError(
            f"the bag has no images on {topic}; it has {topics or 'none at all'}; {advice}"
        )

    def promised(self, topic: str) -> int:
        """The number of images on a topic, as the bag's metadata promises it."""
        return self._promised[topic]

    def why_lost(self, came: Counter[str]) -> str:
        """Returns a sentence if other numbers of images came than promised, else "".

        came: how many images of each topic `messages` gave, 0 included
        """
        wrong = [
            f"{self._promised[topic]} images on {topic}, but {count} came"
            for topic, count in came.items()
            if count != self._promised[topic]
        ]
        source = f"{METADATA} of {shown(self._path)}" if self._path.is_dir() else shown(self._path)
        return f"{source} promises {', and '.join(wrong)}" if wrong else ""

    def messages(
        self, topics: Collection[str], kinds: Collection[str] = IMAGES, progress: str = ""
    ) -> Iterator[BagMessage]:
        """Messages of these types on these topics, in the bag's order. BagError at damage.

        progress: the name of a progress bar; "" for none
        """
        # Not the connections of metadata.yaml: the reader matches those by QoS, too. Where that
        # was edited by hand it drops every message silently.
        found = [
            entry
            for entry in self._connections()
            if entry.topic in topics and entry.msgtype in kinds
        ]
        if not found:  # the reader would give the messages of all topics
            return
        messages = self._reader.messages(found)
        total = sum(self._promised[topic] for topic in topics)
        with tqdm(None, progress, total, False, unit="message", disable=not progress) as bar:
            came = 0
            while entry := self._take(messages, topics, came):
                connection, _, raw = entry
                came += 1
                bar.update()
                yield BagMessage(connection.topic, connection.msgtype, raw)

    def decode(self, message: BagMessage) -> Any:
        """Returns the message with its fields. BadFrame if its bytes are damaged."""
        try:
            return self._types.deserialize_cdr(message.raw, message.kind)
        except Exception as error:
            raise BadFrame(f"the message is damaged: {reason(error)}") from error

    def _connections(self) -> list[Connection]:
        """What each of the bag's files says about its topics."""
        return [entry for storage in self._storages() for entry in storage.connections]

    def _storages(self) -> list[Any]:
        """The readers of the bag's files."""
        storage = self._reader.storage
        return storage.storages if isinstance(storage, DirectoryReader) else [storage]

    def _take(self, messages: Iterator[Any], topics: Collection[str], came: int) -> Any:
        """The next entry or None. BagError, which says how many came before, at damage.

        Damage leads the reader's parsers to errors of many kinds: of SQLite, zstd and struct, to
        keys that are missing, to sizes for which there is no memory.
        """
        try:
            return next(messages, None)
        except Exception as error:
            file = self._file_at(topics, came)
            raise BagError(
                f"{shown(file)} is damaged after {came} messages of {' and '.join(topics)} "
                f"({reason(error)}){recovery(file)}"
            ) from error

    def _file_at(self, topics: Collection[str], place: int) -> Path:
        """The file of the bag that holds the message with this number."""
        storages = self._storages()
        storage = storages[-1]
        for storage in storages:
            place -= sum(entry.msgcount for entry in storage.connections if entry.topic in topics)
            if place < 0:
                break
        if not self._path.is_dir():
            return self._path
        file = self._path / storage.path.name
        return file if file.exists() else file.with_name(f"{file.name}.zstd")


def _image_counts(connections: Iterable[Connection]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for entry in connections:
        if entry.msgtype in IMAGES:
            counts[entry.topic] += int(entry.msgcount)
    return counts
