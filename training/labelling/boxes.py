# SPDX-License-Identifier: Apache-2.0
"""Turns 2D boxes into labels: the foreground in a person's box is a person.

boxes.csv: name, what, x, y, width, height; centre and size as shares of the picture. GrabCut
(Rother et al. 2004) cuts out the thing in a box. Its seeds are the box's core and the pixels that
the models voted for. Boxes may be incomplete: a vehicle or person outside all boxes becomes unsure
(IGNORE).
"""

import csv
import math
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from carla_unet_ros.errors import sentence_of
from carla_unet_ros.input_files import check_regular
from carla_unet_ros.labels import IGNORE, LabelSet, Uint8
from carla_unet_ros.training.data.frame_names import DataError

_COLUMNS = ("name", "what", "x", "y", "width", "height")
_CLASSES = {  # upper part, lower part, share of the height that the upper one has
    "person": ("Pedestrians", "Pedestrians", 1.0),
    "bike": ("Pedestrians", "Vehicles", 0.62),
    "motorbike": ("Pedestrians", "Vehicles", 0.5),
    "car": ("Vehicles", "Vehicles", 1.0),
    "truck": ("Vehicles", "Vehicles", 1.0),
    "vehicle": ("Vehicles", "Vehicles", 1.0),
    "traffic_light": ("TrafficSigns", "TrafficSigns", 1.0),
    "traffic_sign": ("TrafficSigns", "TrafficSigns", 1.0),
}
_WORKING_SIDE = 96
_LEAST_SIDE = 6
_THING_SHARE = 0.12, 0.97
_AROUND = 0.35
_CORES = {False: (0.8, 0.28), True: (0.7, 0.75)}
"""Height and width of a box's core, in shares of the box. False: people, also on wheels; True:
vehicles."""


class Box(NamedTuple):
    """A thing's box in shares of the picture; x, y is its centre."""

    what: str
    x: float
    y: float
    width: float
    height: float

    def pixels(self, height: int, width: int, grow: float = 0.0) -> tuple[int, int, int, int]:
        """left, top, right, bottom in a picture of that size, grown on each side by a share."""
        half_width, half_height = (side * (0.5 + grow) for side in (self.width, self.height))
        return (
            _inside((self.x - half_width) * width, width),
            _inside((self.y - half_height) * height, height),
            _inside((self.x + half_width) * width, width),
            _inside((self.y + half_height) * height, height),
        )


