# SPDX-License-Identifier: Apache-2.0
"""Reads the camera frames of a rosbag2 recording, with or without labels; needs no ROS."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from carla_unet_ros.ros.image_messages import BadFrame, to_bgra
from carla_unet_ros.training.bags.damage import BagError
from carla_unet_ros.training.bags.reading import Bag, BagMessage
from carla_unet_ros.training.labelling.frames import NamedFrame


class FrameBag:
    """The frames of one topic, named by their place in the bag, six digits or more.

    problem: why not all frames that the bag promises could be read, or ""

    Raises BagError if it is no bag, has no images on the topic, or is damaged before the first.
    """

    def __init__(self, path: Path, topic: str) -> None:
        self._path, self._topic = path, topic
        self.names: list[str] = []
        self.problem = ""
        with Bag(path) as bag:
            bag.check_images(topic, "name the topic with --topic")
            try:
                for _ in bag.messages([topic]):
                    self.names.append(f"{len(self.names):06}")
            except BagError as error:
                self.problem = str(error)
            else:
                self.problem = bag.why_lost(Counter({topic: len(self.names)}))
        if not self.names:
            raise BagError(self.problem)

    def read(self, names: Sequence[str]) -> Iterator[NamedFrame]:
        wanted = set(names)
        with Bag(self._path) as bag:
            # Not beyond the last name: the bag may be damaged there.
            for name, message in zip(self.names, bag.messages([self._topic]), strict=False):
                if name in wanted:
                    yield _read(name, bag, message)


def _read(name: str, bag: Bag, message: BagMessage) -> NamedFrame:
    try:
        frame = to_bgra(bag.decode(message))
    except BadFrame as error:
        return NamedFrame(name, None, f"frame {name}: {error}")
    return NamedFrame(name, np.ascontiguousarray(frame[..., :3]))
