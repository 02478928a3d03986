"""carla_unet_record: drives through a running CARLA simulator and writes what it sees as pairs.

For each town and weather an ego vehicle drives itself through traffic, and every so many metres
and ticks its camera's frame and the raw tags of the same tick are written to OUT/rgb/NAME.png and
OUT/label/NAME.png, as they come. The same command goes on where an earlier one was stopped.
recording.json says how it was recorded.
"""

import argparse
import itertools
import json
import re
import sys
import zlib
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from tqdm import tqdm

from carla_unet_ros.labels import LabelSet, carla_label_set
from carla_unet_ros.training.data.folders import write_pair
from carla_unet_ros.training.recording.carla_drive import (
    CameraPlan,
    Drive,
    DriveError,
    Recorded,
    TrafficPlan,
)
from carla_unet_ros.training.recording.synchronous_worlds import SynchronousWorlds

_SECONDS_STANDING_STILL = 60.0
_FRUITLESS_DRIVES = 3


class Recorder:
    """A simulator, and the folder its pairs are written to.

    Raises ValueError for options the simulator cannot follow or a folder recorded in another
    way, RuntimeError where the simulator does not answer.
    """

    def __init__(self, options: argparse.Namespace, carla: Any) -> None:
        self._options = options
        self._carla = carla
        self._client = carla.Client(options.host, options.port)
        self._client.set_timeout(options.timeout)
        self._labels = tags_of_server(self._client.get_server_version(), options.tags)
        self._camera = CameraPlan(
            options.width, options.height, options.fov, options.x, options.z, options.pitch
        )
        self._traffic = TrafficPlan(options.ego, options.vehicles, options.walkers)
        _check_known(carla, self._client, options)
        _describe(options.out, self._labels, self._camera)

    def run(self) -> int:
        """Records what is missing of what is wanted; gives how many pairs were written.

        Raises DriveError where a drive cannot go on.
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
        """Drives until there are enough pairs; DriveError where the vehicle gets nowhere."""
        fruitless = 0
        while self._missing(town, weather):
            world, traffic_manager = worlds.open(town)
            world.set_weather(getattr(self._carla.WeatherParameters, weather))
            # The same seed again would be the same streets again.
            start = f"{self._options.seed} {town} {weather} {self._next(town, weather)}"
            with Drive(
                self._carla,
                self._client,
                world,
                traffic_manager,
                self._camera,
                self._traffic,
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
        """Writes pairs until there are enough or the vehicle stands still; gives how many."""
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
        """Numbers of the frames there are; each has its labels, for those are written first."""
        name = re.compile(rf"{re.escape(town)}-{re.escape(weather)}-(\d+)\.(png|jpg)")
        folder = self._options.out / "rgb"
        files = folder.iterdir() if folder.is_dir() else ()
        return [int(found[1]) for path in files if (found := name.fullmatch(path.name))]


def tags_of_server(version: str, named: str | None) -> LabelSet:
    """The tags of a simulator by the version it tells, or by the one named.

    ValueError that says what to do where its version has no known table.
    """
    if named:
        return carla_label_set(named)
    release = re.match(r"\d+\.\d+\.\d+", version)
    try:
        return carla_label_set(release[0] if release else version)
    except ValueError as error:
        raise ValueError(
            f"the simulator calls itself {version!r}; name its tags with --tags ({error})"
        ) from error


def _check_known(carla: Any, client: Any, options: argparse.Namespace) -> None:
    """ValueError that lists what there is for a town or weather there is not."""
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
                raise ValueError(f"there is no {what} {name!r}; there is {', '.join(known)}")


def _describe(out: Path, labels: LabelSet, camera: CameraPlan) -> None:
    """Writes recording.json; ValueError where `out` was recorded in another way."""
    path = out / "recording.json"
    description = {"tags": labels.carla_tags, "camera": asdict(camera)}
    if path.exists() and (found := json.loads(path.read_text())) != description:
        raise ValueError(
            f"{out} was recorded in another way ({found}); now it is {description}: take another "
            "--out, or the same camera"
        )
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(description, indent=2) + "\n")


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Options from the command line; exits with a sentence where they cannot be understood."""
    parser = argparse.ArgumentParser(
        "carla_unet_record",
        description="Record frames with labels from a running CARLA simulator.",
        epilog="Needs the simulator's Python module, of the simulator's version: pip install "
        "carla==0.9.16. No other client may tick meanwhile. Then: carla_unet_train --data OUT",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder for the pairs; may hold a part of them")
    add("--towns", nargs="+", default=["Town01"], help="keep whole towns for validation: record "
        "those into another --out")  # fmt: skip
    add("--weathers", nargs="+", default=["ClearNoon", "CloudyNoon", "WetSunset"],
        help="names of carla.WeatherParameters")  # fmt: skip
    add("--frames", type=int, default=300, help="pairs for each town and weather")
    add("--every", type=int, default=10, help="ticks between pairs, at least")
    add("--min-metres", type=float, default=1.0, help="the ego vehicle moves at least this far "
        "between pairs: waiting at a light teaches nothing")  # fmt: skip
    add("--vehicles", type=int, default=60, help="other vehicles, as far as there is room")
    add("--walkers", type=int, default=60, help="pedestrians")
    add("--ego", default=TrafficPlan.ego, help="blueprint of the ego vehicle")
    add("--width", type=int, default=CameraPlan.width)
    add("--height", type=int, default=CameraPlan.height)
    add("--fov", type=float, default=CameraPlan.fov, help="horizontal, degrees")
    add("--x", type=float, default=CameraPlan.x, help="metres ahead of the vehicle's origin")
    add("--z", type=float, default=CameraPlan.z, help="metres above it")
    add("--pitch", type=float, default=CameraPlan.pitch, help="degrees, positive looks down")
    add("--ticks-per-second", type=float, default=20.0, help="of simulated time")
    add("--jpeg", type=int, help="write frames as JPEG of this quality (1..100), not as PNG")
    add("--tags", help="CARLA version of the tags, where the simulator's own name tells none")
    add("--seed", type=int, default=0)
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=2000)
    add("--traffic-port", type=int, default=8000, help="of the traffic manager")
    add("--timeout", type=float, default=60.0, help="seconds to wait for the simulator")
    options = parser.parse_args(argv)
    for name in ("frames", "every", "width", "height"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} is {getattr(options, name)}; expected at least 1")
    if options.ticks_per_second < 10:
        parser.error("--ticks-per-second: the simulator's physics needs at least 10")
    if options.jpeg is not None and not 1 <= options.jpeg <= 100:
        parser.error(f"--jpeg {options.jpeg}: expected 1 to 100")
    return options


def main(argv: list[str] | None = None) -> int:
    options = parse(argv)
    try:
        # By its name: only the machine beside the simulator has it.
        carla = import_module("carla")
    except ImportError as error:
        print(
            f"carla_unet_record: the simulator's Python module is missing ({error}); install the "
            "one of your simulator's version: pip install carla==0.9.16",
            file=sys.stderr,
        )
        return 1
    try:
        written = Recorder(options, carla).run()
    except (RuntimeError, ValueError, OSError) as error:
        print(f"carla_unet_record: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    print(f"{written} pairs written to {options.out}; recording.json names their tags")
    return 0


if __name__ == "__main__":
    sys.exit(main())
