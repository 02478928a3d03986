# SPDX-License-Identifier: Apache-2.0
"""A small stand-in for CARLA's Python module: the calls recording makes, without a simulator.

It keeps the simulator's manners that recording has to cope with: images come from another thread
and not always in time, a camera's first image may be of an earlier tick, a world that is not
synchronous does not tick, a new world starts in its own mode, and spawning fails where something
stands already. Names and signatures are checked against the real module in test_carla_double.py.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from carla_values import (
    ActorBlueprint,
    BlueprintLibrary,
    Image,
    Location,
    Rotation,
    Transform,
    WeatherParameters,
    WorldSettings,
)

ROAD_LINE, CAR = 24, 14


class Actor:
    def __init__(self, world: "World", blueprint: ActorBlueprint, place: Transform) -> None:
        self.world = world
        self.blueprint = blueprint
        self.place = place
        self.parent: Actor | None = None

    def get_location(self) -> Location:
        here = self.place.location
        return Location(here.x, here.y, here.z)


class Vehicle(Actor):
    autopilot = False

    def set_autopilot(self, enabled: bool = True, tm_port: int = 8000) -> None:
        assert tm_port == self.world.traffic_manager.get_port()
        self.autopilot = enabled


class WalkerAIController(Actor):
    walking = False

    def start(self) -> None:
        assert self.parent is not None and self.world.frame > self.born
        self.walking = True

    def stop(self) -> None:
        self.walking = False

    def go_to_location(self, destination: Location) -> None:
        assert isinstance(destination, Location)

    def set_max_speed(self, speed: float) -> None:
        assert self.walking and speed > 0

    born = 0


class Sensor(Actor):
    callback: Callable[[Image], None] | None = None
    publishes = False

    def enable_for_ros(self) -> None:
        self.publishes = True

    def listen(self, callback: Callable[[Image], None]) -> None:
        self.callback = callback
        if self.blueprint.id == "sensor.camera.rgb":
            # What was under way when listening began; only one of two cameras has it.
            self.send(self.world.frame)

    def stop(self) -> None:
        self.callback = None

    def send(self, frame: int) -> None:
        size = self.blueprint.attributes
        width, height = int(size["image_size_x"]), int(size["image_size_y"])
        assert "sensor_tick" not in size and self.callback is not None
        pixels = picture(self.blueprint.id, frame, width, height)
        self.callback(Image(frame, width, height, pixels.tobytes()))


def picture(camera: str, frame: int, width: int, height: int) -> np.ndarray:
    """What a camera sees at a tick: BGRA [H, W, 4], the tags in red for the semantic one."""
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[..., 3] = 255
    if camera.endswith("semantic_segmentation"):
        pixels[..., 2] = np.where(np.arange(width) < frame % width, ROAD_LINE, CAR)
    else:
        pixels[..., :3] = frame % 256, 100, 200
    return pixels


class Map:
    name = "Carla/Maps/Town01"

    def get_spawn_points(self) -> list[Transform]:
        return [Transform(Location(x=100.0 * number)) for number in range(8)]


class TrafficManager:
    def __init__(self) -> None:
        self.synchronous = False
        self.seeds: list[int] = []

    def get_port(self) -> int:
        return 8000

    def set_synchronous_mode(self, mode_switch: bool) -> None:
        self.synchronous = mode_switch

    def set_random_device_seed(self, value: int) -> None:
        self.seeds.append(value)


class World:
    """moves: metres the ego vehicle drives in a tick; fails_at: tick that never ends."""

    def __init__(self, simulator: "Simulator", town: str) -> None:
        self.simulator = simulator
        self.traffic_manager = simulator.traffic_manager
        self.settings = WorldSettings(simulator.synchronous, None)
        self.map = Map()
        self.map.name = f"Carla/Maps/{town}"
        self.weather: WeatherParameters | None = None
        self.frame = 1000
        self.actors: list[Actor] = []
        self._late: threading.Thread | None = None

    def get_map(self) -> Map:
        return self.map

    def get_settings(self) -> WorldSettings:
        return WorldSettings(self.settings.synchronous_mode, self.settings.fixed_delta_seconds)

    def apply_settings(self, settings: WorldSettings) -> int:
        self.simulator.check()
        self.settings = settings
        return self.frame

    def set_weather(self, weather: WeatherParameters) -> None:
        self.weather = weather

    def set_pedestrians_seed(self, seed: int) -> None:
        pass

    def get_blueprint_library(self) -> BlueprintLibrary:
        return BlueprintLibrary()

    def get_random_location_from_navigation(self) -> Location | None:
        self.simulator.walks += 1
        # Some places cannot be reached.
        return None if self.simulator.walks % 4 == 0 else Location(y=float(self.simulator.walks))

    def try_spawn_actor(
        self, blueprint: ActorBlueprint, transform: Transform, attach_to: Actor | None = None
    ) -> Actor | None:
        taken = [actor for actor in self.actors if actor.parent is None]
        if any(actor.place.location == transform.location for actor in taken):
            return None
        return self.spawn_actor(blueprint, transform, attach_to)

    def spawn_actor(
        self, blueprint: ActorBlueprint, transform: Transform, attach_to: Actor | None = None
    ) -> Actor:
        kinds = {"vehicle": Vehicle, "sensor": Sensor, "controller": WalkerAIController}
        actor = kinds.get(blueprint.id.partition(".")[0], Actor)(self, blueprint, transform)
        actor.parent = attach_to
        if isinstance(actor, WalkerAIController):
            actor.born = self.frame
        self.actors.append(actor)
        self.simulator.spawned.append(blueprint)
        return actor

    def tick(self) -> int:
        self.simulator.check()
        assert self.settings.synchronous_mode and self.traffic_manager.synchronous
        assert self.settings.fixed_delta_seconds
        if self._late is not None:
            self._late.join()
        self.frame += 1
        self.simulator.ticks += 1
        if self.simulator.fails_at == self.simulator.ticks:
            self.simulator.gone = True
            self.simulator.check()
        for actor in self.actors:
            if actor.blueprint.attributes.get("role_name") == "hero":
                actor.place.location.x += self.simulator.moves
        sensors = [actor for actor in self.actors if isinstance(actor, Sensor) and actor.callback]
        self._late = threading.Thread(target=self._send, args=(sensors[::-1], self.frame))
        self._late.start()
        return self.frame

    def _send(self, sensors: list[Sensor], frame: int) -> None:
        for sensor in sensors:
            sensor.send(frame + self.simulator.skips)


class Client:
    def __init__(self, host: str, port: int, simulator: "Simulator") -> None:
        assert host and port
        self._simulator = simulator

    def set_timeout(self, seconds: float) -> None:
        assert seconds > 0

    def get_server_version(self) -> str:
        self._simulator.check()
        return self._simulator.version

    def get_available_maps(self) -> list[str]:
        return [
            "/Game/Carla/Maps/Town01",
            "/Game/Carla/Maps/Town02",
            "/Game/Carla/Maps/Town02_Opt",
        ]

    def get_world(self) -> World:
        self._simulator.check()
        return self._simulator.world

    def load_world(self, map_name: str) -> World:
        # A world that waits for ticks hangs when another is loaded.
        assert not self._simulator.world.settings.synchronous_mode
        self._simulator.world = World(self._simulator, map_name)
        return self._simulator.world

    def get_trafficmanager(self, port: int = 8000) -> TrafficManager:
        self._simulator.check()
        assert port == self._simulator.traffic_manager.get_port()
        return self._simulator.traffic_manager

    def apply_batch_sync(self, commands: list["DestroyActor"]) -> list:
        self._simulator.check()
        for command in commands:
            command.actor.world.actors.remove(command.actor)
        return []


@dataclass
class DestroyActor:
    actor: Actor


class Simulator:
    """The module `carla`, and the simulator behind it, as one object.

    moves:    metres the ego vehicle drives in a tick
    fails_at: the tick from which on the simulator does not answer any more
    skips:    images are of so many ticks later than the tick
    """

    def __init__(
        self,
        moves: float = 0.5,
        version: str = "0.9.16",
        fails_at: int = 0,
        skips: int = 0,
        synchronous: bool = False,
    ) -> None:
        self.moves, self.version, self.fails_at, self.skips = moves, version, fails_at, skips
        self.synchronous = synchronous
        self.gone = False
        self.ticks = self.walks = 0
        self.spawned: list[ActorBlueprint] = []
        self.traffic_manager = TrafficManager()
        self.world = World(self, "Town01")

    def check(self) -> None:
        if self.gone:
            raise RuntimeError("time-out of 60000ms while waiting for the simulator")

    # The module's names, as far as they are used.
    Location, Rotation, Transform = Location, Rotation, Transform
    WeatherParameters = WeatherParameters
    command = SimpleNamespace(DestroyActor=DestroyActor)

    def Client(self, host: str = "127.0.0.1", port: int = 2000) -> Client:
        return Client(host, port, self)
