"""Mean IoU against milliseconds: what each choice costs, and what it gives.

    python benchmarks/tradeoff.py --checkpoints RUN/best.pt --data DIR --tags V --list val.txt

Each checkpoint is a point as it was trained, and then one thing is varied at a time: the size
frames are resized to, how labels come to camera size, the arithmetic, and how often the net looks
at a frame; --ways names combinations of these. Every point is scored on the whole list at camera
resolution, through the Segmenter that drives. Then all are timed in turns, a few frames of each in
every round, so that whatever else the machine does falls on all alike.

A point is on the Pareto front, and marked *, where none is both faster and more accurate.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import report
from tqdm import tqdm
from tradeoff_enlarging import GRAPHS
from tradeoff_points import (
    AXES,
    PRECISIONS,
    Variant,
    fitted,
    open_variant,
    precisions_here,
    variants,
    way_argument,
)
from tradeoff_report import Point, on_front, plot, section, table

from carla_unet_ros.engines import EngineError
from carla_unet_ros.labels import Uint8
from carla_unet_ros.model_file import ModelError
from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.training.data.folders import (
    DataError,
    PairFolder,
    camera_frame,
    split_names,
)
from carla_unet_ros.training.data.frame_names import read_list
from carla_unet_ros.training.evaluate import evaluate
from carla_unet_ros.training.export import ExportError
from carla_unet_ros.training.net.checkpoints import (
    CheckpointError,
    TrainedNet,
    read_checkpoint,
    read_trained_net,
)
from carla_unet_ros.training.net.unet import parameter_count
from carla_unet_ros.training.options import size_argument

_SIZES = ("448x320", "576x384", "640x384", "704x512", "768x576", "832x640")
_FRAMES_TIMED = 8


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    try:
        with tempfile.TemporaryDirectory(prefix="carla_unet_") as folder:
            points = measured(options, Path(folder))
    except (CheckpointError, DataError, ModelError, EngineError, ExportError, ValueError) as error:
        print(f"tradeoff: {error}", file=sys.stderr)
        return 1
    except ImportError as error:
        print(f"tradeoff: {error}; pip install '.[training]'", file=sys.stderr)
        return 1
    data = f"{options.data.name} ({len(_list(options))} frames of {Path(options.list).name})"
    paths = [*options.checkpoints, *options.as_trained]
    training = dict(zip(net_names(paths), map(training_of, paths), strict=True))
    results = {
        **report.conditions("tradeoff", argv),
        "data": data,
        "training": training,
        "points": [asdict(point) | {"pareto": on_front(point, points)} for point in points],
    }
    options.out.write_text(json.dumps(results, indent=1) + "\n")
    if options.document:
        text = section(points, report.origin(results), data, training)
        report.write_section("tradeoff", text, options.document)
        plot(points, options.document.with_name("tradeoff.png"))
    else:
        plot(points, options.out.with_suffix(".png"))
    print(table(points))
    return 0


def measured(options: argparse.Namespace, folder: Path) -> list[Point]:
    """Every point scored, and then all of them timed in turns."""
    paths = [*options.checkpoints, *options.as_trained]
    nets = [read_trained_net(path) for path in paths]
    points: list[Point] = []
    segmenters: list[Segmenter] = []
    work = [
        (net, name, variant)
        for place, (net, name) in enumerate(zip(nets, net_names(paths), strict=True))
        for variant in _variants(net, options)[: None if place < len(options.checkpoints) else 1]
    ]
    for net, name, variant in (bar := tqdm(work, "points")):
        bar.set_postfix_str(f"{name} {variant.network[0]}x{variant.network[1]}")
        calibration = PairFolder(
            options.data, options.tags, net.label_set, calibration_names(options)
        )
        segmenters.append(
            open_variant(net, variant, folder / name, calibration, options.calibration)
        )
        points.append(_scored(net, name, variant, segmenters[-1], options))
    frames = _frames_to_time(options, nets[0])
    for point, milliseconds in zip(
        points, timed(segmenters, frames, options.rounds, options.burst), strict=True
    ):
        point.median_ms, point.p95_ms = map(float, np.percentile(milliseconds, (50, 95)))
    for segmenter in segmenters:
        segmenter.close()
    return points


def net_names(checkpoints: Sequence[Path]) -> list[str]:
    """For people: the run's folder of best.pt and last.pt, else the file's own name."""
    names = [
        path.absolute().parent.name if path.stem in ("best", "last") else path.stem
        for path in checkpoints
    ]
    if len(set(names)) < len(names):
        raise ValueError(f"two checkpoints are called the same ({', '.join(names)})")
    return names


def training_of(checkpoint: Path) -> str:
    """What a net's last training run was, for people: points of unlike training differ by it."""
    state = read_checkpoint(checkpoint)
    options = state["options"]
    start = Path(options["init"]).name if options["init"] else "random weights"
    return f"{state['epoch']} epochs of {options['frames']} frames, from {start}"


