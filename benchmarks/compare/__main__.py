# SPDX-License-Identifier: Apache-2.0
"""Compares the speed of the shipped model with torch and a plain node, in one run.

    python -m benchmarks.compare [--data my_town --tags 0.9.15] [--document]

All contenders run the same frames at the same network size on the CPU. They take turns of a few
frames, so that changes of the machine's load affect all alike. Torch runs the weights of the fp32
file. Without --data the frames come from the drawn drive.
"""

import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from tqdm import tqdm

from benchmarks.compare.contenders import BASELINES, CONTENDERS, Work, serve
from benchmarks.processes import Worker, peak_mb
from benchmarks.reporting import Benchmark, Report, Results, section, table
from benchmarks.timing import in_turns, spread
from carla_unet_ros.command_line import EMPTY
from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import Uint8
from carla_unet_ros.model_file import SHIPPED_INT8_MODEL, SHIPPED_MODEL, read_model
from carla_unet_ros.training.data.drive_frames import DriveFrames
from carla_unet_ros.training.data.folders import PairFolder, PairSource, camera_frame, split_names
from carla_unet_ros.training.data.splits import evenly_spread

Other = Literal["eager", "autocast", "compile", "our_node", "plain_node"]
"""A contender that may be left out."""

_HEADS = " | frames/s | median, ms | 95 %, ms | memory, MB | time, x the first | same labels"
_EXPLANATION = """\
Each contender is a process of its own with all cores, and they took turns. Frames/s are of the
mean time. Memory is the most each process has held, its start included; a torch built for GPUs
(+cu) takes more of it by itself. Same labels: share of the first frame's pixels with the label
that torch eager gives."""


@dataclass(frozen=True, kw_only=True)
class Options(Report):
    """Compare the speed of the shipped model with torch and a plain node."""

    data: Path | None = None  # folder of pairs; frames are taken from its validation list
    tags: str | None = None  # CARLA version whose tags its masks hold: 0.8.x, 0.9.13, ...
    frames: int = 10  # of each a round
    rounds: int = 10  # that are counted
    model: Path = SHIPPED_INT8_MODEL  # model file that this package runs
    weights: Path = SHIPPED_MODEL  # the same net in fp32, for torch
    # contenders to leave out
    without: Annotated[tuple[Other, ...], EMPTY] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.data) != bool(self.tags):
            raise InputError("--data and --tags go together: a folder and its CARLA version")


def measured(options: Options) -> Results:
    """Figures of each contender that runs here, and by title why the others do not."""
    frames = read_frames(options)
    skipped: dict[str, str] = {}
    found: dict[str, Results] = {}
    workers: dict[str, Worker] = {}
    with tempfile.TemporaryDirectory(prefix="carla_unet_") as folder, ExitStack() as stack:
        work = Work(options.model.absolute(), options.weights.absolute(), Path(folder))
        np.save(work.frames, frames)
        for contender in tqdm([one for one in CONTENDERS if one.name not in options.without]):
            name = contender.name
            worker = stack.enter_context(Worker(f"the process of {name}", serve, name, work))
            answer = worker.answer()
            if "skipped" in answer:
                skipped[contender.title] = answer["skipped"]
            else:
                found[name], workers[name] = {**contender._asdict(), **answer}, worker
        turns = {name: partial(worker.ask, "run") for name, worker in workers.items()}
        for name, milliseconds in in_turns(turns, options.rounds).items():
            found[name] |= speed(milliseconds)
            found[name]["peak_mb"] = peak_mb(workers[name].pid)
            found[name]["same_labels"] = same_labels(name, work)
    for entry in found.values():
        baseline = found.get(BASELINES[entry["group"]])
        entry["ratio"] = entry["median_ms"] / baseline["median_ms"] if baseline else None
    return {
        "model": read_model(options.model).name,
        "network_size": read_model(options.model).metadata.network_size,
        "source": options.data.name if options.data else "the drawn drive",
        "frame_size": f"{frames.shape[2]}x{frames.shape[1]}",
        "contenders": list(found.values()),
        "skipped": skipped,
    }


def read_frames(options: Options) -> Uint8:
    """Frames uint8 [n, H, W, 4], BGRA, evenly from --data, else from the drive."""
    labels = read_model(options.model).label_set
    source: PairSource = DriveFrames(options.frames, labels)
    if options.data and options.tags:
        source = PairFolder(options.data, options.tags, labels, split_names(options.data)[1])
    places = evenly_spread(len(source), options.frames)
    return np.stack([camera_frame(source.read(place).frame) for place in places])


def speed(milliseconds: Sequence[float]) -> dict[str, float]:
    return {"frames_per_second": 1000 / float(np.mean(milliseconds)), **spread(milliseconds)}


def same_labels(name: str, work: Work) -> float | None:
    """Share of the first frame's labels that match torch eager's; None if eager did not run."""
    if not work.labels_of("eager").exists():
        return None
    found, expected = (np.load(work.labels_of(one)) for one in (name, "eager"))
    return float((found == expected).mean())


def described(results: Results) -> str:
    width, height = results["network_size"]
    parts: list[str] = []
    for group in BASELINES:
        rows = [_row(entry) for entry in results["contenders"] if entry["group"] == group]
        if rows:
            parts.append(f"From {group}:\n\n{table(_HEADS, rows)}")
    parts += [f"Skipped: {title}: {reason}." for title, reason in results["skipped"].items()]
    text = (
        f"On the CPU alone. Frames of {results['frame_size']} from {results['source']};\n"
        f"all nets at {width}x{height}. {_EXPLANATION}"
    )
    return section("Beside torch and a plain node", results, text, *parts)


def _row(entry: dict[str, Any]) -> list[object]:
    same = entry["same_labels"]
    return [
        f"{entry['title']} ({entry['software']})",
        *(entry[key] for key in ("frames_per_second", "median_ms", "p95_ms")),
        f"{entry['peak_mb']:.0f}",
        entry["ratio"],
        None if same is None else f"{same:.2%}",
    ]


main = Benchmark("compare", Options, measured, described).main

if __name__ == "__main__":
    sys.exit(main())
