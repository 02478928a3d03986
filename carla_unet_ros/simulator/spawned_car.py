# SPDX-License-Identifier: Apache-2.0
"""Spawns a vehicle whose sensors publish themselves over CARLA's own ROS 2 interface.

The attribute `ros_name` gives the names in topics, /carla/<vehicle>/<sensor>/image, and
`enable_for_ros` makes a sensor publish (CARLA's PythonAPI/examples/ros2/ros2_native.py).
"""

import random
import sys
from types import TracebackType
from typing import Any

from carla_unet_ros.errors import InputError
from carla_unet_ros.simulator.objects_file import Sensor, Vehicle


class SpawnedCar:
    """A context: the vehicle drives itself, and is gone with its sensors when it is left.

    carla: CARLA's Python module
    world: in synchronous mode, as the traffic manager is
    plan:  the vehicle and its sensors
    """

    def __init__(
        self, carla: Any, client: Any, world: Any, traffic_manager: Any, plan: Vehicle
    ) -> None:
        self._carla = carla
        self._client = client
        self._world = world
        self._traffic_manager = traffic_manager
        self._plan = plan
        self._actors: list[Any] = []

    def __enter__(self) -> "SpawnedCar":
        """InputError where the town has no room, or no such vehicle, sensor or attribute."""
        try:
            car = self._spawn_vehicle()
            for sensor in self._plan.sensors:
                # Pseudo sensors are the bridge's own.
                if not sensor.type.startswith("sensor.pseudo."):
                    self._spawn_sensor(sensor, car)
            # The traffic manager can drive a vehicle only one tick after the vehicle appears.
            self._world.tick()
            car.set_autopilot(True, self._traffic_manager.get_port())
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

    def _spawn_vehicle(self) -> Any:
        attributes = {"role_name": self._plan.id, "ros_name": self._plan.id}
        blueprint = self._blueprint(self._plan.type, attributes)
        points = list(self._world.get_map().get_spawn_points())
        random.shuffle(points)
        for point in points:
            car = self._world.try_spawn_actor(blueprint, point)
            if car is not None:
                self._actors.append(car)
                return car
        raise InputError("the town has no free spawn point: remove the vehicles in it")

    def _spawn_sensor(self, sensor: Sensor, car: Any) -> None:
        names = {"role_name": sensor.id, "ros_name": sensor.id}
        blueprint = self._blueprint(sensor.type, sensor.attributes | names)
        at = sensor.place
        # CARLA's y points to the right, its pitch and yaw turn the other way round.
        place = self._carla.Transform(
            self._carla.Location(x=at["x"], y=-at["y"], z=at["z"]),
            self._carla.Rotation(pitch=-at["pitch"], yaw=-at["yaw"], roll=at["roll"]),
        )
        actor = self._world.spawn_actor(blueprint, place, car)
        self._actors.append(actor)
        actor.enable_for_ros()

    def _blueprint(self, kind: str, attributes: dict[str, str]) -> Any:
        try:
            blueprint = self._world.get_blueprint_library().find(kind)
            for name, value in attributes.items():
                blueprint.set_attribute(name, value)
        except IndexError as error:
            raise InputError(
                f"the simulator refuses {kind} of the objects file: {error}; `ros_name` needs "
                "CARLA 0.9.16 or newer"
            ) from error
        return blueprint

    def _destroy(self) -> None:
        """Removes what was spawned; a simulator that is gone has taken its actors along."""
        destroy = self._carla.command.DestroyActor
        try:
            self._client.apply_batch_sync([destroy(actor) for actor in reversed(self._actors)])
        except RuntimeError as problem:
            print(f"actors could not be removed: {problem}", file=sys.stderr)
