# SPDX-License-Identifier: Apache-2.0
"""The class ids of the town's objects, by name."""

from carla_unet_ros.labels import IGNORE, carla_13

(
    NONE,
    BUILDING,
    FENCE,
    OTHER,
    PEDESTRIAN,
    POLE,
    ROAD_LINE,
    ROAD,
    SIDEWALK,
    VEGETATION,
    VEHICLE,
    WALL,
    SIGN,
) = carla_13().ids(
    (
        "None/Unlabeled",
        "Buildings",
        "Fences",
        "Other",
        "Pedestrians",
        "Poles",
        "RoadLines",
        "Roads",
        "Sidewalks",
        "Vegetation",
        "Vehicles",
        "Walls",
        "TrafficSigns",
    )
)

CLEAR = IGNORE
"""In the label channel of a texture: nothing there, what is behind shows through."""
