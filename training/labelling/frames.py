"""Frames without labels: a folder of pictures, or the camera topic of a bag. No torch, no ROS.

    for name, frame in open_frames(path, topic): ...    frame uint8 [H, W, 3], B, G, R

A folder may hold the pictures itself, or in rgb/ or CameraRGB/. Pictures are read one at a time,
so that an hour of driving needs no more memory than a minute.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from carla_unet_ros.labels import Uint8
from carla_unet_ros.training.data.folders import LAYOUTS, DataError

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")


class NamedFrame(NamedTuple):
    """name: without suffix, unique in its source; frame: uint8 [H, W, 3], B, G, R, or None where
    the file or message cannot be read, and `problem` then says why."""

    name: str
    frame: Uint8 | None
    problem: str = ""


class FrameSource(Protocol):
    """names: all of it, in order; read: those asked for, in order."""

    names: list[str]

    def read(self, names: Sequence[str]) -> Iterator[NamedFrame]: ...


class FrameFolder:
    """The pictures of a folder. DataError where there are none."""

    def __init__(self, folder: Path) -> None:
        places = [folder / frames for frames in dict.fromkeys(layout[0] for layout in LAYOUTS)]
        self._folder = next((place for place in places if place.is_dir()), folder)
        files = sorted(
            entry for entry in self._folder.iterdir() if entry.suffix.lower() in _SUFFIXES
        )
        self._files = {file.stem: file for file in files}
        self.names = list(self._files)
        if not files:
            raise DataError(
                f"{self._folder} holds no pictures; expected {', '.join(_SUFFIXES)} in it, or in "
                "its rgb/ or CameraRGB/"
            )
        if len(self._files) < len(files):
            twice = next(f for f, g in pairwise(files) if f.stem == g.stem)
            raise DataError(f"{self._folder} holds two pictures named {twice.stem}: remove one")

    def read(self, names: Sequence[str]) -> Iterator[NamedFrame]:
        for name in names:
            frame = cv2.imread(str(self._files[name]), cv2.IMREAD_COLOR)
            if frame is None:
                yield NamedFrame(name, None, f"{self._files[name]} cannot be read as an image")
            else:
                yield NamedFrame(name, np.asarray(frame, np.uint8))


def open_frames(path: Path, topic: str) -> FrameSource:
    """A folder of pictures, or a bag (folder with metadata.yaml, .mcap or .db3 file).

    topic: the bag's camera topic

    Raises DataError where it is neither, BagError for a bag that cannot be used.
    """
    if (path / "metadata.yaml").is_file() or path.suffix in (".mcap", ".db3"):
        from carla_unet_ros.training.labelling.bag_frames import FrameBag

        return FrameBag(path, topic)
    if not path.is_dir():
        raise DataError(
            f"{path} is no folder; expected a folder of pictures, or a rosbag2 recording"
        )
    return FrameFolder(path)
