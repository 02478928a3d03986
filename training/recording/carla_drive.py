# SPDX-License-Identifier: Apache-2.0
"""Drives through a running CARLA: traffic, an ego vehicle and its two cameras.

The caller passes the `carla` module, so nothing here imports it. Images belong together if they
have the frame number of the same tick: each camera has a queue, and `tick` waits until both have
answered. The tag is the red channel of the semantic camera's raw_data; convert() would replace it
with a colour (CARLA's documentation, "Sensors reference").
"""

import queue
import random
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from carla_unet_ros.labels import Uint8

_SECONDS_FOR_AN_IMAGE = 30.0
_WARM_UP_TICKS = 40
_WALKING_SPEED = 1.4


class DriveError(RuntimeError):
    """A drive that cannot continue; the text says what was found and what to do."""


@dataclass(frozen=True)
class CameraPlan:
    """Size and place of both cameras."""

    width: int = 800  # pixels
    height: int = 600  # pixels
    fov: float = 90.0  # horizontal, degrees
    x: float = 2.0  # metres ahead of the vehicle's origin
    z: float = 2.0  # metres above it
    pitch: float = 0.0  # degrees; positive looks down, as in the bridge's objects file


@dataclass(frozen=True)
class TrafficPlan:
    """The ego vehicle, and who is around it."""

    ego: str = "vehicle.tesla.model3"  # blueprint of the ego vehicle
    vehicles: int = 60  # other vehicles; fewer if there is no room
    walkers: int = 60  # pedestrians


class Recorded(NamedTuple):
    """frame: uint8 [H, W, 3] in B, G, R; tags: uint8 [H, W], raw."""

    frame: Uint8
    tags: Uint8


