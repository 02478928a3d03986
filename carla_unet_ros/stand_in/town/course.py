# SPDX-License-Identifier: Apache-2.0
"""The centre line of the street: an endless gentle bend, seen from the car that follows it."""

import math
from typing import NamedTuple

import numpy as np

from carla_unet_ros.stand_in.town.light import Floats

BEHIND, AHEAD = 24, 260
"""Metres of street laid out behind and ahead of the car."""


class Course:
    """The heading of the street along its length, a sum of sines."""

    def __init__(self, rng: np.random.Generator, bend: float) -> None:
        """bend: the largest change of heading, in radians."""
        lengths = rng.uniform(180, 420, 2)
        self._rates = (2 * np.pi / lengths).astype(float)
        self._phases = rng.uniform(0, 2 * np.pi, 2)
        self._sizes = np.array((0.65, 0.35)) * bend
        self._east = self._north = np.zeros(1)

    def heading(self, s: float) -> float:
        """Radians, clockwise from north, at a place along the street."""
        return float((self._sizes * np.sin(self._rates * s + self._phases)).sum())

    def headings(self, s: Floats) -> Floats:
        angles = self._rates * s[:, None].astype(np.float64) + self._phases
        return (self._sizes * np.sin(angles)).sum(axis=1)

    def point(self, s: float) -> tuple[float, float]:
        """Metres east and north from the start of the street to its place s, from 0 on."""
        if s >= len(self._east):
            self._lay_out(2 * int(s) + AHEAD)
        index = max(int(s), 0)
        rest, turn = s - index, self.heading((s + index) / 2)
        east = self._east[index] + rest * math.sin(turn)
        north = self._north[index] + rest * math.cos(turn)
        return float(east), float(north)

    def _lay_out(self, metres: int) -> None:
        """Sums up the street metre by metre."""
        turns = self.headings(np.arange(metres) + 0.5)
        self._east = np.concatenate(((0.0,), np.cumsum(np.sin(turns))))
        self._north = np.concatenate(((0.0,), np.cumsum(np.cos(turns))))


class Spot(NamedTuple):
    """A place on the ground in camera coordinates, and the direction of the street there."""

    x: float
    z: float
    turn: float


class View:
    """The street around a camera at `s`, `d` metres to the right of the centre line.

    turn: radians from the direction of the street there to that of the camera, to the right
    """

    def __init__(self, course: Course, s: float, d: float, turn: float = 0.0) -> None:
        self.s = s
        self.heading = course.heading(s) + turn
        self._first = s - BEHIND
        samples = self._first + np.arange(BEHIND + AHEAD + 1)
        self._turns = course.headings(samples) - self.heading
        between = (self._turns[1:] + self._turns[:-1]) / 2
        self._x = np.concatenate(((0.0,), np.cumsum(np.sin(between))))
        self._z = np.concatenate(((0.0,), np.cumsum(np.cos(between))))
        self._x -= self._x[BEHIND] + d * math.cos(turn)
        self._z -= self._z[BEHIND] + d * math.sin(turn)

    def spot(self, s: float, d: float) -> Spot:
        """The place (s, d). Beyond the part that is laid out the street goes straight on."""
        where = min(max(s - self._first, 0.0), BEHIND + AHEAD - 1.0)
        index = int(where)
        part = s - self._first - index
        turn = float(self._turns[index] + (self._turns[index + 1] - self._turns[index]) * part)
        x = float(self._x[index] + (self._x[index + 1] - self._x[index]) * part)
        z = float(self._z[index] + (self._z[index + 1] - self._z[index]) * part)
        return Spot(x + d * math.cos(turn), z - d * math.sin(turn), turn)

    def find(self, x: float, z: float) -> tuple[float, float, float]:
        """s, d, and the direction of the street there, of a place in camera coordinates.

        It must be near the part of the street that is laid out; then it is exact to a centimetre.
        """
        index = int(np.hypot(self._x - x, self._z - z).argmin())
        x, z, turn = x - self._x[index], z - self._z[index], float(self._turns[index])
        along = x * math.sin(turn) + z * math.cos(turn)
        s = self._first + index + along
        return float(s), float(x * math.cos(turn) - z * math.sin(turn)), self.spot(s, 0.0).turn

    def line(self, start: float, end: float, d: float, height: float = 0.0) -> Floats:
        """Points float32 [N, 3] along the street at `d`, from start to end.

        Beyond the part that is laid out there are none. The points lie closer together near the
        car, where a bend is visible.
        """
        start = max(start, self._first)
        end = min(end, self._first + BEHIND + AHEAD)
        count = max(int((end - start) / 3.0), 1) + 1
        where = np.linspace(start - self._first, max(end - self._first, 0.0), count)
        indices = np.arange(len(self._x))
        turns = np.interp(where, indices, self._turns)
        points = np.empty((count, 3), np.float32)
        points[:, 0] = np.interp(where, indices, self._x) + d * np.cos(turns)
        points[:, 1] = height
        points[:, 2] = np.interp(where, indices, self._z) - d * np.sin(turns)
        return points

    def strip(self, start: float, end: float, left: float, right: float,
              heights: tuple[float, float] = (0.0, 0.0)) -> Floats:  # fmt: skip
        """The outline [N, 3] of a strip of ground between two offsets."""
        one = self.line(start, end, left, heights[0])
        other = self.line(start, end, right, heights[1])
        return np.concatenate((one, other[::-1]))

    def patches(self, starts: Floats, ends: Floats, left: Floats, right: Floats) -> Floats:
        """Short quadrilaterals float32 [N, 4, 3] of the ground between offsets."""
        corners = np.zeros((len(starts), 4, 3), np.float32)
        where = np.stack((starts, ends, ends, starts), axis=1) - self._first
        across = np.stack((left, left, right, right), axis=1)
        indices = np.arange(len(self._x))
        turns = np.interp(where, indices, self._turns)
        corners[..., 0] = np.interp(where, indices, self._x) + across * np.cos(turns)
        corners[..., 2] = np.interp(where, indices, self._z) - across * np.sin(turns)
        return corners

    def offsets(self, depths: Floats) -> Floats:
        """x of the centre line at these depths ahead, float32, to paint whole rows of ground."""
        return np.interp(depths, self._z[BEHIND:], self._x[BEHIND:]).astype(np.float32)
