# SPDX-License-Identifier: Apache-2.0
"""Solids: objects with flat faces, such as cars, benches, posts, crates.

A solid is built once and drawn at many places. Its own coordinates are x to its right, y up and z
ahead; its foot is the origin.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from carla_unet_ros.stand_in.town.canvas import NEAR, Canvas
from carla_unet_ros.stand_in.town.light import Bgr, Floats, Light

Corner = tuple[float, float, float]


class Face(NamedTuple):
    """A flat polygon. Decals lie on it and are visible when it is."""

    corners: Floats
    colour: Bgr
    label: int


class Solid:
    """Convex parts, each a list of faces; from outside the corners of a face run clockwise."""

    def __init__(self, parts: Sequence[Sequence[Face]], ordered: bool = False) -> None:
        """ordered: paints the parts in their order, else the farthest first."""
        faces = [face for part in parts for face in part]
        self.ordered = ordered
        self._kept: dict[tuple[float, float, float, float, Bgr | None], list[Bgr]] = {}
        self.corners = np.concatenate([face.corners for face in faces]).astype(np.float32)
        ends = np.cumsum([len(face.corners) for face in faces])
        self.spans = [
            (int(end) - len(face.corners), int(end)) for face, end in zip(faces, ends, strict=True)
        ]
        self.normals = np.array([_normal(face.corners) for face in faces], np.float32)
        first = np.array([face.corners[0] for face in faces], np.float32)
        self.offsets = (self.normals * first).sum(axis=1)
        self.colours = np.array([face.colour for face in faces], np.float32)
        self.labels = [float(face.label) for face in faces]
        counts = [len(part) for part in parts]
        starts = np.concatenate(((0,), np.cumsum(counts)))
        self.parts = [range(int(start), int(end)) for start, end in itertools.pairwise(starts)]
        self.middles = np.array(
            [np.concatenate([face.corners for face in part]).mean(axis=0) for part in parts]
        )
        self.radius = float(np.abs(self.corners[:, [0, 2]]).max()) * 1.42
        self.top = float(self.corners[:, 1].max())

    def draw(self, canvas: Canvas, foot: Corner, turn: float, light: Light, sun: Floats,
             paint: Bgr | None = None) -> None:  # fmt: skip
        """Paints the solid at `foot` (camera coordinates), turned clockwise by `turn` radians.

        sun:   the direction to the sun
        paint: replaces the colour of faces whose own colour is PAINT
        """
        sine, cosine = np.sin(turn), np.cos(turn)
        rotation = np.array(((cosine, 0, sine), (0, 1, 0), (-sine, 0, cosine)), np.float32)
        place = np.asarray(foot, np.float32)
        corners = self.corners @ rotation.T + place
        eye = rotation.T @ (np.array((0, canvas.eye, 0), np.float32) - place)
        seen = self.normals @ eye > self.offsets
        colours = self._lit(light, rotation.T @ sun, float(place[2]), paint)
        clipped = float(corners[:, 2].min()) < NEAR
        image = None if clipped else canvas.project(corners)
        parts = self.parts
        if not self.ordered and len(parts) > 1:
            away = ((self.middles - eye) ** 2).sum(axis=1)
            parts = [parts[index] for index in np.argsort(-away)]
        visible = seen.tolist()
        for part in parts:
            for face in part:
                if not visible[face]:
                    continue
                start, end = self.spans[face]
                colour = (*colours[face], self.labels[face])
                if image is None:
                    canvas.polygon(corners[start:end], colour)
                else:
                    cv2.fillConvexPoly(canvas.pixels, image[start:end], colour)
                    if canvas.depth:
                        canvas.depth.fill(image[start:end], corners[start:end])

    def _lit(self, light: Light, sun: Floats, depth: float, paint: Bgr | None) -> list[Bgr]:
        """Colours of the faces; `sun` is in own coordinates. Kept in steps too small to see."""
        x, y, z = np.rint(sun * 40).tolist()
        share = round(light.haze(depth) * 40) / 40
        key = x, y, z, share, paint
        if key not in self._kept:
            if len(self._kept) >= 64:
                self._kept.clear()
            colours = self.colours
            if paint is not None:
                own = colours[:, 0] < 0
                colours = colours.copy()
                colours[own] = np.asarray(paint, np.float32) * -colours[own]
            gains = light.gains(self.normals, np.array((x, y, z), np.float32) / 40)
            shaded = light.shaded(colours, gains, share).tolist()
            self._kept[key] = [(blue, green, red) for blue, green, red in shaded]
        return self._kept[key]


PAINT: Bgr = (-1.0, -1.0, -1.0)
"""Colour of faces that take the `paint` given to draw; other negative values shade it."""


def box(size: Corner, middle: Corner, colour: Bgr, label: int) -> list[Face]:
    """A box of this size (x, y, z). `middle` is the middle of its lower face."""
    wide, tall, long = size
    return prism(
        [(-long / 2, 0), (-long / 2, tall), (long / 2, tall), (long / 2, 0)],
        wide, wide, colour, label, middle,
    )  # fmt: skip


def prism(outline: Sequence[tuple[float, float]], low: float, high: float, colour: Bgr, label: int,
          middle: Corner = (0.0, 0.0, 0.0)) -> list[Face]:  # fmt: skip
    """A prism: an outline (z, y), clockwise seen from the right, extended to both sides.

    It is `low` wide at its lowest corners and `high` wide at its highest ones.
    """
    ys = [y for _, y in outline]
    bottom, top = min(ys), max(ys)

    def half(y: float) -> float:
        return (low + (high - low) * (y - bottom) / (top - bottom)) / 2

    right = np.array([(half(y), y, z) for z, y in outline], np.float32) + middle
    left = np.array([(-half(y), y, z) for z, y in outline], np.float32) + middle
    faces = [Face(right, colour, label), Face(left[::-1], colour, label)]
    for here, there in zip(range(len(outline)), [*range(1, len(outline)), 0], strict=True):
        quad = np.array((right[there], right[here], left[here], left[there]), np.float32)
        faces.append(Face(quad, colour, label))
    return faces


def decal(corners: Sequence[Corner], colour: Bgr, label: int) -> Face:
    """A single face, such as a window or a lamp; it is visible from its outside."""
    return Face(np.array(corners, np.float32), colour, label)


def disc(middle: Corner, radius: float, side: int, colour: Bgr, label: int) -> Face:
    """The face of a wheel, to the right (side 1) or to the left (side -1)."""
    angles = np.linspace(0, 2 * np.pi, 14, endpoint=False) * side
    x, y, z = middle
    ring = [(x, y + radius * np.sin(a), z - radius * np.cos(a)) for a in angles]
    return Face(np.array(ring, np.float32), colour, label)


def _normal(corners: Floats) -> Floats:
    """The unit normal, by Newell's method; outwards if the corners run clockwise from outside."""
    following = np.roll(corners, -1, axis=0)
    normal = np.cross(corners, following).sum(axis=0)
    return (normal / max(float(np.linalg.norm(normal)), 1e-9)).astype(np.float32)
