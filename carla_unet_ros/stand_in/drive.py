# SPDX-License-Identifier: Apache-2.0
"""Draws a drive through a town that does not exist: camera frames with exact labels.

It replaces CARLA where CARLA is not installed, and its frames are training data for classes that
are rare in recorded frames. A drive depends on a seed alone. The folder `town` holds what the town
consists of; this file says where the car is, who else moves, and in which order all is painted.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np

from carla_unet_ros.camera_model import intrinsics
from carla_unet_ros.labels import Uint8
from carla_unet_ros.stand_in.car_motion import CarMotion, find_motion, find_pose
from carla_unet_ros.stand_in.town.blocks import Block, Blocks
from carla_unet_ros.stand_in.town.bonnet import Bonnet
from carla_unet_ros.stand_in.town.canvas import Canvas
from carla_unet_ros.stand_in.town.character import CHARACTERS
from carla_unet_ros.stand_in.town.course import Course, View
from carla_unet_ros.stand_in.town.depth import DepthBuffer
from carla_unet_ros.stand_in.town.ground import Ground
from carla_unet_ros.stand_in.town.light import WEATHERS, Floats, make_weather
from carla_unet_ros.stand_in.town.roadside import LENGTH, Walker
from carla_unet_ros.stand_in.town.sky import Sky
from carla_unet_ros.stand_in.town.stock import Stock
from carla_unet_ros.stand_in.town.street import Crossing, make_street
from carla_unet_ros.stand_in.town.things import Item, Moment, Stand, Thing
from carla_unet_ros.stand_in.town.vehicles import PAINTS, SHAPES

FRAMES_PER_SECOND = 20
"""Frames per second of the drive's own time."""

_SIGHT = 130.0
_SHADOWS = 55.0
_TRAFFIC = 260.0
_PERSON = 0.5


class Scene(NamedTuple):
    """One moment of the drive.

    frame:  uint8 [H, W, 4], B, G, R, A
    labels: class ids of `carla_13()`, uint8 [H, W]
    depth:  metres ahead of the camera, float32 [H, W], FARTHEST_DEPTH for the sky; None unless
            it was asked for
    """

    frame: Uint8
    labels: Uint8
    depth: Floats | None = None


class Pose(NamedTuple):
    """Where the camera is on the street.

    s:    metres along the street
    d:    metres to the right of its centre line
    turn: radians from the direction of the street there to that of the camera, to the right; the
          street is drawn in full up to 0.6
    """

    s: float
    d: float
    turn: float = 0.0


class Lead(NamedTuple):
    """The car ahead, in the lane: metres along the street, and which car it is."""

    s: float
    looks: int = 0


class Footprint(NamedTuple):
    """The ground that a car or a person covers: its middle and its turn as in Pose, metres."""

    name: str
    s: float
    d: float
    turn: float
    width: float
    length: float