def calibration_names(options: argparse.Namespace) -> list[str]:
    """Frames to train on, without any that is scored; DataError where none is left."""
    scored = set(_list(options))
    names = [name for name in split_names(options.data)[0] if name not in scored]
    if not names:
        raise DataError(
            f"every training frame of {options.data} is in {options.list}: none is left to "
            "calibrate int8 on"
        )
    return names


def timed(
    segmenters: Sequence[Segmenter], frames: Sequence[Uint8], rounds: int, burst: int
) -> list[list[float]]:
    """Milliseconds of `rounds` x `burst` frames of each segmenter, taken in turns.

    The first frame of a turn is not counted: it brings the net's weights back into the caches,
    where they stay while a car drives.
    """
    found: list[list[float]] = [[] for _ in segmenters]
    for turn in tqdm(range(rounds), "rounds"):
        for segmenter, milliseconds in zip(segmenters, found, strict=True):
            for step in range(burst + 1):
                frame = frames[(turn * burst + step) % len(frames)]
                started = time.perf_counter()
                segmenter.segment(frame)
                if step:
                    milliseconds.append(1000 * (time.perf_counter() - started))
    return found


def _variants(net: TrainedNet, options: argparse.Namespace) -> list[Variant]:
    here = precisions_here()
    base = options.base_precision or ("bf16" if "bf16" in here else "fp32")
    if base not in here:
        raise ValueError(f"this CPU has no {base}; it has {', '.join(here)}: --base-precision")
    precisions = [name for name in options.precisions if name in here]
    sizes = [fitted(size, net.net.config.multiple) for size in options.sizes]
    found = variants(Variant(net.network_size, base), options.axes, sizes, precisions)
    ways = [replace(way, precision=way.precision or base) for way in options.ways]
    return list(dict.fromkeys((*found, *ways)))


def _scored(
    net: TrainedNet,
    name: str,
    variant: Variant,
    segmenter: Segmenter,
    options: argparse.Namespace,
) -> Point:
    source = PairFolder(options.data, options.tags, net.label_set, _list(options))
    matrix = evaluate(segmenter, source, progress=False).matrix
    config = net.net.config
    return Point(
        *(name, config.channels, config.depth, config.stem),
        *(variant.network, variant.precision, variant.enlarging, variant.views.count),
        *(parameter_count(net.net), matrix.mean_iou(), matrix.pixel_accuracy()),
    )


def _frames_to_time(options: argparse.Namespace, net: TrainedNet) -> list[Uint8]:
    source = PairFolder(options.data, options.tags, net.label_set, _list(options))
    places = np.linspace(0, len(source) - 1, min(_FRAMES_TIMED, len(source))).astype(int)
    return [camera_frame(source.read(int(place)).frame) for place in places]


def _list(options: argparse.Namespace) -> list[str]:
    inside = options.data / options.list
    return read_list(inside if inside.is_file() else Path(options.list))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--checkpoints", nargs="+", type=Path, required=True, help="of carla_unet_train; best.pt "
        "and last.pt are called by their run's folder, others by their own name")  # fmt: skip
    add("--as-trained", nargs="+", type=Path, default=[], metavar="CHECKPOINT", help="others, of "
        "which nothing is varied")  # fmt: skip
    add("--data", type=Path, required=True, help="folder of pairs, as carla_unet_train takes it")
    add("--tags", required=True, help="CARLA version whose tags the masks hold, such as 0.9.13")
    add("--list", required=True, help="frames to score on; a bare name is looked for in --data")
    add("--axes", nargs="*", choices=AXES, default=AXES, help="what is varied, one at a time "
        "(default: all)")  # fmt: skip
    add("--sizes", nargs="+", type=size_argument, metavar="WIDTHxHEIGHT",
        default=[size_argument(size) for size in _SIZES], help="network sizes beside the one "
        "trained for, each moved to the nearest that the net can take (default: "
        f"{' '.join(_SIZES)})")  # fmt: skip
    add("--ways", nargs="+", type=way_argument, default=[], metavar="WIDTHxHEIGHT[,flips]"
        "[,WIDTHxHEIGHT...][,WORD...]", help="combinations to measure, too: a network size, what "
        "carla_unet_export takes as --flips and --also, a precision, a way of enlarging "
        f"({', '.join(GRAPHS)})")  # fmt: skip
    add("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS, help="arithmetics; "
        "those the CPU has not are left out (default: all)")  # fmt: skip
    add("--base-precision", choices=PRECISIONS, help="in which sizes and enlarging are varied "
        "(default: what OpenVINO takes by itself, bf16 where the CPU has it)")  # fmt: skip
    add("--calibration", type=int, default=200, metavar="FRAMES", help="training frames that int8 "
        "reads its scales from (default %(default)s)")  # fmt: skip
    add("--rounds", type=int, default=40, help="turns of timing (default %(default)s)")
    add("--burst", type=int, default=4, help="frames timed in a turn (default %(default)s)")
    report.add_options(parser, "tradeoff")
    return parser


if __name__ == "__main__":
    sys.exit(main())
