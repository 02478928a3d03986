# SPDX-License-Identifier: Apache-2.0
"""The stock of a town: the fronts, trees, people, signs and cars that it is built from."""

import numpy as np

from carla_unet_ros.stand_in.town import furniture, people, plants, signs, surfaces, vehicles
from carla_unet_ros.stand_in.town.light import Bgr


class Stock:
    """The selection of one town, built once. No two towns have the same houses and trees."""

    def __init__(self, rng: np.random.Generator, floors: tuple[int, int], shops: float) -> None:
        self.fronts = [
            surfaces.house_front(
                rng, int(rng.integers(floors[0], floors[1] + 1)), bool(rng.random() < shops)
            )
            for _ in range(14)
        ]
        self.walls = [surfaces.garden_wall(rng) for _ in range(5)]
        self.fences = {kind: surfaces.fence(rng, kind) for kind in surfaces.FENCES}
        self.trees = {kind: [plants.tree(rng, kind) for _ in range(3)] for kind in plants.TREES}
        self.people = [people.person(rng) for _ in range(8)]
        self.signs = {kind: signs.sign(rng, kind) for kind in signs.SIGN_KINDS}
        self.signals = [signs.signal(lit) for lit in range(3)]
        self.barrels = [furniture.barrel(rng) for _ in range(2)]
        self.cars = {kind: vehicles.car(kind) for kind in vehicles.SHAPES}
        colour: Bgr = ((130, 132, 134), (56, 60, 60), (70, 84, 76))[int(rng.integers(3))]
        tall, arm = float(rng.uniform(5.0, 8.0)), float(rng.choice((0.0, 1.4, 2.2)))
        self.lamps = {side: furniture.street_lamp(tall, -side * arm, colour) for side in (-1, 1)}
        self.sign_post = furniture.post(2.2, 0.08)
        self.signal_post = furniture.post(3.6, 0.14, (70, 74, 74))
        self.signal_arms = {
            side: furniture.post(5.6, 0.18, (70, 74, 74), -side * 4.5) for side in (-1, 1)
        }
        self.utility_pole = furniture.utility_pole()
        self.benches = [furniture.bench(back) for back in (False, True)]
        self.boxes = [furniture.boxes(rng) for _ in range(4)]
        self.phone_box = furniture.phone_box()
        self.shelter = furniture.shelter()
