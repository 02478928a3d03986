# SPDX-License-Identifier: Apache-2.0
"""The roadside: what stands along one block of the street, and who walks there."""

import math
from typing import NamedTuple

import numpy as np

from carla_unet_ros.stand_in.town.character import Character
from carla_unet_ros.stand_in.town.stock import Stock
from carla_unet_ros.stand_in.town.street import Crossing, Street
from carla_unet_ros.stand_in.town.things import House, Item, Panel, Stand, Thing
from carla_unet_ros.stand_in.town.vehicles import PAINTS, SHAPES

LENGTH = 40.0
"""Metres of street in a block."""


class Walker(NamedTuple):
    """A person of the stock who walks to and fro between two places."""

    who: int
    start: float
    reach: float
    d: float
    across: bool
    pace: float
    phase: float


class Roadside:
    """Fills one block. `gap` is the place of the side street, which stays free."""

    def __init__(self, rng: np.random.Generator, character: Character, street: Street,
                 stock: Stock, start: float, gap: tuple[float, float]) -> None:  # fmt: skip
        self._rng, self._character = rng, character
        self._street, self._stock = street, stock
        self._start, self._gap = start, gap
        self._built = {-1: start, 1: start}
        self.things: list[Thing] = []

    def _width(self, side: int) -> float:
        return self._street.right if side > 0 else self._street.left

    def _free(self, start: float, end: float, margin: float) -> bool:
        return end < self._gap[0] - margin or start > self._gap[1] + margin

    def add_lot(self, side: int, border: str) -> None:
        """Adds a garden at the beginning of the block, so that no block lacks walls and fences."""
        edge = self._street.half_width + self._width(side)
        length = float(self._rng.uniform(8, 12))
        self._add_garden(side, self._start, length, edge, border)
        self._built[side] += length

    def add_back_row(self, side: int) -> None:
        """Adds houses, gardens and their fences behind the sidewalk."""
        rng, character = self._rng, self._character
        s, end = self._built[side], self._start + LENGTH
        edge = self._street.half_width + self._width(side)
        while s < end - 4:
            front = self._stock.fronts[int(rng.integers(len(self._stock.fronts)))]
            length = front.width + float(rng.uniform(0.2, 3.0)) * (character.setback[1] > 2)
            if rng.random() > character.houses or s + length > end + 1:
                length = min(float(rng.uniform(8, 14)), end - s)
                if self._free(s, s + length, 1.5):
                    self._add_garden(side, s, length, edge)
            elif self._free(s, s + length, 3.0):
                setback = float(rng.uniform(*character.setback))
                gable = float(rng.uniform(1.5, 3.2)) if rng.random() < character.gables else 0.0
                depth = float(rng.uniform(8, 14))
                self.things.append(House(s, side * (edge + setback), front, depth, gable))
                if setback > 2.5:
                    self._add_border(side, s, length, edge + 0.3)
            s += length

    def add_side_street(self, crossing: Crossing) -> None:
        """Adds houses and trees on the far side of the side street, left and right."""
        rng, character, stock = self._rng, self._character, self._stock
        for side in (-1, 1):
            d = self._street.half_width + self._width(side) + 15.0
            s = crossing.s + crossing.half_width + 3.5
            while d < 80:
                wide = float(rng.uniform(8, 14))
                if rng.random() < character.houses:
                    front = stock.fronts[int(rng.integers(len(stock.fronts)))]
                    gable = float(rng.uniform(1.5, 3)) if rng.random() < character.gables else 0.0
                    self.things.append(House(s, side * d, front, wide, gable))
                else:
                    kind = character.trees[int(rng.integers(len(character.trees)))]
                    tree = stock.trees[kind][int(rng.integers(3))]
                    self.things.append(Stand(s + 2, side * (d + wide / 2), tree))
                d += wide + float(rng.uniform(0.5, 4))

    def _add_garden(
        self, side: int, s: float, length: float, edge: float, border: str = ""
    ) -> None:
        rng = self._rng
        self._add_border(side, s, length, edge + 0.3, border)
        for _ in range(int(rng.integers(2, 6))):
            trees = self._stock.trees[
                self._character.trees[int(rng.integers(len(self._character.trees)))]
            ]
            place = s + float(rng.uniform(0.5, length - 0.5))
            away = edge + float(rng.uniform(2.5, 16))
            self.things.append(Stand(place, side * away, trees[int(rng.integers(len(trees)))]))
        bushes = self._stock.trees["bush"]
        for _ in range(int(rng.integers(1, 5))):
            place = s + float(rng.uniform(0.5, length - 0.5))
            away = edge + float(rng.uniform(1.2, 9))
            self.things.append(Stand(place, side * away, bushes[int(rng.integers(len(bushes)))]))

    def _add_border(self, side: int, s: float, length: float, d: float, border: str = "") -> None:
        """Adds a fence, a wall, a hedge or nothing behind the sidewalk, or what `border` names."""
        rng = self._rng
        choice = {"fence": 0.0, "wall": 0.5}.get(border, float(rng.random()))
        if choice < 0.5:
            kinds = self._character.fences
            kind = kinds[int(rng.integers(len(kinds)))]
            height = 1.5 * float(rng.uniform(0.7, 1.2))
            for part in np.arange(s, s + length - 1, 6.0):
                panel = Panel(float(part), float(part) + 6.0, side * d, height,
                              self._stock.fences[kind])  # fmt: skip
                self.things.append(panel)
        elif choice < 0.72:
            wall = self._stock.walls[int(rng.integers(len(self._stock.walls)))]
            height = float(rng.uniform(0.8, 2.3))
            for part in np.arange(s, s + length - 2, 8.0):
                last = min(float(part) + 8.0, s + length)
                self.things.append(Panel(float(part), last, side * d, height, wall))
        elif choice < 0.72 + 0.28 * self._character.hedges:
            hedges = self._stock.trees["hedge"]
            for part in np.arange(s, s + length, 3.0):
                hedge = hedges[int(rng.integers(len(hedges)))]
                self.things.append(Stand(float(part), side * (d + 1.2), hedge))

    def add_sidewalk(self, side: int, number: int) -> None:
        """Adds lamps, trees, bins, benches, boxes near the curb; poles even without a sidewalk."""
        rng, character, stock = self._rng, self._character, self._stock
        curb = self._street.half_width + 0.7
        back = self._street.half_width + max(self._width(side), 1.8) - 0.6
        if (number + (side > 0)) % 2 == 0 or rng.random() < character.lamps - 0.6:
            place = self._start + float(rng.uniform(4, 12))
            if self._free(place, place, 2.0):
                if rng.random() < character.lamps:
                    self.things.append(Item(place, side * curb, stock.lamps[side]))
                else:
                    self.things.append(Item(place, side * (back + 1), stock.utility_pole))
        for place in np.arange(self._start + 3, self._start + LENGTH, 9.0):
            s = float(place + rng.uniform(-2, 2))
            if not self._free(s, s, 4.0):
                continue
            choice = rng.random()
            if choice < character.street_trees * 0.5:
                kind = ("broadleaf", "cypress", "birch")[int(rng.integers(3))]
                tree = stock.trees[kind][int(rng.integers(3))]
                self.things.append(Stand(s, side * (curb + 0.3), tree))
            elif choice < character.street_trees * 0.5 + 0.4:
                self._add_small_thing(side, s, curb, back)
        if side > 0 and number % 4 == 1 and self._free(self._start + 28, self._start + 34, 1):
            self.things.append(Item(self._start + 31, back, stock.shelter, box=(1.8, 4.4)))

    def _add_small_thing(self, side: int, s: float, curb: float, back: float) -> None:
        rng, stock = self._rng, self._stock
        choice = int(rng.integers(5))
        turn = 0.0 if side > 0 else math.pi
        if choice == 0:
            self.things.append(Stand(s, side * curb, stock.barrels[int(rng.integers(2))]))
        elif choice == 1:
            bench = stock.benches[int(rng.integers(2))]
            self.things.append(Item(s, side * back, bench, turn, box=(0.5, 1.8)))
        elif choice == 2 and self._character.shops > 0.3:
            self.things.append(Item(s, side * back, stock.phone_box, turn, box=(0.9, 0.9)))
        elif choice == 3:
            fence = stock.fences[("cross", "bars", "guard")[int(rng.integers(3))]]
            self.things.append(Panel(s, s + 4, side * (curb - 0.45), 1.05, fence))
        else:
            boxes = stock.boxes[int(rng.integers(len(stock.boxes)))]
            self.things.append(Item(s, side * back, boxes, turn, box=(0.8, 1.0)))

    def add_parked_cars(self, side: int) -> None:
        rng = self._rng
        lane = self._street.half_width - 1.15 if self._street.half_width > 5 else (
            self._street.half_width + 0.4
        )  # fmt: skip
        for place in np.arange(self._start + 3.5, self._start + LENGTH - 2, 6.6):
            s = float(place + rng.uniform(-0.4, 0.4))
            if rng.random() < self._character.parked and self._free(s, s, 7.0):
                kinds = list(SHAPES)
                kind = kinds[int(rng.choice(len(kinds), p=(0.3, 0.25, 0.2, 0.1, 0.1, 0.05)))]
                shape = SHAPES[kind]
                turn = (0.0 if side > 0 else math.pi) + float(rng.normal(0, 0.02))
                paint = PAINTS[int(rng.integers(len(PAINTS)))]
                car = self._stock.cars[kind]
                foot = (shape.width, shape.length)
                self.things.append(Item(s, side * lane, car, turn, paint, foot))

    def add_signals(self, crossing: Crossing) -> None:
        """Adds a traffic light on each side, on a post or an arm."""
        rng, stock = self._rng, self._stock
        light = stock.signals[int(rng.choice((0, 2, 2, 1)))]
        d = self._street.half_width + 0.6
        s = crossing.s - crossing.half_width - 0.8
        far = crossing.s + crossing.half_width + 0.8
        if rng.random() < 0.5:
            self.things.append(Item(s, d, stock.signal_post))
            self.things.append(Stand(s - 0.12, d, light, 2.7, True))
        else:
            self.things.append(Item(far, d, stock.signal_arms[1]))
            self.things.append(Stand(far - 0.12, d - 4.2, light, 4.5, True))
            self.things.append(Stand(far - 0.12, d, light, 2.9, True))
        self.things.append(Item(far, -d, stock.signal_post))
        self.things.append(Stand(far - 0.12, -d, light, 2.7, True))

    def add_signs(self, number: int) -> None:
        """Adds a sign to the right in every block, and sometimes one to the left."""
        rng, stock = self._rng, self._stock
        kinds = list(stock.signs)
        for side in (1, -1) if (number % 3) == 0 else (1,):
            s = self._start + float(rng.uniform(14, 38))
            if not self._free(s, s, 1.0):
                s = self._gap[0] - 2.0
            d = side * (self._street.half_width + 0.55)
            face = stock.signs[kinds[int(rng.integers(len(kinds)))]]
            self.things.append(Item(s, d, stock.sign_post))
            self.things.append(Stand(s - 0.06, d, face, 2.25 - face.height / 2, True))

    def make_walkers(self, crossing: Crossing | None) -> list[Walker]:
        rng, street = self._rng, self._street
        people = []
        for number in range(self._character.people):
            side = 1 if number % 2 == 0 else -1
            wide = max(self._width(side), 1.6)
            away = float(rng.uniform(0.5, 0.95)) * wide
            if street.half_width <= 5:  # cars stand half on the sidewalk there
                away = max(away, 1.9)
            d = side * (street.half_width + away)
            people.append(self._make_walker(self._start + float(rng.uniform(0, 20)), d, False))
        if crossing and crossing.zebra:
            place = crossing.s + crossing.half_width - 1.7
            people.append(self._make_walker(place, street.half_width + 1.0, True))
        return people

    def _make_walker(self, s: float, d: float, across: bool) -> Walker:
        rng = self._rng
        who = int(rng.integers(len(self._stock.people)))
        reach = 2 * abs(d) if across else float(rng.uniform(8, 18))
        pace = float(rng.uniform(0.9, 1.7))
        return Walker(who, s, reach, d, across, pace, float(rng.random()))
