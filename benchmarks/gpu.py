"""TensorRT on a GPU beside torch and ONNX Runtime, and how far each is from the GPU's floor.

    python benchmarks/gpu.py --out gpu.json

Takes the shipped model and the U-Net of the paper (64 channels), in fp32 and fp16, at 800x600 and
1920x1080, and whatever of TensorRT, torch and onnxruntime-gpu is installed; for the rest it says
why it is not there. The floor is the work of the convolutions at rates measured on the same GPU.

Exit status: 0 measured, 1 something failed, 77 nothing was measured, because there is no GPU.
"""

import argparse
import datetime
import json
import platform
import sys
import tempfile
import time
import traceback
from importlib import metadata
from pathlib import Path
from typing import Any

import gpu_cases
import gpu_floor
import numpy as np
from gpu_cases import Case
from gpu_engines import ENGINES, NotHereError, Opener, Runner, reference_labels
from gpu_floor import Floor, Rates

from carla_unet_ros.command_line import parse_size
from carla_unet_ros.engines import cuda, tensorrt_library
from carla_unet_ros.labels import Uint8
from carla_unet_ros.model_file import SHIPPED_MODEL

SKIPPED = 77

_WARM_UP = 20
_COMPARED = 2
_PACKAGES = ("torch", "onnxruntime-gpu", "cuda-bindings", "numpy")


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    missing = cuda.missing_device()
    if missing:
        print(f"skipped: {missing}")
        return SKIPPED
    results: dict[str, Any] = {"machine": machine(), "cases": []}
    rates = gpu_floor.measured_rates()
    results["rates"] = rates._asdict()
    with tempfile.TemporaryDirectory() as folder:
        for case in _cases(options, Path(folder)):
            for size in options.size or [(800, 600), (1920, 1080)]:
                print(f"{case.name} at {size[0]}x{size[1]}", flush=True)
                results["cases"].append(measured(case, size, rates, options.frames))
                # Kept after every case: what was measured survives what comes after it.
                options.out.write_text(json.dumps(results, indent=2) + "\n")
    print(table(results))
    engines = [engine for case in results["cases"] for engine in case["engines"].values()]
    return 1 if any("failed" in engine for engine in engines) else 0


def machine() -> dict[str, Any]:
    missing = tensorrt_library.missing_library()
    library = None if missing else tensorrt_library.library()
    return {
        **cuda.device()._asdict(),
        "library": f"{library.name} {library.version}" if library else missing,
        "python": platform.python_version(),
        **{package: _version(package) for package in _PACKAGES},
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def measured(case: Case, size: tuple[int, int], rates: Rates, count: int) -> dict[str, Any]:
    """Everything about a case at one size of frames, ready for JSON; times in ms."""
    frames = gpu_cases.drive_frames(size)
    reference, labels = reference_labels(case, frames[:_COMPARED])
    work = gpu_floor.work_of(case.model.path, case.precision)
    floor = gpu_floor.floor_of(work, rates, case.precision, size)
    return {
        "case": case.name,
        "size": list(size),
        "network": list(case.model.metadata.network_size),
        "work": work._asdict(),
        "floor_ms": floor.milliseconds() if floor else None,
        "labels_compared_with": reference,
        "engines": {
            name: _measured_engine(opener, case, size, frames, labels, floor, count)
            for name, opener in ENGINES.items()
        },
    }


def host_to_host(runner: Runner, frames: list[Uint8], count: int) -> dict[str, float]:
    """Milliseconds of `count` runs, the frames in turn: median, p95 and the longest."""
    milliseconds = []
    for turn in range(_WARM_UP + count):
        frame = frames[turn % len(frames)]
        started = time.perf_counter()
        runner.run(frame)
        if turn >= _WARM_UP:
            milliseconds.append(1000 * (time.perf_counter() - started))
    middle, p95 = np.percentile(milliseconds, (50, 95))
    return {"median": float(middle), "p95": float(p95), "max": max(milliseconds)}


def table(results: dict[str, Any]) -> str:
    """The results as a table in Markdown."""
    lines = [
        "| net | frames | engine | GPU ms | host to host: median | p95 | max | x floor "
        "| labels that differ |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for case in results["cases"]:
        begin = f"| {case['case']} | {case['size'][0]}x{case['size'][1]} |"
        floor = case["floor_ms"]
        if floor:
            cells = ("the floor", _number(floor["gpu"]), _number(floor["host_to_host"]))
            lines.append(f"{begin} {' | '.join(cells)} | | | 1.000 | |")
        for name, engine in case["engines"].items():
            why = engine.get("not_here") or engine.get("failed")
            if why:
                lines.append(f"{begin} {name} | {why} | | | | | |")
                continue
            times = engine["host_to_host_ms"]
            cells = (
                name,
                _number(engine["gpu_ms"]),
                *(_number(times[key]) for key in ("median", "p95", "max")),
                _number(engine["times_floor"]),
                _share(engine["labels_that_differ"]),
            )
            lines.append(f"{begin} {' | '.join(cells)} |")
    return "\n".join(lines)


def _measured_engine(
    opener: Opener,
    case: Case,
    size: tuple[int, int],
    frames: list[Uint8],
    labels: list[Uint8],
    floor: Floor | None,
    count: int,
) -> dict[str, Any]:
    try:
        with opener(case, size) as runner:
            times = host_to_host(runner, frames, count)
            return {
                **runner.notes,
                "gpu_ms": 1000 * runner.seconds() if runner.seconds else None,
                "host_to_host_ms": times,
                "times_floor": times["median"] / floor.host_to_host if floor else None,
                "labels_that_differ": _difference(runner, frames, labels),
            }
    except NotHereError as reason:
        return {"not_here": str(reason)}
    except Exception as error:  # one engine's failure must not cost the others their numbers
        traceback.print_exc()
        return {"failed": str(error).split("\n")[0]}


def _difference(runner: Runner, frames: list[Uint8], labels: list[Uint8]) -> float | None:
    """Share of the pixels; None without labels to compare with."""
    if not labels:
        return None
    pairs = zip(frames, labels, strict=False)
    return float(np.mean([runner.run(frame) != expected for frame, expected in pairs]))


def _cases(options: argparse.Namespace, folder: Path) -> list[Case]:
    cases = []
    for path in options.model or [SHIPPED_MODEL]:
        cases += gpu_cases.cases_of_file(path, folder)
    if options.no_classic:
        return cases
    try:
        return [*cases, *gpu_cases.classic_cases(folder)]
    except ImportError as error:
        print(f"the U-Net of the paper is left out: {error}")
        return cases


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3%}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("gpu.json"), help="where the JSON goes")
    parser.add_argument(
        "--model", type=Path, action="append", help="a model file instead of the shipped one"
    )
    parser.add_argument("--size", type=parse_size, action="append", metavar="WIDTHxHEIGHT")
    parser.add_argument("--frames", type=int, default=1000, help="frames timed (default 1000)")
    parser.add_argument(
        "--no-classic", action="store_true", help="leave out the U-Net of the paper"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
