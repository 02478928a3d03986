# SPDX-License-Identifier: Apache-2.0
"""Compares the speed of TensorRT on this GPU with torch and ONNX Runtime.

    python -m benchmarks.gpu --out gpu.json

Runs the shipped model in fp32 and fp16, at 800x600 and 1920x1080, with each of TensorRT, torch
and onnxruntime-gpu that is installed; for the others it says why they are missing.

Exit status: 0 measured, 1 something failed, 77 nothing measured because there is no GPU.
"""

import argparse
import sys
import tempfile
import traceback
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import reporting
from benchmarks.gpu.cases import Case, cases_of_file
from benchmarks.gpu.engines import ENGINES, NotHereError, Opener, Runner, reference_labels
from benchmarks.timing import spread, timed
from carla_unet_ros.command_line import parse_size
from carla_unet_ros.engines.tensorrt_engine import cuda
from carla_unet_ros.engines.tensorrt_engine import library as tensorrt_library
from carla_unet_ros.labels import Uint8
from carla_unet_ros.model_file import SHIPPED_MODEL
from carla_unet_ros.stand_in.drive import Drive

SKIPPED = 77

_WARM_UP = 20
_COMPARED = 2
_HEADS = ("net", "frames", "engine", "GPU, ms", "host to host, ms: median", "95 %", "longest",
          "labels that differ")  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    if missing := cuda.missing_device():
        print(f"skipped: {missing}")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        measurements = [
            measured(case, size, options.frames)
            for model in options.model or [SHIPPED_MODEL]
            for case in cases_of_file(model, Path(folder))
            for size in options.size or [(800, 600), (1920, 1080)]
        ]
    library = tensorrt_library.missing_library() or str(tensorrt_library.library())
    software = {"gpu": cuda.device()._asdict(), "library": library}
    results = {**reporting.conditions("gpu", argv), **software, "cases": measurements}
    reporting.finish(results, "gpu", section(results), options)
    engines = [engine for case in measurements for engine in case["engines"].values()]
    return 1 if any("failed" in engine for engine in engines) else 0


def measured(case: Case, size: tuple[int, int], count: int) -> dict[str, Any]:
    """Measures a case at one frame size; the result is ready for JSON, with times in ms."""
    print(f"{case.name} at {size[0]}x{size[1]}", flush=True)
    frames = drive_frames(size)
    reference, labels = reference_labels(case, frames[:_COMPARED])
    return {
        "case": case.name,
        "size": f"{size[0]}x{size[1]}",
        "labels_compared_with": reference,
        "engines": {
            name: _measured_engine(opener, case, size, frames, labels, count)
            for name, opener in ENGINES.items()
        },
    }


def drive_frames(size: tuple[int, int], count: int = 8) -> list[Uint8]:
    """Frames of the drawn drive at (width, height), each from a different place."""
    drive = Drive(*size)
    return [np.ascontiguousarray(drive.frame(25 * turn).frame) for turn in range(count)]


def host_to_host(runner: Runner, frames: list[Uint8], count: int) -> dict[str, float]:
    """Median, 95th percentile and maximum of `count` runs, which take the frames in turn."""
    feeds = list(islice(cycle(frames), _WARM_UP + count))
    milliseconds = timed(runner.run, feeds)[_WARM_UP:]
    return {**spread(milliseconds), "max_ms": max(milliseconds)}


def _measured_engine(
    opener: Opener,
    case: Case,
    size: tuple[int, int],
    frames: list[Uint8],
    labels: list[Uint8],
    count: int,
) -> dict[str, Any]:
    try:
        with opener(case, size) as runner:
            times = host_to_host(runner, frames, count)
            pairs = list(zip(frames, labels, strict=False))
            differ = [runner.run(frame) != expected for frame, expected in pairs]
            return {
                **runner.notes,
                "gpu_ms": 1000 * runner.seconds() if runner.seconds else None,
                "host_to_host_ms": times,
                "labels_that_differ": float(np.mean(differ)) if pairs else None,
            }
    except NotHereError as reason:
        return {"not_here": str(reason)}
    except Exception as error:  # one engine's failure must not cost the others their numbers
        traceback.print_exc()
        return {"failed": str(error).split("\n")[0]}


def section(results: dict[str, Any]) -> str:
    """The section of docs/performance.md: one row for each engine of each case."""
    rows: list[list[object]] = []
    for case in results["cases"]:
        for name, engine in case["engines"].items():
            begin: list[object] = [case["case"], case["size"], name]
            if why := engine.get("not_here") or engine.get("failed"):
                rows.append([*begin, why, None, None, None, None])
                continue
            times = engine["host_to_host_ms"]
            differ = engine["labels_that_differ"]
            share = None if differ is None else f"{differ:.3%}"
            rows.append([*begin, engine["gpu_ms"], *times.values(), share])
    device = results["gpu"]
    return (
        f"## On a GPU\n\n{reporting.origin(results)}; {device['name']}, driver "
        f"{device['driver']}, {results['library']}.\n\n{reporting.table(_HEADS, rows)}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = reporting.parser_of(__doc__, "gpu")
    add = parser.add_argument
    add("--model", type=Path, action="append", help="a model file instead of the shipped one")
    add("--size", type=parse_size, action="append", metavar="WIDTHxHEIGHT")
    add("--frames", type=reporting.positive, default=1000, help="frames timed (1000)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
