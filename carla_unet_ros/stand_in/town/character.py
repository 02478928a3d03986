# SPDX-License-Identifier: Apache-2.0
"""The three kinds of towns: downtown, suburb and country."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Character:
    """The character of a town: houses, plants, traffic. Shares are 0..1, lengths are in metres.

    houses:       share of lots with a house
    setback:      front garden, metres
    shops:        share of fronts with a shop
    gables:       share of pitched roofs
    hedges:       share of hedges on lots without fence or wall
    street_trees: how densely trees stand on the sidewalk
    parked:       share of parking places taken
    people:       number on the sidewalk of a block
    half_width:   half the width of the road, one of these
    sidewalk:     its width
    crossings:    number of blocks from one side street to the next
    skyline:      as Sky takes it
    lamps:        share of lamps among the poles
    verges:       share of streets without a left sidewalk
    edge_lines:   share of streets with edge lines
    """

    houses: float
    setback: tuple[float, float]
    floors: tuple[int, int]
    shops: float
    gables: float
    hedges: float
    trees: tuple[str, ...]
    street_trees: float
    parked: float
    people: int
    half_width: tuple[float, ...]
    sidewalk: tuple[float, float]
    fences: tuple[str, ...]
    crossings: int
    skyline: str
    lamps: float
    verges: float
    edge_lines: float


CHARACTERS = {
    "downtown": Character(
        houses=0.95,
        setback=(0.0, 1.5),
        floors=(2, 6),
        shops=0.6,
        gables=0.15,
        hedges=0.1,
        trees=("broadleaf", "cypress", "birch"),
        street_trees=0.5,
        parked=0.55,
        people=4,
        half_width=(4.2, 7.2),
        sidewalk=(3.0, 4.5),
        fences=("bars", "cross", "mesh"),
        crossings=3,
        skyline="houses",
        lamps=1.0,
        verges=0.0,
        edge_lines=0.5,
    ),
    "suburb": Character(
        houses=0.75,
        setback=(3.0, 8.0),
        floors=(1, 3),
        shops=0.1,
        gables=0.8,
        hedges=0.5,
        trees=("broadleaf", "birch", "conifer", "cypress"),
        street_trees=0.6,
        parked=0.4,
        people=3,
        half_width=(4.0, 5.6),
        sidewalk=(2.0, 3.0),
        fences=("pickets", "rails", "bars", "mesh", "cross"),
        crossings=4,
        skyline="hills",
        lamps=0.8,
        verges=0.0,
        edge_lines=0.5,
    ),
    "country": Character(
        houses=0.3,
        setback=(5.0, 14.0),
        floors=(1, 2),
        shops=0.0,
        gables=1.0,
        hedges=0.6,
        trees=("conifer", "broadleaf", "conifer", "birch"),
        street_trees=0.3,
        parked=0.15,
        people=2,
        half_width=(3.8, 4.4),
        sidewalk=(1.4, 2.0),
        fences=("rails", "guard", "guard", "cross", "pickets"),
        crossings=5,
        skyline="hills",
        lamps=0.5,
        verges=0.5,
        edge_lines=1.0,
    ),
}
