# SPDX-License-Identifier: Apache-2.0
"""Things: objects of the town, each with its place along the street, that draw themselves."""

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from carla_unet_ros.stand_in.town.canvas import NEAR, Canvas, Sprite, Texture
from carla_unet_ros.stand_in.town.course import Spot, View
from carla_unet_ros.stand_in.town.light import Bgr, Floats, Light
from carla_unet_ros.stand_in.town.solids import Solid
from carla_unet_ros.stand_in.town.surfaces import Front
from carla_unet_ros.stand_in.town.tags import BUILDING


class Moment(NamedTuple):
    """The context of drawing: the canvas, the place of the camera, the light."""

    canvas: Canvas
    view: View
    light: Light
    sun: Floats


class Thing(Protocol):
    """Any object with a place. `far` is the place of its farthest part along the street."""

    @property
    def far(self) -> float: ...

    def draw(self, moment: Moment) -> None: ...

    def shadow(self, moment: Moment) -> Floats | None:
        """The outline float32 [N, 3] of its shadow on the ground, or None."""
        ...


@dataclass(frozen=True)
class House:
    """A building from `start` to `end`, with its front at `d`; it extends away from the street."""

    start: float
    d: float
    front: Front
    depth: float
    gable: float

    @property
    def far(self) -> float:
        return self.start + self.front.width

    def draw(self, moment: Moment) -> None:
        near, far = (_place(moment.view.spot(s, self.d)) for s in (self.start, self.far))
        along = far - near
        outward = self._outward(along)
        x, _, z = ((near + far + outward * self.depth) / 2).tolist()
        radius = math.hypot(self.front.width, self.depth) / 2
        if far[2] < NEAR or moment.canvas.is_outside(x, z, radius):
            return
        if near[2] > NEAR:
            self._side(moment, near, along, outward * self.depth)
        depth = float(max((near[2] + far[2]) / 2, 1.0))
        shade = moment.light.shade((-outward).tolist(), moment.sun, depth)
        start, across = (far, -along) if self.d > 0 else (near, along)
        moment.canvas.texture(start, across, self.front.height, self.front.texture, shade)
        if self.gable:
            self._roof(moment, near, along, outward)

    def _outward(self, along: Floats) -> Floats:
        """The unit vector away from the street."""
        outward = np.array((along[2], 0, -along[0]), np.float32) / self.front.width
        return outward * np.float32(math.copysign(1.0, self.d))

    def _side(self, moment: Moment, near: Floats, along: Floats, across: Floats) -> None:
        """Draws the side that faces the car, with its gable."""
        facing = (-along / self.front.width).tolist()
        shade = moment.light.shade(facing, moment.sun, float(near[2]))
        start, reach = (near, across) if self.d > 0 else (near + across, -across)
        moment.canvas.texture(start, reach, self.front.height, self.front.side, shade)
        if self.gable:
            up = np.array((0, self.front.height, 0), np.float32)
            tip = near + across / 2 + up + np.array((0, self.gable, 0), np.float32)
            colour = shade.colour(self.front.side.mean)
            outline = np.array((near + up, near + across + up, tip), np.float32)
            moment.canvas.polygon(outline, (*colour, BUILDING))

    def _roof(self, moment: Moment, near: Floats, along: Floats, outward: Floats) -> None:
        """Draws the slope of the roof above the front, unless it is hidden from below."""
        low = near - outward * 0.4 - along * 0.03
        low[1] = self.front.height - 0.25
        ridge = near + outward * (self.depth / 2) - along * 0.03
        ridge[1] = self.front.height + self.gable
        normal = -outward * self.gable
        normal[1] = self.depth / 2
        normal /= np.linalg.norm(normal)
        if float(normal @ (np.array((0, moment.canvas.eye, 0)) - low)) <= 0:
            return
        shade = moment.light.shade(normal.tolist(), moment.sun, float(max(near[2], 1.0)))
        outline = np.array((low, low + along * 1.06, ridge + along * 1.06, ridge), np.float32)
        moment.canvas.polygon(outline, (*shade.colour(self.front.roof), BUILDING))

    def shadow(self, moment: Moment) -> Floats | None:
        near, far = (_place(moment.view.spot(s, self.d)) for s in (self.start, self.far))
        outward = self._outward(far - near) * self.depth
        foot = np.array((near, far, far + outward, near + outward))
        return _cast_shadow(foot, self.front.height + self.gable * 0.5, moment.sun)


