"""What the stand-in camera shows: the procedural drive, or a folder of recorded pairs."""

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
    """Views in the order of time.

    tags:  what the ids in them mean
    about: what is shown, for people
    """

    tags: LabelSet
    about: str

    def view(self, number: int) -> View:
        """View `number`, from 0; the same number gives the same view."""
        ...


class DriveSource:
    """A drive at `rate` views a second, its classes told in the tags of a CARLA version."""

    def __init__(self, drive: Drive, tags: LabelSet, rate: float, about: str) -> None:
        self.tags, self.about = tags, about
        self._drive, self._rate = drive, rate
        self._table = mapping(carla_13(), tags)

    def view(self, number: int) -> View:
        scene = self._drive.at(number / self._rate)
        return View(scene.frame, self._table[scene.labels])


class FolderSource:
    """Recorded pairs in the order of their names, from the beginning again after the last.

    The masks hold `tags`. Raises DataError as PairFolder does.
    """

    def __init__(self, folder: Path, tags: LabelSet) -> None:
        self._pairs = PairFolder(folder, tags.carla_tags, tags)
        self.tags = tags
        self.about = f"the {len(self._pairs)} pairs of {folder}"

    def view(self, number: int) -> View:
        pair = self._pairs.read(number % len(self._pairs))
        return View(camera_frame(pair.frame), pair.labels)
