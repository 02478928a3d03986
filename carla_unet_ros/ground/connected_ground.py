# SPDX-License-Identifier: Apache-2.0
"""Free ground that a vehicle cannot reach, such as a road behind a row of houses, is not free."""

import cv2
import numpy as np
import numpy.typing as npt

from carla_unet_ros.ground.ground_grid import OCCUPIED, UNKNOWN, Extent

FREE_BELOW = 50
"""Cells of a lower cost are free."""

_HALF_WIDTH = 1.0


def keep_connected(
    values: npt.NDArray[np.int8], extent: Extent, first_seen: float
) -> npt.NDArray[np.int8]:
    """The cells int8 [rows, columns], with free ones that are not connected set to OCCUPIED.

    first_seen: metres from the origin to the nearest ground that the camera sees straight ahead;
                up to there unknown ground in the vehicle's way connects
    """
    free = (values >= 0) & (values < FREE_BELOW)
    passable = free.copy()
    rows, origin, end = _own_lane(extent, first_seen)
    passable[rows, origin:end] |= values[rows, origin:end] == UNKNOWN
    passable[rows, origin] = True
    parts = np.asarray(cv2.connectedComponents(passable.view(np.uint8), connectivity=4)[1], int)
    own = np.zeros(parts.max() + 1, bool)
    own[parts[rows, origin]] = True
    return np.where(free & ~own[parts], np.int8(OCCUPIED), values)


def _own_lane(extent: Extent, first_seen: float) -> tuple[slice, int, int]:
    """Rows of the vehicle's width, its column, and the column behind the last unseen one."""
    middle, half = extent.right / extent.cell_size, _HALF_WIDTH / extent.cell_size
    rows = slice(max(int(middle - half), 0), min(int(middle + half) + 1, extent.rows))
    origin = min(int(extent.behind / extent.cell_size), extent.columns - 1)
    end = int((extent.behind + first_seen) / extent.cell_size) + 1
    return rows, origin, min(max(end, origin + 1), extent.columns)
