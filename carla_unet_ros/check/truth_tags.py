# SPDX-License-Identifier: Apache-2.0
"""Judges whether the images of a semantic camera make sense in a CARLA version's tags.

Two signs are looked at: every pixel has a class, and what fills the lower third of the picture is
ground, or the vehicle's own bonnet. Raw tags of another version fail the second sign: 1 is the
road since 0.9.14, and a building before.
"""

from typing import NamedTuple

import numpy as np

from carla_unet_ros.evaluation.truth_reader import TruthReader
from carla_unet_ros.labels import IGNORE, Uint8, carla_label_set
from carla_unet_ros.labels.carla_tags import TAG_TABLES

_UNKNOWN_PIXELS = 0.001
_AT_THE_BOTTOM = {
    *("Roads", "RoadLines", "Sidewalks", "Ground", "Terrain", "Vegetation", "RailTrack", "Bridge"),
    *("Vehicles", "Car", "Truck", "Bus", "Motorcycle", "Bicycle"),
}


class TagReading(NamedTuple):
    """How an image reads in one version.

    held:     "palette" or "raw", what the image holds
    unknown:  an example of what is no class there, "" where every pixel has one
    bottom:   the class that fills most of the lower third
    sensible: whether all of that makes sense
    versions: the versions in which it makes sense
    """

    held: str
    unknown: str
    bottom: str
    sensible: bool
    versions: tuple[str, ...]


def read_tags(image: Uint8, tags: str) -> TagReading:
    """Reads an image uint8 [H, W] or [H, W, 4] (B, G, R, A) as the tags of this version."""
    held, unknown, bottom = _read(image, tags)
    versions = tuple(span for span in TAG_TABLES if _makes_sense(*_read(image, span)[1:]))
    return TagReading(held, unknown, bottom, _makes_sense(unknown, bottom), versions)


def _makes_sense(unknown: str, bottom: str) -> bool:
    return not unknown and bottom in _AT_THE_BOTTOM


def _read(image: Uint8, tags: str) -> tuple[str, str, str]:
    """What the image holds, an example of what is no class, the class at the bottom."""
    labels = carla_label_set(tags)
    reader = TruthReader(labels)
    ids = reader.read(image)
    strange = reader.unknown_pixels > _UNKNOWN_PIXELS * ids.size
    lower = ids[2 * len(ids) // 3 :]
    most = int(np.bincount(lower.ravel(), minlength=256).argmax())
    name = "no class" if most == IGNORE else labels.names[most]
    return reader.found, reader.example if strange else "", name
