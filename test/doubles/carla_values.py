# SPDX-License-Identifier: Apache-2.0
"""The values that CARLA's Python module passes around, for its stand-in, carla_double.py."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Location:
    x: float = 0.0
    y: float = 0.0
    z: float = 0.0

    def distance(self, location: "Location") -> float:
        return math.dist((self.x, self.y, self.z), (location.x, location.y, location.z))


@dataclass
class Rotation:
    pitch: float = 0.0
    yaw: float = 0.0
    roll: float = 0.0


@dataclass
class Transform:
    location: Location = field(default_factory=Location)
    rotation: Rotation = field(default_factory=Rotation)


@dataclass
class WorldSettings:
    synchronous_mode: bool = False
    fixed_delta_seconds: float | None = None


class WeatherParameters:
    ClearNoon: "WeatherParameters"
    WetSunset: "WeatherParameters"


WeatherParameters.ClearNoon = WeatherParameters()
WeatherParameters.WetSunset = WeatherParameters()


@dataclass
class Image:
    frame: int
    width: int
    height: int
    raw_data: bytes


@dataclass
class ActorAttribute:
    recommended_values: list[str]


@dataclass
class ActorBlueprint:
    id: str
    attributes: dict[str, str] = field(default_factory=dict)

    def has_attribute(self, id: str) -> bool:
        return id == "color" and self.id.startswith("vehicle.")

    def get_attribute(self, id: str) -> ActorAttribute:
        assert self.has_attribute(id)
        return ActorAttribute(["255,0,0", "0,0,255"])

    def set_attribute(self, id: str, value: str) -> None:
        self.attributes[id] = value


class BlueprintLibrary:
    def __init__(self) -> None:
        self._names = (
            "vehicle.tesla.model3",
            "vehicle.bh.crossbike",
            "walker.pedestrian.0001",
            "controller.ai.walker",
            "sensor.camera.rgb",
            "sensor.camera.semantic_segmentation",
            "sensor.camera.depth",
        )
        self._found = self._names

    def find(self, id: str) -> ActorBlueprint:
        if id not in self._names:
            raise IndexError(f"blueprint '{id}' not found")
        return ActorBlueprint(id)

    def filter(self, wildcard_pattern: str) -> "BlueprintLibrary":
        library = BlueprintLibrary()
        prefix = wildcard_pattern.removesuffix("*")
        library._found = tuple(name for name in self._names if name.startswith(prefix))
        return library

    def __iter__(self) -> Iterator[ActorBlueprint]:
        return map(ActorBlueprint, self._found)
