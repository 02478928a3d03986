# SPDX-License-Identifier: Apache-2.0
"""The double of CARLA's client against the real one: names, arguments, what the drive takes."""

import inspect
import re

import carla_double
import carla_values
import pytest

DOUBLED = (
    "Location",
    "Rotation",
    "Transform",
    "WorldSettings",
    "WeatherParameters",
    "Image",
    "ActorAttribute",
    "ActorBlueprint",
    "BlueprintLibrary",
    "Actor",
    "Vehicle",
    "WalkerAIController",
    "Sensor",
    "Map",
    "TrafficManager",
    "World",
    "Client",
)
# What the double has of its own: what tests set or look at.
OWN = {
    "ActorBlueprint": {"attributes"},
    "Actor": {"world", "blueprint", "place"},
    "Vehicle": {"autopilot"},
    "WalkerAIController": {"walking", "born"},
    "Sensor": {"callback", "send", "publishes", "enable_for_ros"},
}


@pytest.mark.parametrize("name", DOUBLED)
def test_the_double_has_the_names_and_arguments_of_the_real_client(name: str):
    carla = pytest.importorskip("carla", reason="the carla wheel (CPython 3.10-3.12) is missing")
    module = carla_values if hasattr(carla_values, name) else carla_double
    double, real = getattr(module, name), getattr(carla, name)
    fields = set(getattr(double, "__annotations__", ())) | set(vars(double))
    for member in sorted(fields - OWN.get(name, set())):
        if member.startswith("_"):
            continue
        assert hasattr(real, member), f"carla.{name} has no {member}"
        if inspect.isfunction(vars(double).get(member)):
            mine = list(inspect.signature(vars(double)[member]).parameters.values())[1:]
            _check_arguments(f"{name}.{member}", mine, getattr(real, member).__doc__ or "")


def _check_arguments(name: str, mine: list[inspect.Parameter], documented: str) -> None:
    """Boost's docstring, f( (World)arg1, (str)map_name [, (bool)reset_settings=True]) -> ..., has
    the double's arguments first, under their names where it tells names, and needs no more."""
    call = documented.strip().partition(") ->")[0]
    needed, _, optional = call.partition("[")
    required = re.findall(r"\(\w+\)(\w+)", needed)[1:]
    known = required + re.findall(r"\(\w+\)(\w+)", optional)
    assert len(required) <= len(mine) <= len(known), (name, call)
    for own, real in zip(mine, known, strict=False):
        assert own.name == real or re.fullmatch(r"arg\d+", real), (name, own.name, call)
        assert (own.default is not own.empty) == (real not in required), (name, own.name, call)


def test_the_module_itself_has_what_the_drive_takes_of_it():
    carla = pytest.importorskip("carla", reason="the carla wheel (CPython 3.10-3.12) is missing")
    place = carla.Transform(carla.Location(x=2.0, z=2.0), carla.Rotation(pitch=-5.0))
    assert place.location.x == 2.0 and place.rotation.pitch == -5.0
    assert carla.Location(x=3.0).distance(carla.Location(x=1.0)) == 2.0
    assert isinstance(carla.WeatherParameters.ClearNoon, carla.WeatherParameters)
    assert isinstance(carla.WeatherParameters.WetSunset, carla.WeatherParameters)
    assert carla.command.DestroyActor(7).actor_id == 7
    settings = carla.WorldSettings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.05
    assert settings.synchronous_mode and settings.fixed_delta_seconds == pytest.approx(0.05)
    assert carla.Image.frame and carla.Image.raw_data
    client = carla.Client("127.0.0.1", 1)
    client.set_timeout(0.2)
    with pytest.raises(RuntimeError):
        client.get_server_version()
