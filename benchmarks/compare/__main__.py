# SPDX-License-Identifier: Apache-2.0
"""Compares the speed of the shipped model with torch and a plain node, in one run.

    python -m benchmarks.compare [--data my_town --tags 0.9.15] [--document]

All contenders run the same frames at the same network size on the CPU, each in its own process.
They take turns of a few frames, so that changes of the machine's load affect all alike. Torch
runs the weights of the fp32 file. Without --data the frames come from the drawn drive.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks import reporting
from benchmarks.compare.contenders import BASELINES, CONTENDERS, FRAMES, MESSAGES, Work
from benchmarks.compare.processes import Worker
from benchmarks.timing import in_turns, spread
from carla_unet_ros.labels import Uint8
from carla_unet_ros.model_file import SHIPPED_INT8_MODEL, SHIPPED_MODEL, ModelError, read_model
from carla_unet_ros.training.data.drive_frames import DriveFrames
from carla_unet_ros.training.data.folders import PairFolder, PairSource, camera_frame, split_names

_HEADS = ("", "frames/s", "median, ms", "95 %, ms", "memory, MB", "time, x the first",
          "same labels")  # fmt: skip
_EXPLANATION = """\
Each contender is a process of its own with all cores, and they took turns. Frames/s are of the
mean time. Memory is the most each process has held, its start included; a torch built for GPUs
(+cu) takes more of it by itself. Same labels: share of the first frame's pixels with the label
that torch eager gives."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(argv)
    if bool(options.data) != bool(options.tags):
        parser.error("--data and --tags go together: a folder, and the CARLA version of its tags")
    try:
        results = {**reporting.conditions("compare", argv), **measured(options)}
    except (ModelError, ValueError, RuntimeError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("compare: interrupted; nothing was written", file=sys.stderr)
        return 130
    reporting.finish(results, "compare", section(results), options)
    return 0


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Figures of each contender that runs here, and by title why the others do not."""
    frames = read_frames(options)
    skipped: dict[str, str] = {}
    workers: list[Worker] = []
    with tempfile.TemporaryDirectory(prefix="carla_unet_") as folder, ExitStack() as stack:
        work = Work(str(options.model.absolute()), str(options.weights.absolute()), folder)
        np.save(work.frames, frames)
        for contender in tqdm([one for one in CONTENDERS if one.name not in options.without]):
            worker = stack.enter_context(closing(Worker(contender, work)))
            if reason := worker.why_skipped():
                skipped[contender.title] = reason
            else:
                workers.append(worker)
        turns = {worker.contender.name: worker.run for worker in workers}
        times = in_turns(turns, options.rounds)
        contenders = [figures(worker, times[worker.contender.name], work) for worker in workers]
    medians = {entry["name"]: entry["median_ms"] for entry in contenders}
    for entry in contenders:
        baseline = medians.get(BASELINES[entry["group"]])
        entry["ratio"] = entry["median_ms"] / baseline if baseline else None
    return {
        "model": read_model(options.model).name,
        "network_size": read_model(options.model).metadata.network_size,
        "source": options.data.name if options.data else "the drawn drive",
        "frame_size": f"{frames.shape[2]}x{frames.shape[1]}",
        "contenders": contenders,
        "skipped": skipped,
    }


def read_frames(options: argparse.Namespace) -> Uint8:
    """`options.frames` frames uint8 [n, H, W, 4], BGRA, evenly from --data, else the drive."""
    labels = read_model(options.model).label_set
    source: PairSource = DriveFrames(options.frames, labels)
    if options.data:
        source = PairFolder(options.data, options.tags, labels, split_names(options.data)[1])
    places = np.linspace(0, len(source) - 1, options.frames).astype(int)
    return np.stack([camera_frame(source.read(int(place)).frame) for place in places])


def figures(worker: Worker, milliseconds: Sequence[float], work: Work) -> dict[str, Any]:
    name = worker.contender.name
    return {
        **worker.contender._asdict(),
        "software": worker.software,
        "frames_per_second": 1000 / float(np.mean(milliseconds)),
        **spread(milliseconds),
        "peak_mb": worker.peak_mb,
        "same_labels": same_labels(name, work),
    }


def same_labels(name: str, work: Work) -> float | None:
    """Share of the first frame's labels that match torch eager's; None if eager did not run."""
    if not work.labels_of("eager").exists():
        return None
    found, expected = (np.load(work.labels_of(one)) for one in (name, "eager"))
    return float((found == expected).mean())


def section(results: dict[str, Any]) -> str:
    """The section of docs/performance.md: a table per group, and what was skipped and why."""
    width, height = results["network_size"]
    parts = [
        "## Beside torch and a plain node",
        f"{reporting.origin(results)}; on the CPU alone. Frames of {results['frame_size']} from "
        f"{results['source']};\nall nets at {width}x{height}. {_EXPLANATION}",
    ]
    for group in (FRAMES, MESSAGES):
        rows = [_row(entry) for entry in results["contenders"] if entry["group"] == group]
        if rows:
            parts.append(f"From {group}:\n\n{reporting.table(_HEADS, rows)}")
    parts += [f"Skipped: {title}: {reason}." for title, reason in results["skipped"].items()]
    return "\n\n".join(parts)


def _row(entry: dict[str, Any]) -> list[object]:
    same = entry["same_labels"]
    times = (entry[key] for key in ("frames_per_second", "median_ms", "p95_ms"))
    return [f"{entry['title']} ({entry['software']})", *times, f"{entry['peak_mb']:.0f}",
            entry["ratio"], None if same is None else f"{same:.2%}"]  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = reporting.parser_of(__doc__, "compare")
    names = [contender.name for contender in CONTENDERS if contender.name != BASELINES[FRAMES]]
    add = parser.add_argument
    add("--data", type=Path, help="folder of pairs; frames are taken from its validation list")
    add("--tags", help="CARLA version whose tags its masks hold: 0.8.x, 0.9.13, ...")
    add("--frames", type=reporting.positive, default=10, help="of each a round (10)")
    add("--rounds", type=reporting.positive, default=10, help="that are counted (10)")
    add("--model", type=Path, default=SHIPPED_INT8_MODEL, help="what this package runs; by "
        "default the shipped file that OpenVINO takes")  # fmt: skip
    add("--weights", type=Path, default=SHIPPED_MODEL, metavar="FILE.onnx", help="the same net in "
        "fp32, for torch; by default the shipped one")  # fmt: skip
    add("--without", nargs="+", default=[], choices=names, metavar="NAME",
        help=f"contenders to leave out: {', '.join(names)}")  # fmt: skip
    return parser


if __name__ == "__main__":
    # SIGTERM acts as Ctrl-C does, so that it ends the processes, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
