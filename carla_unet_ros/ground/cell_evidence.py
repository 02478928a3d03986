# SPDX-License-Identifier: Apache-2.0
"""What one frame says about each cell of the ground: a class, and how sure it is.

The class of a cell is the cheapest one for which no more than `blocked_share` of its pixels are of
costlier classes. So a cell has a class that blocks exactly where `GroundGrid.occupancy` says
OCCUPIED, and a thin obstacle is not outvoted by the road around it.
"""

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from carla_unet_ros.ground.ground_grid import Extent, GroundGrid
from carla_unet_ros.labels import IGNORE, Uint8

Floats = npt.NDArray[np.float32]

MOST = 2.0
"""Log odds that one frame can add at most: a confidence of 0.88."""

_HALF_RANGE = 30.0
_LANES = 8


class CellEvidence(NamedTuple):
    """What a frame says, [rows, columns].

    classes:  uint8, IGNORE where nothing is seen
    log_odds: float32, 0..MOST, of the class against all others
    costs:    uint8 [256], by id: classes of one cost, such as a road and its lines, say the same
    """

    classes: Uint8
    log_odds: Floats
    costs: Uint8


def look_at_cells(
    grid: GroundGrid,
    labels: Uint8,
    costs: Uint8,
    confidence: Uint8 | None = None,
    blocked_share: float = 0.1,
) -> CellEvidence:
    """Class and log odds of each cell.

    labels:     uint8 [height, width]
    costs:      uint8 [classes], by id
    confidence: uint8 [height, width], 255 x probability; None for certainty

    ValueError where an image has not the size of the camera.
    """
    grid.check_size(labels)
    size = grid.extent.rows * grid.extent.columns
    classes = np.full(size, IGNORE, np.uint8)
    classes[grid.cells] = _classes(grid, labels, costs, blocked_share)
    shape = grid.extent.rows, grid.extent.columns
    log_odds = range_weights(grid.extent).copy()
    if confidence is not None:
        grid.check_size(confidence)
        sums = np.add.reduceat(confidence.reshape(-1)[grid.pixels], grid.starts, dtype=np.uint32)
        counts = np.diff(grid.starts, append=len(grid.pixels))
        log_odds[grid.cells] *= _LOG_ODDS[sums // counts]
    else:
        log_odds *= MOST
    log_odds[classes == IGNORE] = 0
    table = np.full(256, IGNORE, np.uint8)
    table[: len(costs)] = costs
    return CellEvidence(classes.reshape(shape), log_odds.reshape(shape), table)


@lru_cache(maxsize=2)
def range_weights(extent: Extent) -> Floats:
    """float32 [cells]: 1 at the vehicle's origin, 1/2 at 30 m, where pixels are coarse."""
    row, column = np.mgrid[0.5 : extent.rows, 0.5 : extent.columns]
    x, y = column * extent.cell_size - extent.behind, row * extent.cell_size - extent.right
    return (1 / (1 + (x * x + y * y) / _HALF_RANGE**2)).astype(np.float32).reshape(-1)


def _classes(
    grid: GroundGrid, labels: Uint8, costs: Uint8, blocked_share: float
) -> npt.NDArray[np.uint8]:
    """The class of each seen cell, uint8 [len(grid.cells)].

    Lane j of a word counts the pixels whose class has place j or a later one in the order of
    costs, eight lanes a word.
    """
    found = cv2.calcHist([labels], [0], None, [256], [0, 256])[: len(costs), 0]
    present = np.flatnonzero(found)
    order = present[np.argsort(costs[present], kind="stable")]
    pixels = labels.reshape(-1)[grid.pixels]
    place = np.zeros(len(grid.cells), np.uint8)
    seen = most = np.zeros(len(grid.cells), np.uint8)
    for first in range(0, len(order), _LANES):
        lanes = np.arange(first, min(first + _LANES, len(order)))
        words = np.zeros(256, "<u8")
        for here, number in enumerate(order):
            words[number] = sum(1 << 8 * int(lane - first) for lane in lanes if lane <= here)
        sums = np.add.reduceat(words.take(pixels), grid.starts).view(np.uint8).reshape(-1, _LANES)
        for lane in lanes:
            counts = sums[:, lane - first]
            if lane == 0:
                seen, most = counts, (counts * np.float32(blocked_share)).astype(np.uint8)
            else:
                place += counts > most
    by_place = np.append(order, IGNORE).astype(np.uint8)
    place[seen == 0] = len(order)
    return by_place[place]


_P = np.clip(np.arange(256) / 255, 1e-3, 1 - 1e-3)
_LOG_ODDS = np.clip(np.log(_P / (1 - _P)), 0, MOST).astype(np.float32)
