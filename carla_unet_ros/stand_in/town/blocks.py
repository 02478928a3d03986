# SPDX-License-Identifier: Apache-2.0
"""Blocks: pieces of the town, forty metres of street each, built from their number."""

import math
from typing import NamedTuple

import numpy as np

from carla_unet_ros.stand_in.town.character import Character
from carla_unet_ros.stand_in.town.roadside import LENGTH, Roadside, Walker
from carla_unet_ros.stand_in.town.stock import Stock
from carla_unet_ros.stand_in.town.street import Crossing, Street
from carla_unet_ros.stand_in.town.things import Thing


class Block(NamedTuple):
    """One piece of the town: things that never move, people, and the crossing, if it has one."""

    things: list[Thing]
    walkers: list[Walker]
    crossing: Crossing | None


class Blocks:
    """The blocks by number, built when they are needed. A number always gives the same block."""

    def __init__(self, seed: int, character: Character, street: Street, stock: Stock) -> None:
        self._seed, self._character, self._street, self._stock = seed, character, street, stock
        self._made: dict[int, Block] = {}

    def block(self, number: int) -> Block:
        if number not in self._made:
            if len(self._made) > 64:
                self._made.clear()
            self._made[number] = self._make(number)
        return self._made[number]

    def _make(self, number: int) -> Block:
        rng = np.random.default_rng((self._seed, number + 2**20))
        start = number * LENGTH
        crossing = None
        gap = (math.inf, -math.inf)
        if number % self._character.crossings == self._seed % self._character.crossings:
            wide = float(rng.uniform(3.2, 4.5))
            crossing = Crossing(start + LENGTH / 2, wide, bool(rng.random() < 0.7))
            gap = (crossing.s - wide, crossing.s + wide)
        maker = Roadside(rng, self._character, self._street, self._stock, start, gap)
        for side in (-1, 1):
            if (number + (side > 0)) % 2 == 0:
                maker.add_lot(side, "wall" if number % 4 < 2 else "fence")
            maker.add_back_row(side)
            maker.add_sidewalk(side, number)
            maker.add_parked_cars(side)
        if crossing:
            maker.add_side_street(crossing)
            maker.add_signals(crossing)
        maker.add_signs(number)
        return Block(maker.things, maker.make_walkers(crossing), crossing)