def read_boxes(path: Path) -> dict[str, list[Box]]:
    """Boxes by frame name, small ones first: near things hide far ones. Raises DataError."""
    boxes = defaultdict[str, list[Box]](list)
    try:
        check_regular(path)
        with path.open(newline="") as lines:
            for number, row in enumerate(csv.DictReader(lines), 2):
                boxes[str(row["name"])].append(_box(row, f"{path}, line {number}"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"boxes {path} cannot be read: {sentence_of(error)}") from error
    except KeyError as error:
        raise DataError(f"{path} has no column {error}; expected {','.join(_COLUMNS)}") from error
    return {
        name: sorted(found, key=lambda box: box.width * box.height)
        for name, found in boxes.items()
    }


def _box(row: dict[str, str], place: str) -> Box:
    if row["what"] not in _CLASSES:
        raise DataError(f"{place}: {row['what']!r} is unknown; expected {', '.join(_CLASSES)}")
    try:
        box = Box(row["what"], *(float(row[key]) for key in _COLUMNS[2:]))
    except (TypeError, ValueError) as error:
        raise DataError(f"{place}: expected four numbers for x, y, width, height") from error
    if not all(map(math.isfinite, box[1:])):
        raise DataError(f"{place}: {', '.join(map(str, box[1:]))}; expected finite numbers")
    if not (box.width > 0 and box.height > 0):
        raise DataError(f"{place}: a box of {box.width} x {box.height}; expected sizes above 0")
    return box


def _inside(place: float, size: int) -> int:
    """A place in pixels, moved to the nearest edge if it is outside the picture."""
    return min(max(0, round(place)), size)


def apply_boxes(labels: Uint8, frame: Uint8, boxes: list[Box], names: LabelSet) -> Uint8:
    """Labels [H, W] with the boxed things of a frame [H, W, 3] cut out; the rest as it is.

    Vehicles and people that touch no box become IGNORE.
    """
    things = names.ids(["Vehicles", "Pedestrians"])
    result = _unsure_outside(labels, boxes, things)
    for box in boxes:
        _cut_out(result, frame, box, things, names)
    return result


def _unsure_outside(labels: Uint8, boxes: list[Box], things: list[int]) -> Uint8:
    """Labels with IGNORE in each patch of things that no box touches."""
    mask = np.isin(labels, things).astype(np.uint8)
    _, found = cv2.connectedComponents(mask)
    patches = np.asarray(found, np.int32)
    touched = np.zeros(int(patches.max()) + 1, bool)
    for box in boxes:
        left, top, right, bottom = box.pixels(*labels.shape, grow=0.2)
        touched[np.unique(patches[top:bottom, left:right])] = True
    return np.where((mask > 0) & ~touched[patches], np.uint8(IGNORE), labels)


def _cut_out(labels: Uint8, frame: Uint8, box: Box, things: list[int], names: LabelSet) -> None:
    """Writes the thing in a box into `labels`.

    If GrabCut finds nearly nothing, or the whole box, then the core of the box is the thing and
    the rest of the box is IGNORE.
    """
    left, top, right, bottom = box.pixels(*labels.shape)
    inside = labels[top:bottom, left:right]
    if min(inside.shape) < _LEAST_SIDE:
        inside[:] = IGNORE
        return
    upper, lower, share = _CLASSES[box.what]
    parts = np.full(inside.shape, names.ids([lower])[0], np.uint8)
    parts[: round(share * len(parts))] = names.ids([upper])[0]
    tall, wide = _CORES[upper == lower == "Vehicles"]
    core = _ellipse(inside.shape, tall, wide)
    thing = thing_mask(labels, frame, box, core, things)
    if _THING_SHARE[0] <= thing.mean() <= _THING_SHARE[1]:
        inside[np.isin(inside, things)] = IGNORE
    else:
        thing = core
        inside[:] = IGNORE
    inside[thing] = parts[thing]


def thing_mask(
    labels: Uint8,
    frame: Uint8,
    box: Box,
    core: npt.NDArray[np.bool_],
    things: list[int],
) -> npt.NDArray[np.bool_]:
    """Segments the object in a box with GrabCut: bool, of the box's size in pixels.

    core: pixels of the box that certainly are the thing; pixels around the box are not
    """
    left, top, right, bottom = box.pixels(*labels.shape)
    around = box.pixels(*labels.shape, grow=_AROUND)
    place = slice(around[1], around[3]), slice(around[0], around[2])
    inner = slice(top - around[1], bottom - around[1]), slice(left - around[0], right - around[0])
    seeds = np.full(labels[place].shape, cv2.GC_BGD, np.uint8)
    voted = np.isin(labels[top:bottom, left:right], things)
    maybe = voted | _ellipse(core.shape, 1.0, 1.0)
    seeds[inner] = np.where(maybe, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    seeds[inner][core] = cv2.GC_FGD
    scale = _WORKING_SIDE / max(seeds.shape)
    size = max(8, round(seeds.shape[1] * scale)), max(8, round(seeds.shape[0] * scale))
    small = cv2.resize(seeds, size, interpolation=cv2.INTER_NEAREST)
    if not (small == cv2.GC_BGD).any():
        return core
    picture = cv2.resize(_stretched(frame[place]), size, interpolation=cv2.INTER_AREA)
    # GrabCut uses a random k-means. A fixed seed makes the labels of a frame repeatable.
    cv2.setRNGSeed(0)
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    no_rectangle = (0, 0, 0, 0)
    cv2.grabCut(picture, small, no_rectangle, background, foreground, 3, cv2.GC_INIT_WITH_MASK)
    found = np.isin(small, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    found = cv2.resize(found, seeds.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return found[inner].astype(bool)


def _ellipse(shape: tuple[int, ...], tall: float, wide: float) -> npt.NDArray[np.bool_]:
    """An ellipse in the middle of a box, `tall` and `wide` in shares of the box's sides."""
    height, width = shape
    rows = (np.arange(height)[:, None] + 0.5) / height * 2 - 1
    columns = (np.arange(width)[None] + 0.5) / width * 2 - 1
    return (rows / tall) ** 2 + (columns / wide) ** 2 < 1


def _stretched(patch: Uint8) -> Uint8:
    """Brightens a dark patch as far as its brightest pixels allow, so that its colours differ."""
    brightest = max(float(np.percentile(patch, 98)), 8.0)
    if brightest >= 200:
        return patch
    return np.clip(patch * (235 / brightest), 0, 255).astype(np.uint8)
