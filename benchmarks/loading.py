"""Does loading keep up with training? Frames/s of each, by the number of worker processes.

    OMP_WAIT_POLICY=PASSIVE python benchmarks/loading.py --data DIR... --tags V... --workers 0 1

The loader alone reads, decodes and augments frames as training does; the training step alone gets
one batch over and over; then both work together, as in training, and share the cores. Loading is
the bottleneck where the loader alone is slower than the step alone. The variable makes torch's
threads sleep while they wait, as in carla_unet_train; else they spin. Without --data it is the
procedural drive, drawn into files first. What is not known here is handed to carla_unet_train:
--batch, --crop, --channels, --accelerator, ...
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from itertools import repeat
from pathlib import Path

import report
from torch import Tensor
from tqdm import tqdm

from carla_unet_ros.command_line import parse
from carla_unet_ros.training.data.folders import DataError
from carla_unet_ros.training.data.sources import render_drive
from carla_unet_ros.training.options import OptionError, Options
from carla_unet_ros.training.train import Run


@dataclass(frozen=True)
class Rate:
    """Frames/s of the loader alone, and of the loader and the training step together."""

    workers: int
    loader: float
    training: float


def main(argv: list[str] | None = None) -> int:
    parser = _parser()
    own, handed_on = parser.parse_known_args(argv)
    try:
        with tempfile.TemporaryDirectory(prefix="carla_unet_") as folder:
            data, tags = own.data, own.tags
            if not data:
                data, tags = [render_drive(Path(folder) / "drive", own.drive)], ["0.8.x"]
            places = ["--data", *map(str, data), "--tags", *tags, "--out", folder]
            options = parse(Options, "carla_unet_train", [*places, *handed_on])
            step, rates, setting = measured(options, own.workers, own.batches)
    except (DataError, OptionError) as error:
        print(f"loading: {error}", file=sys.stderr)
        return 1
    where = report.conditions("loading", argv)
    text = section(step, rates, setting, report.origin(where))
    print(text)
    figures = {"setting": setting, "step": step, "rates": [asdict(rate) for rate in rates]}
    own.out.write_text(json.dumps(where | figures, indent=1) + "\n")
    if own.document:
        report.write_section("loading", text, own.document)
    return 0


def measured(options: Options, workers: list[int], batches: int) -> tuple[float, list[Rate], str]:
    """Frames/s of the training step alone, the rates by workers, and what it was measured on."""
    plan = options.optimisation
    frames = plan.batch * (batches + max(1, *workers))
    run = Run(replace(options, optimisation=replace(plan, frames=frames)))
    run.learner.net.train()

    def train(colours: Tensor, labels: Tensor) -> None:
        run.learner.step(colours, labels).item()  # waits for a GPU

    batch = next(iter(run.batches()))
    step = frames_per_second(repeat(batch, batches + 1), 1, train)
    rates = []
    for count in tqdm(workers, "numbers of workers"):
        run.options = replace(run.options, machine=replace(options.machine, workers=count))
        started = max(1, count)
        loader = frames_per_second(run.batches(), started, lambda *_: None)
        training = frames_per_second(run.batches(), started, train)
        rates.append(Rate(count, loader, training))
    setting = (
        f"{run.data.description}; crops of {options.augmentation.crop}, "
        f"batches of {plan.batch}, on {run.fabric.device}"
    )
    return step, rates, setting


def frames_per_second(
    batches: Iterable[tuple[Tensor, Tensor]], started: int, use: Callable[[Tensor, Tensor], None]
) -> float:
    """Over all batches but the first `started`: by then each worker runs and has given one."""
    frames, start = 0, 0.0
    for number, (colours, labels) in enumerate(batches):
        use(colours, labels)
        if number >= started:
            frames += len(colours)
        else:
            start = time.perf_counter()
    return frames / (time.perf_counter() - start)


def section(step: float, rates: list[Rate], setting: str, origin: str) -> str:
    """The section of docs/performance.md."""
    heads = ("workers", "loader alone, frames/s", "loader and step together, frames/s")
    rows = [(rate.workers, rate.loader, rate.training) for rate in rates]
    enough = [rate.workers for rate in rates if rate.loader >= step]
    verdict = (
        f"Loading keeps up from {enough[0]} worker processes on."
        if enough
        else "Loading is the bottleneck with all these numbers of workers."
    )
    return (
        f"## Loading\n\n{origin}; {setting}.\n\n"
        f"The training step alone takes **{step:.3g} frames/s**. {verdict} Together they share "
        f"the cores.\n\n{report.table(heads, rows)}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # or --batch, which is not for us, would be --batches
    )
    add = parser.add_argument
    add("--data", nargs="+", type=Path, default=[], help="folders of pairs")
    add("--tags", nargs="+", default=[], help="CARLA versions of their tags")
    add("--drive", type=int, default=64, help="frames of the drive drawn without --data (64)")
    add("--workers", nargs="+", type=int, default=[0, 1, 2, 4], help="numbers of workers to try")
    add("--batches", type=int, default=20, help="batches timed in each case (20)")
    report.add_options(parser, "loading")
    return parser


if __name__ == "__main__":
    sys.exit(main())
