# SPDX-License-Identifier: Apache-2.0
"""Remembers the ground that was seen, in cells that stay where they are while the vehicle moves.

Each cell has a class and the log odds of its cost against all other costs, after Boyer and Moore's
majority vote: a frame that sees a class of the same cost adds its log odds, one that sees another
cost takes them away, and below zero the class changes. So a road and its lines confirm each other,
and the cell has the class of them that was seen last. A cell counts as known above what one frame
can add, so one wrong frame makes no obstacle; log odds have a limit, so a few frames suffice to
correct a cell; and a cell that is no longer seen fades until it is unknown.
(Occupancy grids with log odds: Thrun, Burgard, Fox, "Probabilistic Robotics", 2005, chapter 9.)
"""

import math
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from carla_unet_ros.ground.cell_evidence import MOST, CellEvidence
from carla_unet_ros.ground.ground_grid import UNKNOWN, Extent
from carla_unet_ros.labels import IGNORE, Uint8

LIMIT = 3 * MOST
_CERTAIN = LIMIT - MOST
"""Log odds from which a cell is certain: one wrong frame does not lead below them."""

_LARGEST_STEP, _LARGEST_SPEED = 5.0, 70.0  # m, m/s: more than that is no driving
_LARGEST_TURN, _LARGEST_RATE = 0.5, 3.0  # rad, rad/s


class Place(NamedTuple):
    """Where the vehicle is in a fixed frame: metres, and its heading in radians from x to y."""

    x: float
    y: float
    yaw: float


class Ground(NamedTuple):
    """What is known in the vehicle's frame, [rows, columns].

    classes:   uint8, IGNORE where the ground is unknown
    certainty: float32, 0..1
    """

    classes: Uint8
    certainty: npt.NDArray[np.float32]

    def occupancy(self, costs: Uint8) -> npt.NDArray[np.int8]:
        """int8: the cost of the class, nearer to 50 the less certain it is; UNKNOWN.

        costs: uint8 [classes], by id
        """
        table = np.full(256, 50, np.float32)
        table[: len(costs)] = costs
        values = np.rint(50 + (table[self.classes] - 50) * self.certainty).astype(np.int8)
        values[self.classes == IGNORE] = UNKNOWN
        return values


class GroundMemory:
    """The cells around the vehicle, in rows and columns of the fixed frame."""

    def __init__(self, extent: Extent, seconds: float) -> None:
        """seconds: after so long a cell that is not seen any more is unknown; above 0"""
        self._extent = extent
        self._fading = (LIMIT - MOST) / seconds
        half = math.hypot(extent.columns, extent.rows) / 2
        self._side = 2 * (math.ceil(half) + 1)
        self.clear()

    def clear(self) -> None:
        self._classes = np.full((self._side, self._side), IGNORE, np.uint8)
        self._log_odds = np.zeros((self._side, self._side), np.float32)
        self._corner = 0, 0
        self._last: tuple[Place, float] | None = None

    @property
    def is_empty(self) -> bool:
        return self._last is None

    def jump(self, place: Place, seconds: float) -> float:
        """Metres since the last frame, if no vehicle drives or turns like that; else 0."""
        if self._last is None:
            return 0.0
        before, then = self._last
        step = math.hypot(place.x - before.x, place.y - before.y)
        turn = abs(math.remainder(place.yaw - before.yaw, 2 * math.pi))
        passed = max(seconds - then, 0.0)
        if step > _LARGEST_STEP + _LARGEST_SPEED * passed:
            return step
        return max(step, 0.1) if turn > _LARGEST_TURN + _LARGEST_RATE * passed else 0.0

    def add(self, place: Place, seconds: float, seen: CellEvidence) -> None:
        """Adds what a frame saw from this place.

        seconds: time of the frame
        """
        passed = max(seconds - self._last[1], 0.0) if self._last else 0.0
        self._last = place, seconds
        self._follow(place)
        to_vehicle = self._affine(place)
        classes = self._warp(seen.classes, to_vehicle, IGNORE)
        log_odds = self._warp(seen.log_odds, to_vehicle, 0)
        known = self._log_odds
        unseen = classes == IGNORE
        # Unseen cells fade; the others get what the frame says, for or against.
        same = cv2.LUT(classes, seen.costs) == cv2.LUT(self._classes, seen.costs)
        change = np.where(same, log_odds, -log_odds)
        change[unseen] = -self._fading * passed
        known += change
        known[unseen] = np.maximum(known[unseen], 0)
        np.copyto(self._classes, classes, where=(known < 0) | (same & ~unseen))
        np.abs(known, out=known)
        np.minimum(known, LIMIT, out=known)

    def around(self, place: Place) -> Ground:
        """What is known of the ground around the vehicle at the last place."""
        extent = self._extent
        from_vehicle = cv2.invertAffineTransform(self._affine(place))
        size = extent.columns, extent.rows
        classes = self._warp(self._classes, from_vehicle, IGNORE, size)
        log_odds = self._warp(self._log_odds, from_vehicle, 0, size)
        classes[log_odds <= MOST] = IGNORE
        return Ground(classes, np.minimum(log_odds / np.float32(_CERTAIN), 1))

    def _follow(self, place: Place) -> None:
        """Moves the remembered square by whole cells, so that it covers the grid at this place."""
        size, extent = self._extent.cell_size, self._extent
        ahead, left = (extent.ahead - extent.behind) / 2, (extent.left - extent.right) / 2
        cos, sin = math.cos(place.yaw), math.sin(place.yaw)
        x = place.x + cos * ahead - sin * left
        y = place.y + sin * ahead + cos * left
        corner = math.floor(x / size) - self._side // 2, math.floor(y / size) - self._side // 2
        columns, rows = corner[0] - self._corner[0], corner[1] - self._corner[1]
        self._corner = corner
        if columns or rows:
            self._classes = _shifted(self._classes, rows, columns, IGNORE)
            self._log_odds = _shifted(self._log_odds, rows, columns, 0)

    def _affine(self, place: Place) -> npt.NDArray[np.float64]:
        """[2, 3]: column and row of a remembered cell -> column and row in the vehicle's grid."""
        size, extent = self._extent.cell_size, self._extent
        cos, sin = math.cos(place.yaw), math.sin(place.yaw)
        x = (self._corner[0] + 0.5) * size - place.x
        y = (self._corner[1] + 0.5) * size - place.y
        column = (cos * x + sin * y + extent.behind) / size - 0.5
        row = (cos * y - sin * x + extent.right) / size - 0.5
        return np.array([[cos, sin, column], [-sin, cos, row]])

    def _warp(
        self,
        image: npt.NDArray,
        affine: npt.NDArray,
        outside: float,
        size: tuple[int, int] | None = None,
    ) -> npt.NDArray:
        """The image's pixel at `affine` of each pixel."""
        return cv2.warpAffine(
            image,
            affine,
            size or (self._side, self._side),
            flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=outside,
        )


def _shifted(image: npt.NDArray, rows: int, columns: int, fill: float) -> npt.NDArray:
    """The image whose pixel (0, 0) is the one at (rows, columns) of this one."""
    moved = np.full_like(image, fill)
    height, width = image.shape
    if abs(rows) < height and abs(columns) < width:
        into = _overlap(-rows, height), _overlap(-columns, width)
        moved[into] = image[_overlap(rows, height), _overlap(columns, width)]
    return moved


def _overlap(shift: int, length: int) -> slice:
    return slice(max(shift, 0), length + min(shift, 0))
