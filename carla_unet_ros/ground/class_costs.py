# SPDX-License-Identifier: Apache-2.0
"""What it costs to drive over a cell, by the class that is seen in it.

Written as a list of NAME=COST with the names of the legend, such as Sidewalks=60. Costs are those
of nav_msgs/OccupancyGrid: 0 is free, 100 is an obstacle. `others` is the cost of every class that
is not named. The drivable classes cost nothing.
"""

from collections.abc import Iterable

import numpy as np

from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import LabelSet, Uint8

OTHERS = "others"
DEFAULT_COSTS: list[str] = ["Sidewalks=60", "Vegetation=80", "others=100"]
DRIVABLE: list[str] = ["Roads", "RoadLines"]


def parse_costs(entries: Iterable[str]) -> dict[str, int]:
    """The costs by name. ValueError for an entry that is no NAME=COST with a cost 0..100."""
    costs: dict[str, int] = {}
    for entry in entries:
        name, _, cost = (part.strip() for part in entry.rpartition("="))
        if not (name and cost.isdecimal() and int(cost) <= 100):
            raise InputError(
                f"{entry!r} is no cost of a class; expected NAME=COST with a cost of 0 to 100, "
                "such as Sidewalks=60"
            )
        costs[name] = int(cost)
    return costs


def cost_table(labels: LabelSet, costs: dict[str, int], drivable: Iterable[int]) -> Uint8:
    """The cost of each class, uint8 [classes], by id. ValueError for a name of no class."""
    table = np.full(len(labels), costs.get(OTHERS, 100), np.uint8)
    names = [name for name in costs if name != OTHERS]
    for name, number in zip(names, labels.ids(names), strict=True):
        table[number] = costs[name]
    table[list(drivable)] = 0
    return table
