# SPDX-License-Identifier: Apache-2.0
"""Sources of the stand-in camera: the drawn drive, or a folder of recorded pairs."""

from pathlib import Path
from typing import NamedTuple, Protocol

from carla_unet_ros.labels import LabelSet, Uint8, carla_13, mapping
from carla_unet_ros.stand_in.drive import Drive
from carla_unet_ros.training.data.folders import PairFolder, camera_frame


class View(NamedTuple):
    """frame: uint8 [H, W, 4], B G R A; tags: uint8 [H, W], ids of the source's label set."""

    frame: Uint8
    tags: Uint8


class CameraSource(Protocol):
    """Gives views in the order of time.

    tags:  the label set of their ids
    about: what they show, for the log
    """

    tags: LabelSet
    about: str

    def view(self, number: int) -> View:
        """View `number`, counted from 0. The same number gives the same view."""
        ...


class DriveSource:
    """A drive at `rate` views per second; its ids are the tags of a CARLA version."""

    def __init__(self, drive: Drive, tags: LabelSet, rate: float, about: str) -> None:
        self.tags, self.about = tags, about
        self._drive, self._rate = drive, rate
        self._table = mapping(carla_13(), tags)

    def view(self, number: int) -> View:
        scene = self._drive.at(number / self._rate)
        return View(scene.frame, self._table[scene.labels])


class FolderSource:
    """Recorded pairs in the order of their names; after the last one it begins again.

    The masks hold `tags`. DataError as in PairFolder.
    """

    def __init__(self, folder: Path, tags: LabelSet) -> None:
        self._pairs = PairFolder(folder, tags.carla_tags, tags)
        self.tags = tags
        self.about = f"the {len(self._pairs)} pairs of {folder}"

    def view(self, number: int) -> View:
        pair = self._pairs.read(number % len(self._pairs))
        return View(camera_frame(pair.frame), pair.labels)
