# SPDX-License-Identifier: Apache-2.0
"""Draws labelled frames from the procedural drive. Needs no torch."""

import numpy as np

from carla_unet_ros.labels import LabelSet, carla_13, mapping
from carla_unet_ros.stand_in.drive import Drive
from carla_unet_ros.training.data.folders import Pair


class DriveFrames:
    """Frames of the procedural drive: `count` scenes, each of another place or street."""

    name = "drive"

    _FRAMES_A_STREET = 8
    _STRIDE = 25

    def __init__(self, count: int, target: LabelSet, first_seed: int = 1000) -> None:
        self._count = count
        self._first_seed = first_seed
        self._table = mapping(carla_13(), target)
        self._drive, self._street = Drive(seed=first_seed), 0

    def __len__(self) -> int:
        return self._count

    def read(self, index: int) -> Pair:
        street, place = divmod(index, self._FRAMES_A_STREET)
        if street != self._street:  # a new street takes longer than a frame of it
            self._drive, self._street = Drive(seed=self._first_seed + street), street
        scene = self._drive.frame(place * self._STRIDE)
        return Pair(np.ascontiguousarray(scene.frame[..., :3]), self._table[scene.labels])
