# SPDX-License-Identifier: Apache-2.0
"""Drives through a running CARLA simulator and writes labelled frames: `carla_unet_record`.

For each town and weather an ego vehicle drives through traffic on autopilot. At fixed distances,
its camera's frame and the raw tags of the same tick are written to OUT/rgb/NAME.png and
OUT/label/NAME.png. The same command continues a recording that was stopped. recording.json holds
its settings.
"""

import itertools
import json
import math
import re
import sys
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from carla_unet_ros.camera_model import LARGEST_SIDE
from carla_unet_ros.command_line import Configured, check_ranges, run_command
from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import LabelSet, carla_label_set
from carla_unet_ros.labels.json_text import read_json
from carla_unet_ros.labels.label_faults import describe_label_faults
from carla_unet_ros.simulator.client import import_carla
from carla_unet_ros.simulator.synchronous_worlds import SynchronousWorlds
from carla_unet_ros.training.data.folders import prepare_pairs, write_pair
from carla_unet_ros.training.recording.carla_drive import (
    CameraPlan,
    Drive,
    DriveError,
    Recorded,
    TrafficPlan,
)
from carla_unet_ros.whole_files import write_whole

_SECONDS_STANDING_STILL = 60.0
_FRUITLESS_DRIVES = 3


@dataclass(frozen=True, kw_only=True)
class Options(Configured):
    """Record frames with labels from a running CARLA simulator.

    Needs the simulator's Python module of the same version: pip install carla==0.9.16. No other
    client may tick at the same time. Then: carla_unet_train --data OUT
    """

    out: Path  # folder for the pairs; may hold some of them already
    # keep whole towns for validation: record those into another --out
    towns: tuple[str, ...] = ("Town01",)
    # names of carla.WeatherParameters
    weathers: tuple[str, ...] = ("ClearNoon", "CloudyNoon", "WetSunset")
    frames: int = 300  # pairs for each town and weather
    every: int = 10  # fewest ticks between pairs
    # the ego vehicle moves at least this far between pairs: waiting at a light teaches nothing
    min_metres: float = 1.0
    ticks_per_second: float = 20.0  # ticks a second of simulated time
    # write frames as JPEG of this quality (1..100), not as PNG
    jpeg: int | None = None
    # CARLA version of the tags, if the simulator's version has no known table
    tags: str | None = None
    seed: int = 0  # seed of streets and traffic
    host: str = "127.0.0.1"  # host of the simulator
    port: int = 2000  # port of the simulator
    traffic_port: int = 8000  # port of the traffic manager
    timeout: float = 60.0  # seconds to wait for the simulator
    camera: CameraPlan = field(default_factory=CameraPlan)
    traffic: TrafficPlan = field(default_factory=TrafficPlan)

    def __post_init__(self) -> None:
        check_ranges(self, frames=(1, math.inf), every=(1, math.inf), jpeg=(1, 100))
        # The simulator's physics goes wrong below this.
        check_ranges(self, ticks_per_second=(10, 10_000))
        check_ranges(self, min_metres=(0, 1000), timeout=(0.1, 3600), seed=(0, 2**31 - 1))
        check_ranges(self, port=(1, 65535), traffic_port=(1, 65535))
        check_ranges(self.camera, width=(1, LARGEST_SIDE), height=(1, LARGEST_SIDE))
        check_ranges(self.camera, fov=(1, 179), pitch=(-90, 90))
        check_ranges(self.traffic, vehicles=(0, math.inf), walkers=(0, math.inf))
        if self.tags:
            carla_label_set(self.tags)


