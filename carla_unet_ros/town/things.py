"""Things that stand in the town, each at its place along the street; they know how to be drawn."""

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from carla_unet_ros.town.canvas import NEAR, Canvas, Texture
from carla_unet_ros.town.course import Spot, View
from carla_unet_ros.town.light import Bgr, Floats, Light
from carla_unet_ros.town.solids import Solid
from carla_unet_ros.town.sprites import Sprite
from carla_unet_ros.town.surfaces import Front
from carla_unet_ros.town.tags import BUILDING


class Moment(NamedTuple):
    """What drawing needs: where to, from where, in which light."""

    canvas: Canvas
    view: View
    light: Light
    sun: Floats


class Thing(Protocol):
    """Anything with a place. `far` is where its farthest part lies along the street."""

    @property
    def far(self) -> float: ...

    def draw(self, moment: Moment) -> None: ...

    def shadow(self, moment: Moment) -> Floats | None:
        """Its outline on the ground float32 [N, 3], or None."""
        ...


@dataclass(frozen=True)
class House:
    """A building between `start` and `end`, its front at `d`, reaching away from the street."""

    start: float
    d: float
    front: Front
    depth: float
    gable: float

    @property
    def far(self) -> float:
        return self.start + self.front.width

    def draw(self, moment: Moment) -> None:
        canvas, view, light = moment.canvas, moment.view, moment.light
        near, far = (_place(view.spot(s, self.d)) for s in (self.start, self.far))
        along = far - near
        if near[2] < NEAR and far[2] < NEAR:
            return
        outward = np.array((along[2], 0, -along[0]), np.float32) / self.front.width
        outward *= math.copysign(1.0, self.d)
        up = np.array((0, self.front.height, 0), np.float32)
        depth = float(max(near[2], 1.0))
        if near[2] > NEAR:
            facing = -along / self.front.width
            gain = light.gains(facing[None], moment.sun)[0]
            side, self_side = outward * self.depth, self.front.side
            start = near if self.d > 0 else near + side
            across = side if self.d > 0 else -side
            canvas.texture(start, across, up, self_side, light.table(gain, depth))
            self._gable(moment, near, side, up, gain)
        gain = light.gains(-outward[None], moment.sun)[0]
        middle = float(max((near[2] + far[2]) / 2, 1.0))
        start, across = (far, -along) if self.d > 0 else (near, along)
        canvas.texture(start, across, up, self.front.texture, light.table(gain, middle))
        if self.gable:
            self._roof(moment, near, along, outward, up)

    def _gable(self, moment: Moment, near: Floats, side: Floats, up: Floats, gain: Floats) -> None:
        if not self.gable:
            return
        tip = near + side / 2 + up + (0, self.gable, 0)
        colour = moment.light.shaded(self.front.side.mean, gain, float(near[2]))
        outline = np.array((near + up, near + side + up, tip), np.float32)
        moment.canvas.polygon(outline, _with(colour, BUILDING))

    def _roof(self, moment: Moment, near: Floats, along: Floats, outward: Floats,
              up: Floats) -> None:  # fmt: skip
        eave = up - (0, 0.25, 0)
        low = near + eave - outward * 0.4 - along * 0.03
        ridge = near + up + outward * self.depth / 2 + (0, self.gable, 0) - along * 0.03
        normal = np.array((0, self.depth / 2, 0)) - outward * self.gable
        normal = normal / np.linalg.norm(normal)
        if float(normal @ (np.array((0, moment.canvas.eye, 0)) - low)) <= 0:
            normal = normal * 1.0
        gain = moment.light.gains(normal[None].astype(np.float32), moment.sun)[0]
        depth = float(max(near[2], 1.0))
        colour = moment.light.shaded(np.asarray(self.front.roof, np.float32), gain, depth)
        outline = np.array((low, low + along * 1.06, ridge + along * 1.06, ridge), np.float32)
        moment.canvas.polygon(outline, _with(colour, BUILDING))

    def shadow(self, moment: Moment) -> Floats | None:
        near, far = (_place(moment.view.spot(s, self.d)) for s in (self.start, self.far))
        along = far - near
        outward = np.array((along[2], 0, -along[0]), np.float32) / self.front.width
        outward *= math.copysign(self.depth, self.d)
        foot = np.array((near, far, far + outward, near + outward))
        return _cast(foot, self.front.height + self.gable * 0.5, moment.sun)


@dataclass(frozen=True)
class Panel:
    """An upright strip of fence or wall along the street, or across it."""

    start: float
    end: float
    d: float
    height: float
    texture: Texture
    across: float = 0.0
    """How far its end is shifted away from the centre line."""

    @property
    def far(self) -> float:
        return max(self.start, self.end)

    def draw(self, moment: Moment) -> None:
        start = _place(moment.view.spot(self.start, self.d))
        end = _place(moment.view.spot(self.end, self.d + self.across))
        if start[2] < NEAR and end[2] < NEAR:
            return
        along = end - start
        normal = np.array((along[2], 0, -along[0]), np.float32)
        normal *= -math.copysign(1.0, float(normal @ start)) / max(
            float(np.hypot(*normal[::2])), 1e-3
        )
        gain = moment.light.gains(normal[None], moment.sun)[0]
        depth = float(max((start[2] + end[2]) / 2, 1.0))
        up = np.array((0, self.height, 0), np.float32)
        moment.canvas.texture(start, along, up, self.texture, moment.light.table(gain, depth))

    def shadow(self, moment: Moment) -> Floats | None:
        if self.texture.has_holes:
            return None
        start = _place(moment.view.spot(self.start, self.d))
        end = _place(moment.view.spot(self.end, self.d + self.across))
        thick = np.array((0.2, 0, 0), np.float32)
        return _cast(np.array((start, end, end + thick, start + thick)), self.height, moment.sun)


@dataclass(frozen=True)
class Stand:
    """A sprite at a place, its foot `base` metres above the ground."""

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
        if spot.z < 1.0:
            return
        half = self.sprite.width / 2
        corner = np.array((spot.x - half, self.base, spot.z), np.float32)
        across = np.array((self.sprite.width, 0, 0), np.float32)
        up = np.array((0, self.sprite.height, 0), np.float32)
        normal = (0.0, 0.0, -1.0) if self.flat else (0.0, 0.45, -0.65)
        gain = moment.light.gains(np.array((normal,), np.float32), moment.sun)[0]
        table = moment.light.table(gain, spot.z)
        moment.canvas.texture(corner, across, up, self.sprite.texture, table)

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
        return _cast(foot, self.sprite.height * 0.9, moment.sun, low)


@dataclass(frozen=True)
class Item:
    """A solid at a place, turned against the street's direction."""

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
        if spot.z + self.solid.radius < NEAR:
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
        return _cast(foot, self.solid.top * 0.92, moment.sun)


def _place(spot: Spot) -> Floats:
    return np.array((spot.x, 0.0, spot.z), np.float32)


def _with(colour: Floats, label: int) -> tuple[float, float, float, float]:
    blue, green, red = colour.tolist()
    return blue, green, red, float(label)


def _cast(foot: Floats, height: float, sun: Floats, low: float = 0.0) -> Floats:
    """Outline of the shadow of an upright thing over `foot`, from `low` to `height`."""
    away = -sun / max(float(sun[1]), 0.15)
    away[1] = 0.0
    points = np.concatenate((foot + away * low, foot + away * height)).astype(np.float32)
    hull = cv2.convexHull(points[:, [0, 2]])[:, 0]
    outline = np.zeros((len(hull), 3), np.float32)
    outline[:, [0, 2]] = hull
    return outline
