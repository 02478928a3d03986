# SPDX-License-Identifier: Apache-2.0
"""`carla_unet_spawn` against a double of CARLA's client."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import carla_double
import pytest
from carla_double import Sensor, Simulator, Vehicle, World

from carla_unet_ros.simulator.spawn import main

CONFIG = Path(__file__).parents[2] / "config"
CAMERAS = ("rgb_front", "semantic_segmentation_front")
Run = Callable[..., int]


@pytest.fixture
def spawn(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command on a simulator until it has ticked so often; gives its status."""

    def run(
        simulator: Simulator, *options: str, ticks: int = 5, see: Callable[[], Any] = bool
    ) -> int:
        tick = World.tick

        def counted(self: World) -> int:
            frame = tick(self)
            if simulator.ticks == ticks:
                see()
                # Twice, as under ros2 launch.
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)
            return frame

        monkeypatch.setattr(World, "tick", counted)
        monkeypatch.setitem(sys.modules, "carla", simulator)
        fast = "--ticks-per-second", "500"
        return main(["--file", str(CONFIG / "carla_native.json"), *fast, *options])

    return run


def test_the_car_drives_and_its_cameras_publish_under_its_name(spawn: Run):
    simulator = Simulator()
    seen: list[carla_double.Actor] = []
    assert spawn(simulator, see=lambda: seen.extend(simulator.world.actors)) == 0
    car, *sensors = seen
    assert isinstance(car, Vehicle) and car.autopilot
    names = {"role_name": "ego_vehicle", "ros_name": "ego_vehicle"}
    assert car.blueprint.attributes == names
    by_name = {sensor.blueprint.attributes["ros_name"]: sensor for sensor in sensors}
    assert by_name.keys() >= set(CAMERAS)
    for name in CAMERAS:
        sensor = by_name[name]
        assert isinstance(sensor, Sensor) and sensor.publishes and sensor.parent is car
        size = {"image_size_x": "800", "image_size_y": "600", "fov": "90.0"}
        assert sensor.blueprint.attributes == {**size, "role_name": name, "ros_name": name}
        assert (sensor.place.location.x, sensor.place.location.z) == (2.0, 2.0)


def test_another_name_and_another_town_are_taken(spawn: Run):
    simulator = Simulator()
    names: list[str] = []
    status = spawn(
        simulator,
        *("--role-name", "truck", "--town", "Town02"),
        see=lambda: names.append(simulator.world.actors[0].blueprint.attributes["ros_name"]),
    )
    assert (status, names) == (0, ["truck"])
    assert simulator.world.map.name.endswith("Town02")


@pytest.mark.parametrize("synchronous", [False, True])
def test_after_control_c_the_simulator_is_left_as_it_was_found(spawn: Run, synchronous: bool):
    simulator = Simulator(synchronous=synchronous)
    assert spawn(simulator) == 0
    assert_as_found(simulator, synchronous)


def test_after_an_error_the_simulator_is_left_as_it_was_found(spawn: Run):
    simulator = Simulator()

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        spawn(simulator, see=fail)
    assert_as_found(simulator)


def test_after_an_error_while_spawning_nothing_is_left(
    spawn: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(_: Sensor) -> None:
        raise RuntimeError("ROS 2 is off")

    monkeypatch.setattr(Sensor, "enable_for_ros", fail)
    simulator = Simulator()
    assert spawn(simulator) == 1
    assert "carla_unet_spawn: ROS 2 is off" in capsys.readouterr().err
    assert_as_found(simulator)


def assert_as_found(simulator: Simulator, synchronous: bool = False) -> None:
    assert simulator.world.settings == carla_double.WorldSettings(synchronous, None)
    assert not simulator.traffic_manager.synchronous
    assert simulator.world.actors == []


def test_a_simulator_that_dies_is_told_in_a_sentence(
    spawn: Run, capsys: pytest.CaptureFixture[str]
):
    assert spawn(Simulator(fails_at=3)) == 1
    told = capsys.readouterr().err
    assert "carla_unet_spawn: time-out of 60000ms" in told and "Traceback" not in told


def test_a_version_without_ros_2_is_refused_before_anything_is_changed(
    spawn: Run, capsys: pytest.CaptureFixture[str]
):
    simulator = Simulator(version="0.9.15")
    assert spawn(simulator) == 1
    assert "CARLA 0.9.15, which speaks no ROS 2; expected 0.9.16" in capsys.readouterr().err
    assert simulator.ticks == 0 and simulator.spawned == []


def test_a_build_of_ones_own_is_taken(spawn: Run):
    assert spawn(Simulator(version="f1a2b3c")) == 0


def test_places_of_ros_become_places_of_carla(spawn: Run, tmp_path: Path):
    """y to the left and a pitch that looks down, as in the bridge's objects files."""
    point = '{"x": 1, "y": 2, "z": 3, "roll": 4, "pitch": 5, "yaw": 6}'
    sensor = f'{{"type": "sensor.camera.rgb", "id": "a", "spawn_point": {point}}}'
    path = tmp_path / "objects.json"
    path.write_text(f'{{"type": "vehicle.tesla.model3", "id": "a", "sensors": [{sensor}]}}')
    simulator = Simulator()
    places: list[carla_double.Transform] = []
    options = "--file", str(path)
    assert (
        spawn(simulator, *options, see=lambda: places.append(simulator.world.actors[1].place)) == 0
    )
    assert places[0].location == carla_double.Location(1.0, -2.0, 3.0)
    assert places[0].rotation == carla_double.Rotation(pitch=-5.0, yaw=-6.0, roll=4.0)


def test_a_vehicle_that_the_simulator_lacks_is_told(
    spawn: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "objects.json"
    path.write_text('{"type": "vehicle.none", "id": "a"}')
    simulator = Simulator()
    assert spawn(simulator, "--file", str(path)) == 1
    assert "the simulator refuses vehicle.none of the objects file" in capsys.readouterr().err
    assert_as_found(simulator)


def test_the_real_client_knows_what_makes_a_sensor_publish():
    carla = pytest.importorskip("carla", reason="the carla wheel (CPython 3.10-3.12) is missing")
    assert callable(carla.ServerSideSensor.enable_for_ros)
