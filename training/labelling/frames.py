# SPDX-License-Identifier: Apache-2.0
"""Reads frames without labels from a folder of pictures. No torch, no ROS.

A folder may hold the pictures itself, or in rgb/ or CameraRGB/. Pictures are read one at a time,
so that an hour of driving needs no more memory than a minute.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from carla_unet_ros.labels import Uint8
from carla_unet_ros.pictures import PictureError, read_colours
from carla_unet_ros.training.data.folders import LAYOUTS
from carla_unet_ros.training.data.frame_names import DataError, files_by_name, why_no_frames


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

    def _read(self, name: str) -> NamedFrame:
        try:
            return NamedFrame(name, read_colours(self._folder / self._files[name]))
        except PictureError as error:
            return NamedFrame(name, None, str(error))
