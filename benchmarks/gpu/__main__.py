# SPDX-License-Identifier: Apache-2.0
"""Compares the speed of TensorRT on this GPU with torch and ONNX Runtime.

    python -m benchmarks.gpu --out gpu.json

Runs the shipped files in fp32 and fp16, at 800x600 and 1920x1080, with each of TensorRT, torch
and onnxruntime-gpu that is installed; for the others it says why they are missing.

Exit status: 0 measured, 1 something failed, 77 nothing measured because there is no GPU.
"""

import itertools
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.gpu.engines import ENGINES, Case, NotHereError, Opener, reference_labels
from benchmarks.reporting import Benchmark, Report, Results, section, table
from benchmarks.timing import spread, timed
from carla_unet_ros.camera_model import Size
from carla_unet_ros.command_line import SizeOption
from carla_unet_ros.engines.tensorrt_engine import cuda
from carla_unet_ros.engines.tensorrt_engine import library as tensorrt_library
from carla_unet_ros.labels import Uint8
from carla_unet_ros.model_file import SHIPPED_FP16_MODEL, SHIPPED_MODEL
from carla_unet_ros.stand_in.drive import Drive

SKIPPED = 77

_WARM_UP = 20
_COMPARED = 2
_HEADS = (
    "net | frames | engine | built and opened, s | GPU, ms | host to host, ms: median | 95 % | "
    "longest | labels that differ"
)


@dataclass(frozen=True, kw_only=True)
class Options(Report):
    """Compare the speed of TensorRT on this GPU with torch and ONNX Runtime."""

    model: tuple[Path, ...] = (SHIPPED_MODEL, SHIPPED_FP16_MODEL)  # model files
    size: tuple[SizeOption, ...] = (Size(800, 600), Size(1920, 1080))  # of the frames
    frames: int = 1000  # frames timed


def measured(options: Options) -> Results:
    """Every engine with every file and size, ready for JSON, with times in ms."""
    if missing := cuda.missing_device():
        print(f"skipped: {missing}")
        raise SystemExit(SKIPPED)
    found: list[dict[str, Any]] = []
    for case, size in itertools.product(map(Case.of, options.model), options.size):
        net = f"{case.model.name} {case.model.metadata.precision}"
        print(f"{net} at {size}", flush=True)
        frames = drive_frames(size)
        reference = reference_labels(case, frames[:_COMPARED])
        for name, opener in ENGINES.items():
            figures = _measured_engine(opener, case, size, frames, reference, options.frames)
            found.append({"net": net, "size": str(size), "engine": name, **figures})
    return {
        "gpu": cuda.device()._asdict(),
        "library": tensorrt_library.missing_library() or str(tensorrt_library.library()),
        "engines": found,
        "failed": [engine["failed"] for engine in found if "failed" in engine],
    }


def drive_frames(size: tuple[int, int], count: int = 8) -> list[Uint8]:
    """Frames of the drawn drive at (width, height), each from a different place."""
    drive = Drive(*size)
    return [np.ascontiguousarray(drive.frame(25 * turn).frame) for turn in range(count)]


def _measured_engine(
    opener: Opener, case: Case, size: Size, frames: list[Uint8], expected: list[Uint8], count: int
) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        with opener(case, size) as runner:
            opened = time.perf_counter() - started
            feeds = list(itertools.islice(itertools.cycle(frames), _WARM_UP + count))
            times = timed(runner.run, feeds)[_WARM_UP:]
            pairs = zip(frames, expected, strict=False)
            differ = [runner.run(frame) != labels for frame, labels in pairs]
            once = runner.milliseconds
            return {
                "open_s": opened,
                "gpu_ms": median([once() for _ in range(_WARM_UP + count)]) if once else None,
                "host_to_host_ms": {**spread(times), "max_ms": max(times)},
                "labels_that_differ": float(np.mean(differ)),
                "graph_fault": runner.graph_fault,
            }
    except NotHereError as reason:
        return {"not_here": str(reason)}
    except Exception as error:  # one engine's failure must not cost the others their numbers
        traceback.print_exc()
        return {"failed": str(error).split("\n")[0]}


def described(results: Results) -> str:
    rows: list[list[object]] = []
    for engine in results["engines"]:
        named = [engine[key] for key in ("net", "size", "engine")]
        if why := engine.get("not_here") or engine.get("failed"):
            rows.append([*named, why, *[None] * 5])
        else:
            times = engine["gpu_ms"], *engine["host_to_host_ms"].values()
            rows.append([*named, engine["open_s"], *times, f"{engine['labels_that_differ']:.3%}"])
    device = results["gpu"]
    text = f"{device['name']}, driver {device['driver']}, {results['library']}."
    return section("On a GPU", results, text, table(_HEADS, rows))


main = Benchmark("gpu", Options, measured, described).main

if __name__ == "__main__":
    sys.exit(main())
