# SPDX-License-Identifier: Apache-2.0
"""Reads frames without labels from a folder of pictures. No torch, no ROS.

A folder may hold the pictures itself, or in rgb/ or CameraRGB/. Pictures are read one at a time,
so that an hour of driving needs no more memory than a minute.
"""

from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple, Protocol

from carla_unet_ros.labels import Uint8
from carla_unet_ros.pictures import PictureError, read_colours
from carla_unet_ros.training.data.folders import LAYOUTS
from carla_unet_ros.training.data.frame_names import (
    DataError,
    files_by_name,
    read_list,
    why_no_frames,
)
from carla_unet_ros.training.data.splits import evenly_spread


class NamedFrame(NamedTuple):
    """A frame of a source.

    name:    without suffix, unique in its source
    frame:   uint8 [H, W, 3], B, G, R; None if the file or message cannot be read
    problem: why it cannot be read, or ""
    """

    name: str
    frame: Uint8 | None
    problem: str = ""


class FrameSource(Protocol):
    """A source of frames. `names` lists all in order; `read` yields those named, in order.

    problem: why there are fewer frames than there should be, or ""
    """

    names: list[str]
    problem: str

    def read(self, names: Sequence[str]) -> Iterator[NamedFrame]: ...


class FrameFolder:
    """The pictures of a folder. Raises DataError if there are none."""

    problem = ""

    def __init__(self, folder: Path) -> None:
        places = [folder / frames for frames in dict.fromkeys(layout[0] for layout in LAYOUTS)]
        self._folder = next((place for place in places if place.is_dir()), folder)
        self._files = files_by_name(self._folder)
        self.names = list(self._files)
        if not self.names:
            raise DataError(why_no_frames(self._folder))

    def read(self, names: Sequence[str]) -> Iterator[NamedFrame]:
        return map(self._read, names)

    def read_frame(self, name: str) -> Uint8:
        """Frame [H, W, 3], B, G, R. Raises DataError where it is missing or cannot be read."""
        if name not in self._files:
            raise DataError(f"{self._folder} has no frame {name!a}")
        found = self._read(name)
        if found.frame is None:
            raise DataError(found.problem)
        return found.frame

    def _read(self, name: str) -> NamedFrame:
        try:
            return NamedFrame(name, read_colours(self._folder / self._files[name]))
        except PictureError as error:
            return NamedFrame(name, None, str(error))


def mixed_frames(folders: Sequence[Path], most: int) -> Iterator[Uint8]:
    """Frames of folders in turns, at most so many of each, evenly spread; [H, W, 3], B, G, R.

    A folder with a train.txt gives frames of that list. Raises DataError.
    """
    places: list[tuple[float, FrameFolder, str]] = []
    for folder in folders:
        source, chosen = FrameFolder(folder), folder / "train.txt"
        names = read_list(chosen) if chosen.is_file() else source.names
        spread = evenly_spread(len(names), most)
        places += [
            (place / len(spread), source, names[index]) for place, index in enumerate(spread)
        ]
    for _, source, name in sorted(places, key=itemgetter(0)):
        yield source.read_frame(name)
