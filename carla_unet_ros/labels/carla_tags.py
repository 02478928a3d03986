# SPDX-License-Identifier: Apache-2.0
"""CARLA's semantic tags, version by version: the one table of ids, names and colours.

A tag is the class id that CARLA's semantic camera gives a pixel. CARLA renumbered its tags twice
and changed some colours more often. So one id means different things in different versions: 7 is
the road up to 0.9.13 and a traffic light since 0.9.14. Ids and colours are those of the
simulator's `CityScapesPalette.h` and `ObjectLabel.h` (github.com/carla-simulator/carla), read at
the releases named here.
"""

Colour = tuple[int, int, int]

_NONE = "None/Unlabeled"

# Tags 0..12, in the order all versions up to 0.9.13 share.
_FIRST_13: dict[str, Colour] = {
    _NONE: (0, 0, 0),
    "Buildings": (70, 70, 70),
    "Fences": (190, 153, 153),
    "Other": (72, 0, 90),
    "Pedestrians": (220, 20, 60),
    "Poles": (153, 153, 153),
    "RoadLines": (157, 234, 50),
    "Roads": (128, 64, 128),
    "Sidewalks": (244, 35, 232),
    "Vegetation": (107, 142, 35),
    "Vehicles": (0, 0, 255),
    "Walls": (102, 102, 156),
    "TrafficSigns": (220, 220, 0),
}

# Tags 13..22, added with 0.9.10.
_NEXT_10: dict[str, Colour] = {
    "Sky": (70, 130, 180),
    "Ground": (81, 0, 81),
    "Bridge": (150, 100, 100),
    "RailTrack": (230, 150, 140),
    "GuardRail": (180, 165, 180),
    "TrafficLight": (250, 170, 30),
    "Static": (110, 190, 160),
    "Dynamic": (170, 120, 50),
    "Water": (45, 60, 150),
    "Terrain": (145, 170, 100),
}

# Renumbered with 0.9.14, after Cityscapes' train ids; vehicles told apart.
_SINCE_0_9_14: dict[str, Colour] = {
    _NONE: (0, 0, 0),
    "Roads": (128, 64, 128),
    "Sidewalks": (244, 35, 232),
    "Buildings": (70, 70, 70),
    "Walls": (102, 102, 156),
    "Fences": (190, 153, 153),
    "Poles": (153, 153, 153),
    "TrafficLight": (250, 170, 30),
    "TrafficSigns": (220, 220, 0),
    "Vegetation": (107, 142, 35),
    "Terrain": (152, 251, 152),
    "Sky": (70, 130, 180),
    "Pedestrians": (220, 20, 60),
    "Rider": (255, 0, 0),
    "Car": (0, 0, 142),
    "Truck": (0, 0, 70),
    "Bus": (0, 60, 100),
    "Train": (0, 80, 100),
    "Motorcycle": (0, 0, 230),
    "Bicycle": (119, 11, 32),
    "Static": (110, 190, 160),
    "Dynamic": (170, 120, 50),
    "Other": (55, 90, 80),
    "Water": (45, 60, 150),
    "RoadLines": (157, 234, 50),
    "Ground": (81, 0, 81),
    "Bridge": (150, 100, 100),
    "RailTrack": (230, 150, 140),
    "GuardRail": (180, 165, 180),
}

_SINCE_0_9_0 = _FIRST_13 | {"Other": (250, 170, 160), "Vehicles": (0, 0, 142)}

# Version span -> name -> colour (R, G, B); a tag's id is its place in the order.
TAG_TABLES: dict[str, dict[str, Colour]] = {
    "0.8.x": _FIRST_13,
    # The only table in which two tags share a colour: poles and road lines.
    "0.9.0-0.9.1": _SINCE_0_9_0 | {"RoadLines": (153, 153, 153)},
    "0.9.2-0.9.9": _SINCE_0_9_0,
    "0.9.10-0.9.13": _SINCE_0_9_0 | {"Fences": (100, 40, 40), "Other": (55, 90, 80)} | _NEXT_10,
    "0.9.14-0.9.16": _SINCE_0_9_14,
    "0.10.0": _SINCE_0_9_14,
    "ue5-dev-after-0.10.0": _SINCE_0_9_14 | {"Rock": (180, 130, 70)},
}

# Names of a class in tables with fewer classes, the nearest name first.
BROADER: dict[str, tuple[str, ...]] = {
    "Sky": (_NONE,),
    "Ground": ("Terrain", _NONE),
    "Terrain": ("Ground", _NONE),
    "Rock": ("Terrain", _NONE),
    "Water": (_NONE,),
    "Bridge": (_NONE,),
    "RailTrack": (_NONE,),
    "GuardRail": ("Fences",),
    "TrafficLight": ("TrafficSigns",),
    "Static": ("Other",),
    "Dynamic": ("Other",),
    "Rider": ("Pedestrians",),
    **dict.fromkeys(
        ("Car", "Truck", "Bus", "Train", "Motorcycle", "Bicycle"),
        ("Vehicles",),
    ),
    # The only narrower name: tables since 0.9.14 have no name for vehicles of all kinds.
    "Vehicles": ("Car",),
}
