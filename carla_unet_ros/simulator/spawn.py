# SPDX-License-Identifier: Apache-2.0
"""Spawns the car in a CARLA that speaks ROS 2 itself, and drives it: `carla_unet_spawn`.

It ticks the simulation, never faster than real time, until Ctrl-C. Then actors and the world's
settings are put back, as they are after an error.
"""

import re
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from carla_unet_ros.command_line import Configured, check_ranges, run_command
from carla_unet_ros.errors import InputError
from carla_unet_ros.simulator.client import import_carla
from carla_unet_ros.simulator.objects_file import read_vehicle
from carla_unet_ros.simulator.spawned_car import SpawnedCar
from carla_unet_ros.simulator.synchronous_worlds import SynchronousWorlds

_FIRST_WITH_ROS = (0, 9, 16)


@dataclass(frozen=True, kw_only=True)
class Options(Configured):
    """Spawn the car with its cameras in a running CARLA 0.9.16 or newer, and let it drive.

    CARLA must have been started with --ros2: then the cameras publish themselves. This command
    switches the world to synchronous mode and ticks it, and no other client may. At Ctrl-C it
    removes what it spawned, and puts the world's settings back.
    Needs the simulator's Python module: pip install carla==0.9.16
    """

    file: Path  # objects file, such as config/carla_native.json
    role_name: str | None = None  # another name for the vehicle of the file
    town: str | None = None  # town to load; without it, the present town stays
    ticks_per_second: float = 20.0  # ticks a second of simulated time
    host: str = "127.0.0.1"  # host of the simulator
    port: int = 2000  # port of the simulator
    traffic_port: int = 8000  # port of the traffic manager
    timeout: float = 60.0  # seconds to wait for the simulator

    def __post_init__(self) -> None:
        # The simulator's physics goes wrong below this.
        check_ranges(self, ticks_per_second=(10, 10_000), timeout=(0.1, 3600))
        check_ranges(self, port=(1, 65535), traffic_port=(1, 65535))


class _StopOnSignal:
    """A context that is true after Ctrl-C or `kill`, so that nothing interrupts the clean-up."""

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "_StopOnSignal":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __bool__(self) -> bool:
        return self._asked

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._asked = True


def _drive(options: Options) -> None:
    plan = read_vehicle(options.file)
    if options.role_name:
        plan = plan.named(options.role_name)
    carla = import_carla()
    client = carla.Client(options.host, options.port)
    client.set_timeout(options.timeout)
    _check_version(client.get_server_version())
    with (
        _StopOnSignal() as stop,
        SynchronousWorlds(client, options.ticks_per_second, options.traffic_port) as worlds,
    ):
        world, traffic_manager = worlds.open(options.town)
        with SpawnedCar(carla, client, world, traffic_manager, plan):
            names = ", ".join(sensor.id for sensor in plan.sensors)
            print(f"{plan.id} drives, with {names}; Ctrl-C ends it", flush=True)
            _tick(world, 1.0 / options.ticks_per_second, stop)


def _tick(world: Any, seconds: float, stop: _StopOnSignal) -> None:
    """Ticks once in so many seconds, or as fast as the simulator can, until a signal."""
    due = time.monotonic()
    while not stop:
        world.tick()
        now = time.monotonic()
        due = max(due + seconds, now)
        time.sleep(due - now)


def _check_version(version: str) -> None:
    """InputError for a release that cannot publish by itself; a build of one's own may."""
    release = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    if release and tuple(map(int, release.groups())) < _FIRST_WITH_ROS:
        raise InputError(
            f"the simulator is CARLA {version}, which speaks no ROS 2; expected 0.9.16 or newer: "
            "use the bridge (without native:=true)"
        )


def main(argv: list[str] | None = None) -> int:
    return run_command(Options, "carla_unet_spawn", _drive, argv, (RuntimeError,))


if __name__ == "__main__":
    sys.exit(main())
