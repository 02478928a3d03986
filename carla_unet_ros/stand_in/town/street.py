# SPDX-License-Identifier: Apache-2.0
"""The street: its widths, lines and crossings, and the colours of its surfaces."""

from typing import NamedTuple

import numpy as np

from carla_unet_ros.stand_in.town.character import Character
from carla_unet_ros.stand_in.town.light import Bgr


class Street(NamedTuple):
    """The profile of a street. Lengths are in metres; `right` and `left` are sidewalk widths."""

    half_width: float
    left: float
    right: float
    centre: str
    edge: bool
    lanes: int
    asphalt: Bgr
    paving: Bgr
    soil: Bgr


class Crossing(NamedTuple):
    """A crossing: where the side street crosses, its half width, whether it has zebra stripes."""

    s: float
    half_width: float
    zebra: bool


def make_street(rng: np.random.Generator, character: Character) -> Street:
    """A street that suits the town."""
    half = float(rng.choice(character.half_width))
    grey = float(rng.uniform(84, 128))
    paving = float(rng.uniform(84, 140))
    return Street(
        half_width=half,
        left=float(rng.uniform(*character.sidewalk)) if rng.random() >= character.verges else 0.0,
        right=float(rng.uniform(*character.sidewalk)),
        centre=("double", "yellow", "white")[int(rng.integers(3))],
        edge=bool(rng.random() < character.edge_lines),
        lanes=4 if half > 6.5 else 2,
        asphalt=(grey, grey * 0.98, grey * 0.97),
        paving=(paving, paving, paving * 1.01),
        soil=(40.0, 82.0, 76.0) if rng.random() < 0.7 else (62.0, 92.0, 104.0),
    )
