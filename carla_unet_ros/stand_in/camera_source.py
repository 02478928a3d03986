# SPDX-License-Identifier: Apache-2.0
"""Sources of the stand-in camera: the drawn drive, or a folder of recorded pairs."""

from pathlib import Path
from typing import NamedTuple, Protocol

from carla_unet_ros.labels import LabelSet, Uint8, carla_13, mapping
from carla_unet_ros.stand_in.car_motion import CarMotion
from carla_unet_ros.stand_in.drive import Drive
from carla_unet_ros.stand_in.town.light import Floats
from carla_unet_ros.training.data.folders import PairFolder, camera_frame


class View(NamedTuple):
    """One moment, as three cameras of one pose see it.

    frame: uint8 [H, W, 4], B G R A
    tags:  uint8 [H, W], ids of the source's label set
    depth: metres ahead of the camera, float32 [H, W], where it was asked for
    car:   where the car is, where the source knows it
    """

    frame: Uint8
    tags: Uint8
    depth: Floats | None = None
    car: CarMotion | None = None


class CameraSource(Protocol):
    """Gives views in the order of time.

    tags:      the label set of their ids
    about:     what they show, for the log
    has_depth: whether it knows how far things are, and where the car is
    """

    tags: LabelSet
    about: str
    has_depth: bool

    def view(self, number: int, depth: bool = False) -> View:
        """View `number`, counted from 0. The same number gives the same view.

        depth: whether depth is wanted, where the source has it
        """
        ...


class DriveSource:
    """A drive at `rate` views per second; its ids are the tags of a CARLA version."""

    has_depth = True

    def __init__(self, drive: Drive, tags: LabelSet, rate: float, about: str) -> None:
        self.tags, self.about = tags, about
        self._drive, self._rate = drive, rate
        self._table = mapping(carla_13(), tags)

    def view(self, number: int, depth: bool = False) -> View:
        time = number / self._rate
        scene = self._drive.at(time, depth)
        tags = self._table[scene.labels]
        return View(scene.frame, tags, scene.depth, self._drive.motion(time))


class FolderSource:
    """Recorded pairs in the order of their names; after the last one it begins again.

    The masks hold `tags`. DataError as in PairFolder.
    """

    has_depth = False

    def __init__(self, folder: Path, tags: LabelSet) -> None:
        self._pairs = PairFolder(folder, tags.carla_tags, tags)
        self.tags = tags
        self.about = f"the {len(self._pairs)} pairs of {folder}"

    def view(self, number: int, depth: bool = False) -> View:
        del depth
        pair = self._pairs.read(number % len(self._pairs))
        return View(camera_frame(pair.frame), pair.labels)