class Drive:
    """A context that removes what it spawned at its end.

    seed: seed of all random choices: places, vehicles, colours, walkers' ways
    """

    def __init__(
        self,
        carla: Any,
        client: Any,
        world: Any,
        traffic_manager: Any,
        camera: CameraPlan,
        traffic: TrafficPlan,
        seed: int,
    ) -> None:
        self._carla = carla
        self._client = client
        self._world = world
        self._traffic_manager = traffic_manager
        self._camera = camera
        self._traffic = traffic
        self._seed = seed
        self._random = random.Random(seed)
        self._actors: list[Any] = []
        self._walkers: list[Any] = []
        self._controllers: list[Any] = []
        self._cameras: list[Any] = []
        self._images: list[queue.Queue[Any]] = []
        self._ego: Any = None

    def __enter__(self) -> "Drive":
        try:
            self._traffic_manager.set_random_device_seed(self._seed)
            self._world.set_pedestrians_seed(self._seed)
            self._spawn_vehicles()
            self._spawn_walkers()
            self._spawn_cameras()
            for _ in range(_WARM_UP_TICKS):
                self.tick()
        except BaseException:
            self._destroy()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._destroy()

    def tick(self) -> Recorded:
        """Does one step of the simulation. Returns the images of both cameras.

        Raises DriveError if a camera does not answer, or skips the tick.
        """
        frame = self._world.tick()
        colours, semantic = (self._image(images, frame) for images in self._images)
        return Recorded(colours[..., :3], np.ascontiguousarray(semantic[..., 2]))

    def metres_from(self, location: Any) -> float:
        """Returns the distance of the ego vehicle from a place; infinite from None."""
        return float("inf") if location is None else self.location().distance(location)

    def location(self) -> Any:
        return self._ego.get_location()

    def _image(self, images: "queue.Queue[Any]", frame: int) -> Uint8:
        """The image [H, W, 4] of this frame number. Older images are dropped."""
        while True:
            try:
                image = images.get(timeout=_SECONDS_FOR_AN_IMAGE)
            except queue.Empty:
                raise DriveError(
                    f"a camera sent nothing for tick {frame} in {_SECONDS_FOR_AN_IMAGE:.0f} s: "
                    "is the simulator rendering (not -nullrhi), and does no other client tick?"
                ) from None
            if image.frame > frame:
                raise DriveError(
                    f"a camera skipped tick {frame} (it sent {image.frame}): another client ticks "
                    "the simulator, too; end it"
                )
            if image.frame == frame:
                pixels = np.frombuffer(image.raw_data, np.uint8)
                return pixels.reshape(image.height, image.width, 4).copy()

    def _spawn_vehicles(self) -> None:
        """Spawns the ego vehicle and traffic at random spawn points, all on autopilot."""
        library = self._world.get_blueprint_library()
        points = list(self._world.get_map().get_spawn_points())
        self._random.shuffle(points)
        try:
            ego = library.find(self._traffic.ego)
        except IndexError as error:
            known = ", ".join(sorted(entry.id for entry in library.filter("vehicle.*")))
            raise DriveError(
                f"there is no vehicle {self._traffic.ego!r}; --ego takes one of {known}"
            ) from error
        ego.set_attribute("role_name", "hero")
        while self._ego is None and points:
            self._ego = self._spawn(ego, points.pop())
        if self._ego is None:
            raise DriveError("the town has no free spawn point: remove the vehicles in it")
        blueprints = list(library.filter("vehicle.*"))
        spawned = [self._ego]
        while len(spawned) <= self._traffic.vehicles and points:
            blueprint = self._random.choice(blueprints)
            if blueprint.has_attribute("color"):
                colours = blueprint.get_attribute("color").recommended_values
                blueprint.set_attribute("color", self._random.choice(colours))
            vehicle = self._spawn(blueprint, points.pop())
            if vehicle is not None:
                spawned.append(vehicle)
        for vehicle in spawned:
            vehicle.set_autopilot(True, self._traffic_manager.get_port())

    def _spawn_walkers(self) -> None:
        library = self._world.get_blueprint_library()
        blueprints = list(library.filter("walker.pedestrian.*"))
        for _ in range(self._traffic.walkers):
            location = self._world.get_random_location_from_navigation()
            if location is not None:
                place = self._carla.Transform(location)
                walker = self._spawn(self._random.choice(blueprints), place)
                if walker is not None:
                    self._walkers.append(walker)
        # A controller can control its walker only one tick after the walker appears.
        self._world.tick()
        controller = library.find("controller.ai.walker")
        for walker in self._walkers:
            brain = self._world.spawn_actor(controller, self._carla.Transform(), walker)
            self._actors.append(brain)
            self._controllers.append(brain)
        self._world.tick()
        for brain in self._controllers:
            brain.start()
            if (goal := self._world.get_random_location_from_navigation()) is not None:
                brain.go_to_location(goal)
            brain.set_max_speed(_WALKING_SPEED)

    def _spawn_cameras(self) -> None:
        """Spawns the camera of frames, then that of tags, as in `_images`."""
        library = self._world.get_blueprint_library()
        plan = self._camera
        # In CARLA, a positive pitch looks up.
        place = self._carla.Transform(
            self._carla.Location(x=plan.x, z=plan.z), self._carla.Rotation(pitch=-plan.pitch)
        )
        for kind in ("sensor.camera.rgb", "sensor.camera.semantic_segmentation"):
            blueprint = library.find(kind)
            blueprint.set_attribute("image_size_x", str(plan.width))
            blueprint.set_attribute("image_size_y", str(plan.height))
            blueprint.set_attribute("fov", str(plan.fov))
            camera = self._world.spawn_actor(blueprint, place, self._ego)
            self._actors.append(camera)
            self._cameras.append(camera)
            images: queue.Queue[Any] = queue.Queue()
            self._images.append(images)
            camera.listen(images.put)

    def _spawn(self, blueprint: Any, place: Any) -> Any:
        actor = self._world.try_spawn_actor(blueprint, place)
        if actor is not None:
            self._actors.append(actor)
        return actor

    def _destroy(self) -> None:
        """Removes the spawned actors. A simulator that has ended has none left."""
        destroy = self._carla.command.DestroyActor
        try:
            for actor in (*self._cameras, *self._controllers):
                actor.stop()
            self._client.apply_batch_sync([destroy(actor) for actor in reversed(self._actors)])
        except RuntimeError as problem:
            print(f"actors could not be removed: {problem}", file=sys.stderr)