class Recorder:
    """A simulator, and the folder for its pairs.

    Raises ValueError for options that the simulator does not offer or a folder recorded in another
    way, RuntimeError if the simulator does not answer.
    """

    def __init__(self, options: Options, carla: Any) -> None:
        self._options = options
        self._carla = carla
        self._client = carla.Client(options.host, options.port)
        self._client.set_timeout(options.timeout)
        version = self._client.get_server_version()
        self._labels = tags_of_server(version, options.tags)
        if fault := describe_label_faults(version):
            print(fault, file=sys.stderr)
        _check_known(carla, self._client, options)
        _describe(options.out, self._labels, options.camera)

    def run(self) -> int:
        """Records the missing pairs. Returns how many pairs were written.

        Raises DriveError if a drive cannot continue.
        """
        options = self._options
        plan = list(itertools.product(options.towns, options.weathers))
        missing = sum(self._missing(*which) for which in plan)
        total = len(plan) * options.frames
        with (
            tqdm(total=total, initial=total - missing, unit="pair") as bar,
            SynchronousWorlds(
                self._client, options.ticks_per_second, options.traffic_port
            ) as them,
        ):
            for town, weather in plan:
                bar.set_description(f"{town} {weather}")
                self._record_weather(them, town, weather, bar)
        return missing

    def _record_weather(
        self, worlds: SynchronousWorlds, town: str, weather: str, bar: "tqdm[Any]"
    ) -> None:
        """Drives until there are enough pairs. DriveError if the vehicle does not move."""
        fruitless = 0
        while self._missing(town, weather):
            world, traffic_manager = worlds.open(town)
            world.set_weather(getattr(self._carla.WeatherParameters, weather))
            # A new seed, because the same one would give the same streets.
            start = f"{self._options.seed} {town} {weather} {self._next(town, weather)}"
            with Drive(
                self._carla,
                self._client,
                world,
                traffic_manager,
                self._options.camera,
                self._options.traffic,
                seed=zlib.crc32(start.encode()) >> 1,
            ) as drive:
                written = self._record_drive(drive, town, weather, bar)
            fruitless = 0 if written > 1 else fruitless + 1
            if fruitless == _FRUITLESS_DRIVES:
                raise DriveError(
                    f"in {town} the ego vehicle moved less than {self._options.min_metres:g} m in "
                    f"{_SECONDS_STANDING_STILL:.0f} s, {fruitless} drives in a row: try fewer "
                    "--vehicles, another --seed or a smaller --min-metres"
                )

    def _record_drive(self, drive: Drive, town: str, weather: str, bar: "tqdm[Any]") -> int:
        """Writes pairs until there are enough or the vehicle stands still. Returns how many."""
        options = self._options
        first, missing = self._next(town, weather), self._missing(town, weather)
        patience = max(options.every, _SECONDS_STANDING_STILL * options.ticks_per_second)
        written, place, ticks = 0, None, 0
        while written < missing and ticks < patience:
            pair = drive.tick()
            ticks += 1
            if ticks >= options.every and drive.metres_from(place) >= options.min_metres:
                self._write(pair, f"{town}-{weather}-{first + written:06d}")
                written, place, ticks = written + 1, drive.location(), 0
                bar.update()
        return written

    def _write(self, pair: Recorded, name: str) -> None:
        highest = int(pair.tags.max())
        if highest >= len(self._labels):
            raise DriveError(
                f"the semantic camera sent tag {highest}; {self._labels.name} has "
                f"0..{len(self._labels) - 1}: name the simulator's version with --tags"
            )
        write_pair(self._options.out, name, pair.frame, pair.tags, self._options.jpeg)

    def _missing(self, town: str, weather: str) -> int:
        return max(0, self._options.frames - len(self._numbers(town, weather)))

    def _next(self, town: str, weather: str) -> int:
        return max(self._numbers(town, weather), default=-1) + 1

    def _numbers(self, town: str, weather: str) -> list[int]:
        """Numbers of the recorded frames. Each has labels, because these are written first."""
        name = re.compile(rf"{re.escape(town)}-{re.escape(weather)}-(\d+)\.(png|jpg)")
        folder = self._options.out / "rgb"
        files = folder.iterdir() if folder.is_dir() else ()
        return [int(found[1]) for path in files if (found := name.fullmatch(path.name))]


def tags_of_server(version: str, named: str | None) -> LabelSet:
    """The tags of a simulator, by its version or by the version that the user named.

    Raises ValueError, which says what to do, if the version has no known table.
    """
    if named:
        return carla_label_set(named)
    release = re.match(r"\d+\.\d+\.\d+", version)
    try:
        return carla_label_set(release[0] if release else version)
    except ValueError as error:
        raise InputError(
            f"the simulator calls itself {version!r}; name its tags with --tags ({error})"
        ) from error


def _check_known(carla: Any, client: Any, options: Options) -> None:
    """Raises ValueError, which lists the known ones, for an unknown town or weather."""
    towns = sorted(name.rpartition("/")[2] for name in client.get_available_maps())
    weathers = sorted(
        name
        for name in dir(carla.WeatherParameters)
        if isinstance(getattr(carla.WeatherParameters, name), carla.WeatherParameters)
    )
    for wanted, known, what in (
        (options.towns, towns, "town"),
        (options.weathers, weathers, "weather"),
    ):
        for name in wanted:
            if name not in known:
                raise InputError(f"there is no {what} {name!r}; there is {', '.join(known)}")


def _describe(out: Path, labels: LabelSet, camera: CameraPlan) -> None:
    """Writes recording.json. ValueError if `out` was recorded in another way."""
    path = out / "recording.json"
    description = {"tags": labels.carla_tags, "camera": asdict(camera)}
    if path.exists() and (found := _described(path)) != description:
        raise InputError(
            f"{out} was recorded in another way ({found}); now it is {description}: take another "
            "--out, or the same camera"
        )
    write_whole(path, json.dumps(description, indent=2) + "\n")


def _described(path: Path) -> Any:
    try:
        return read_json(path.read_text())
    except ValueError as error:
        raise InputError(
            f"{path} is damaged ({error}): remove it if the folder was recorded with this camera"
        ) from error


def _record(options: Options) -> None:
    prepare_pairs(options.out)
    written = Recorder(options, import_carla()).run()
    print(f"{written} pairs written to {options.out}; recording.json names their tags")


def main(argv: list[str] | None = None) -> int:
    stopped = "stopped; the same command goes on from here"
    return run_command(Options, "carla_unet_record", _record, argv, (RuntimeError,), stopped)


if __name__ == "__main__":
    sys.exit(main())