class Drive:
    """The drive of one seed. It gives any frame, in any order."""

    def __init__(
        self, width: int = 800, height: int = 600, fov: float = 90.0, seed: int = 0
    ) -> None:
        """Builds the town of a seed.

        width, height: pixels
        fov:           horizontal field of view, degrees
        seed:          0, 1, 2, ... are downtown, suburb, country in turn; after every three the
                       weather changes

        ValueError for a camera that is impossible.
        """
        camera = intrinsics(width, height, fov)
        rng = np.random.default_rng(seed)
        character = CHARACTERS[tuple(CHARACTERS)[seed % len(CHARACTERS)]]
        self._light = make_weather(WEATHERS[seed // len(CHARACTERS) % len(WEATHERS)], rng)
        self._street = make_street(rng, character)
        self._stock = Stock(rng, character.floors, character.shops)
        self._blocks = Blocks(seed, character, self._street, self._stock)
        self._course = Course(rng, float(rng.uniform(0.1, 0.3)))
        self._speed = float(rng.uniform(7.0, 10.0))
        self._seed = seed
        self._canvas = Canvas(camera, float(rng.uniform(1.6, 2.4)))
        self._sky = Sky(camera, self._light, character.skyline, rng)
        self._ground = Ground(self._canvas, self._street, self._light, rng)
        self._bonnet = Bonnet(camera, rng) if seed % 4 == 3 else None

    @property
    def camera_height(self) -> float:
        """Height above the ground in metres; the camera looks straight ahead."""
        return self._canvas.eye

    @property
    def bonnet_rows(self) -> int:
        """Rows at the bottom of the picture that show the car's own bonnet."""
        return self._bonnet.rows if self._bonnet else 0

    @property
    def half_width(self) -> float:
        """Metres from the centre line to the edge of the road."""
        return self._street.half_width

    @property
    def lane(self) -> float:
        """Metres from the centre line to the middle of the lane to the right of it."""
        return self._street.half_width / 2 if self._street.lanes == 2 else 1.9

    def frame(self, index: int) -> Scene:
        """The scene `index / FRAMES_PER_SECOND` seconds after the start; index from 0."""
        return self.at(index / FRAMES_PER_SECOND)

    def at(self, time: float, depth: bool = False) -> Scene:
        """The scene `time` seconds after the start, for cameras of any rate.

        depth: whether to draw its depth, too
        """
        pose = self._pose(time)
        ahead = pose.s + 19 + 9 * math.sin(time * 0.16 + self._seed)
        return self.look(pose, time, Lead(ahead, int((time + 15) // 40) * 7), depth)

    def look(self, pose: Pose, time: float, lead: Lead, depth: bool = False) -> Scene:
        """The scene at this time from any pose on the street, with the car ahead at any place."""
        self._canvas.depth = DepthBuffer(self._canvas.camera, self._canvas.eye) if depth else None
        view = View(self._course, *pose)
        sun = self._light.direction(view.heading)
        moment = Moment(self._canvas, view, self._light, sun)
        blocks = self._blocks_ahead(pose.s)
        crossings = [block.crossing for block in blocks if block.crossing]
        things = self._find_things(view, blocks, time, lead)
        self._sky.paint(self._canvas.pixels, view.heading)
        self._paint_ground(moment, [c for c in crossings if c.s > pose.s - 10], things)
        for _, thing in sorted(things, key=lambda entry: -entry[0]):
            thing.draw(moment)
        if self._light.wetness > 0.5:
            self._ground.mirror()
        if self._bonnet:
            self._bonnet.paint(self._canvas)
        return self._finish_scene()

    def motion(self, time: float) -> CarMotion:
        """Where the car is `time` seconds after the start, and how it moves."""
        return find_motion(lambda when: find_pose(self._course, *self._pose(when)), time)

    def _pose(self, time: float) -> Pose:
        s = self._speed * time + 1.5 * math.sin(time * 0.35)
        return Pose(s, self.lane + 0.15 * math.sin(time * 0.5))

    def footprints(self, s: float, time: float, lead: Lead) -> list[Footprint]:
        """All cars and the people who cross the street, at this time, around a place of it."""
        blocks = self._blocks_ahead(s)
        cars = [thing for block in blocks for thing in block.things if isinstance(thing, Item)]
        cars += self._place_traffic(s, time, lead)
        walkers = [walker for block in blocks for walker in block.walkers if walker.across]
        people = [self._place_walker(walker, time) for walker in walkers]
        return [
            *(Footprint("car", c.s, c.d, c.turn, *c.box) for c in cars if c.paint and c.box),
            *(Footprint("person", p.s, p.d, 0.0, _PERSON, _PERSON) for p in people),
        ]

    def is_road(self, s: float, d: float) -> bool:
        """Whether a place is on the road of the street, or of one that crosses it."""
        crossings = (block.crossing for block in self._blocks_ahead(s))
        return abs(d) < self.half_width or any(
            abs(s - crossing.s) < crossing.half_width for crossing in crossings if crossing
        )

    def view(self, pose: Pose) -> View:
        """The street around a camera: from places on it to metres before the camera, and back."""
        return View(self._course, *pose)

    def _blocks_ahead(self, s: float) -> list[Block]:
        first = math.floor((s - 20) / LENGTH)
        last = math.floor((s + _SIGHT) / LENGTH)
        return [self._blocks.block(number) for number in range(first, last + 1)]

    def _find_things(
        self, view: View, blocks: list[Block], time: float, lead: Lead
    ) -> list[tuple[float, Thing]]:
        """All things that may be visible, each with the place of its farthest part."""
        things = [thing for block in blocks for thing in block.things]
        things += [
            self._place_walker(walker, time) for block in blocks for walker in block.walkers
        ]
        things += self._place_traffic(view.s, time, lead)
        return [(thing.far, thing) for thing in things if -2 < thing.far - view.s < _SIGHT + 20]

    def _paint_ground(self, moment: Moment, crossings: list[Crossing],
                      things: list[tuple[float, Thing]]) -> None:  # fmt: skip
        self._ground.paint(moment.view, crossings)
        strength = min(sum(moment.light.sun) / 3 * 0.75, 0.5)
        outlines = []
        for far, thing in things:
            if far - moment.view.s < _SHADOWS:
                outline = thing.shadow(moment)
                if outline is not None:
                    outlines.append(outline)
        self._ground.finish(moment.view, outlines, strength)

    def _place_walker(self, walker: Walker, time: float) -> Stand:
        """A walker at this time: people walk to and fro, like a triangle wave."""
        way = walker.pace * time + walker.phase * 2 * walker.reach
        along = way % (2 * walker.reach)
        along = min(along, 2 * walker.reach - along)
        phases = self._stock.people[walker.who]
        sprite = phases[int(way * 1.3 * len(phases)) % len(phases)]
        if walker.across:
            return Stand(walker.start, walker.d - along, sprite)
        return Stand(walker.start + along, walker.d, sprite)

    def _place_traffic(self, s: float, time: float, lead: Lead) -> list[Item]:
        """The car ahead, and some that come towards the camera and change with each round."""
        cars = [self._make_car(lead.s, self.lane, 0.0, lead.looks)]
        for number in range(4):
            way = s + 9.0 * time + number * _TRAFFIC / 4 + 37.0 * ((number * number) % 3)
            place = s + _TRAFFIC - 30 - way % _TRAFFIC
            looks = int(way // _TRAFFIC) * 11 + number
            cars.append(self._make_car(place, -self.lane, math.pi, looks))
        return cars

    def _make_car(self, s: float, d: float, turn: float, looks: int) -> Item:
        rng = np.random.default_rng((self._seed, looks, 77))
        kind = list(SHAPES)[int(rng.integers(len(SHAPES)))]
        paint = PAINTS[int(rng.integers(len(PAINTS)))]
        foot = (SHAPES[kind].width, SHAPES[kind].length)
        return Item(s, d, self._stock.cars[kind], turn, paint, foot)

    def _finish_scene(self) -> Scene:
        """The finished scene: labels as painted, the frame softened a little, like a camera's."""
        labels = cv2.extractChannel(self._canvas.pixels, 3)
        frame = cv2.GaussianBlur(self._canvas.pixels, (3, 3), 0.6)
        frame[..., 3] = 255
        depth = self._canvas.depth.metres() if self._canvas.depth else None
        return Scene(np.asarray(frame, np.uint8), np.asarray(labels, np.uint8), depth)
