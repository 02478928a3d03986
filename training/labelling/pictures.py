# SPDX-License-Identifier: Apache-2.0
"""Draws a page of labelled frames, to check labels by eye."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from carla_unet_ros.labels import IGNORE, LabelSet, Uint8
from carla_unet_ros.labels.overlay import draw_overlay
from carla_unet_ros.pictures import write_picture
from carla_unet_ros.training.labelling.votes import DARK, brightened

_TILE = 320, 240
_COLUMNS = 4


def contact_sheet(pairs: Sequence[tuple[Uint8, Uint8]], labels: LabelSet) -> Uint8:
    """(frame, labels) pairs -> one picture: frame | labels over it, two such pairs a row.

    IGNORE is white. Dark frames are brightened.
    """
    tiles = [tile for frame, ids in pairs for tile in _tiles(frame, ids, labels)]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % _COLUMNS)
    rows = [np.hstack(tiles[place : place + _COLUMNS]) for place in range(0, len(tiles), _COLUMNS)]
    return np.vstack(rows)


def write_contact_sheet(
    path: Path, pairs: Sequence[tuple[Uint8, Uint8]], labels: LabelSet
) -> None:
    """Writes the page as a JPEG. Raises OSError if it cannot be written."""
    write_picture(path, contact_sheet(pairs, labels), jpeg=85)


def _tiles(frame: Uint8, ids: Uint8, labels: LabelSet) -> tuple[Uint8, Uint8]:
    seen = brightened(frame) if frame.mean() < DARK else frame
    drawn = draw_overlay(seen, ids, labels.palette_bgr, opacity=0.65)
    drawn[ids == IGNORE] = 255
    return _small(seen), _small(drawn)


def _small(picture: Uint8) -> Uint8:
    return np.asarray(cv2.resize(picture, _TILE, interpolation=cv2.INTER_AREA), np.uint8)
