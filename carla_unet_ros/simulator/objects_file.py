# SPDX-License-Identifier: Apache-2.0
"""Reads objects files, which say which vehicle has which sensors.

The bridge's has a list `objects`, whose vehicles carry sensors with their attributes beside type
and pose. The one of CARLA's own example is a single vehicle, and its sensors have `attributes`.
Places are in metres and degrees of ROS: y to the left, a positive pitch looks down.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from carla_unet_ros.errors import InputError, expand_home
from carla_unet_ros.input_files import check_regular
from carla_unet_ros.labels.json_text import read_json

_NO_ATTRIBUTES = {"type", "id", "spawn_point", "attributes"}
_PLACE = ("x", "y", "z", "roll", "pitch", "yaw")


@dataclass(frozen=True)
class Sensor:
    """A sensor of a vehicle. place: x, y, z in metres, roll, pitch, yaw in degrees, of ROS"""

    type: str
    id: str
    place: dict[str, float]
    attributes: dict[str, str]


@dataclass(frozen=True)
class Vehicle:
    """A vehicle with its sensors; `id` is its name in topics."""

    type: str
    id: str
    sensors: tuple[Sensor, ...]

    def named(self, name: str) -> "Vehicle":
        return replace(self, id=name)


def read_vehicle(path: Path, name: str = "") -> Vehicle:
    """The vehicle of this name, or the first one; InputError where there is none."""
    vehicle = _find(path, _vehicles(path, _read(path)), name)
    try:
        sensors = tuple(map(_sensor, vehicle.get("sensors", [])))
        return Vehicle(str(vehicle["type"]), str(vehicle["id"]), sensors)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"objects file {path}: vehicle {vehicle.get('id')!r} cannot be read ({error!r}); "
            "expected type and id, and sensors with type, id and spawn_point"
        ) from error


def check_vehicle(path: Path, name: str) -> None:
    """InputError where the file cannot be read, or names no vehicle so."""
    _find(path, _vehicles(path, _read(path)), name)


def rename_vehicle(path: Path, name: str) -> str:
    """The JSON text of the file with this name for its first vehicle. InputError as above."""
    content = _read(path)
    _vehicles(path, content)[0]["id"] = name
    return json.dumps(content, indent=4)


def _read(path: Path) -> Any:
    try:
        check_regular(path := expand_home(path))
        return read_json(path.read_text())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            f"objects file {path} cannot be read: {reason}; expected one such as "
            "config/carla_objects.json"
        ) from error


def _vehicles(path: Path, content: Any) -> list[dict[str, Any]]:
    entries = content.get("objects", [content]) if isinstance(content, dict) else []
    vehicles = [
        entry
        for entry in entries
        if isinstance(entry, dict) and str(entry.get("type")).startswith("vehicle.")
    ]
    if not vehicles:
        raise InputError(
            f"objects file {path} holds no vehicle; expected one of a type such as "
            "vehicle.tesla.model3"
        )
    return vehicles


def _find(path: Path, vehicles: list[dict[str, Any]], name: str) -> dict[str, Any]:
    for vehicle in vehicles:
        if not name or vehicle.get("id") == name:
            return vehicle
    known = ", ".join(repr(vehicle.get("id")) for vehicle in vehicles)
    raise InputError(
        f"objects file {path} has no vehicle {name!r}; it has {known}: role_name must be the id "
        "of one of them"
    )


def _sensor(entry: dict[str, Any]) -> Sensor:
    point = entry.get("spawn_point", {})
    beside = {key: value for key, value in entry.items() if key not in _NO_ATTRIBUTES}
    attributes = {**beside, **entry.get("attributes", {})}
    return Sensor(
        str(entry["type"]),
        str(entry["id"]),
        {axis: float(point.get(axis, 0.0)) for axis in _PLACE},
        {key: str(value) for key, value in attributes.items()},
    )