@dataclass(frozen=True)
class Panel:
    """An upright strip of fence or wall along the street."""

    start: float
    end: float
    d: float
    height: float
    texture: Texture

    @property
    def far(self) -> float:
        return self.end

    def draw(self, moment: Moment) -> None:
        start = _place(moment.view.spot(self.start, self.d))
        end = _place(moment.view.spot(self.end, self.d))
        along = end - start
        x, _, z = ((start + end) / 2).tolist()
        if moment.canvas.is_outside(x, z, (self.end - self.start) / 2):
            return
        x, _, z = along.tolist()
        towards = -math.copysign(1.0 / max(math.hypot(x, z), 1e-3), z * start[0] - x * start[2])
        depth = float(max((start[2] + end[2]) / 2, 1.0))
        shade = moment.light.shade((z * towards, 0.0, -x * towards), moment.sun, depth)
        moment.canvas.texture(start, along, self.height, self.texture, shade)

    def shadow(self, moment: Moment) -> Floats | None:
        if self.texture.has_holes:
            return None
        start = _place(moment.view.spot(self.start, self.d))
        end = _place(moment.view.spot(self.end, self.d))
        thick = np.array((0.2, 0, 0), np.float32)
        return _cast_shadow(
            np.array((start, end, end + thick, start + thick)), self.height, moment.sun
        )


@dataclass(frozen=True)
class Stand:
    """A sprite at a place, with its foot `base` metres above the ground."""

    s: float
    d: float
    sprite: Sprite
    base: float = 0.0
    flat: bool = False
    """A flat thing, lit from the front; else it is round and lit from all sides."""

    @property
    def far(self) -> float:
        return self.s

    def draw(self, moment: Moment) -> None:
        spot = moment.view.spot(self.s, self.d)
        if spot.z < 1.0 or moment.canvas.is_outside(spot.x, spot.z, self.sprite.width):
            return
        normal = (0.0, 0.0, -1.0) if self.flat else (0.0, 0.45, -0.65)
        shade = moment.light.shade(normal, moment.sun, spot.z)
        foot, size = (spot.x, self.base, spot.z), (self.sprite.width, self.sprite.height)
        moment.canvas.sprite(foot, size, self.sprite.texture, shade)

    def shadow(self, moment: Moment) -> Floats | None:
        if self.base > 1:
            return None
        spot = moment.view.spot(self.s, self.d)
        reach = self.sprite.width * 0.38
        ring = np.linspace(0, 2 * np.pi, 9)[:-1]
        foot = np.zeros((8, 3), np.float32)
        foot[:, 0] = spot.x + reach * np.cos(ring)
        foot[:, 2] = spot.z + reach * np.sin(ring)
        low = self.sprite.height * 0.3 if self.sprite.height > 3 else 0.0
        return _cast_shadow(foot, self.sprite.height * 0.9, moment.sun, low)


@dataclass(frozen=True)
class Item:
    """A solid at a place, turned by an angle from the direction of the street."""

    s: float
    d: float
    solid: Solid
    turn: float = 0.0
    paint: Bgr | None = None
    box: tuple[float, float] | None = None
    """Width and length of its shadow's foot; None: thin things have a thin one."""

    @property
    def far(self) -> float:
        return self.s

    def draw(self, moment: Moment) -> None:
        spot = moment.view.spot(self.s, self.d)
        if moment.canvas.is_outside(spot.x, spot.z, self.solid.radius):
            return
        foot = (spot.x, 0.0, spot.z)
        turn = spot.turn + self.turn
        self.solid.draw(moment.canvas, foot, turn, moment.light, moment.sun, self.paint)

    def shadow(self, moment: Moment) -> Floats | None:
        spot = moment.view.spot(self.s, self.d)
        wide, long = self.box or (0.16, 0.16)
        sine, cosine = math.sin(spot.turn + self.turn), math.cos(spot.turn + self.turn)
        corners = ((-wide, -long), (wide, -long), (wide, long), (-wide, long))
        foot = np.array(
            [(spot.x + (x * cosine + z * sine) / 2, 0, spot.z + (z * cosine - x * sine) / 2)
             for x, z in corners], np.float32,
        )  # fmt: skip
        return _cast_shadow(foot, self.solid.top * 0.92, moment.sun)


def _place(spot: Spot) -> Floats:
    return np.array((spot.x, 0.0, spot.z), np.float32)


def _cast_shadow(foot: Floats, height: float, sun: Floats, low: float = 0.0) -> Floats:
    """The outline of the shadow of an upright object over `foot`, from `low` to `height`."""
    away = -sun / max(float(sun[1]), 0.15)
    away[1] = 0.0
    points = np.concatenate((foot + away * low, foot + away * height)).astype(np.float32)
    hull = cv2.convexHull(points[:, [0, 2]])[:, 0]
    outline = np.zeros((len(hull), 3), np.float32)
    outline[:, [0, 2]] = hull
    return outline
