# SPDX-License-Identifier: Apache-2.0
"""Measures the speed and accuracy of each choice of net, size, precision and views.

    python -m benchmarks.tradeoff --checkpoints RUN/best.pt --data DIR --tags V --list val.txt

Every point is scored on the whole list at camera resolution, through the Segmenter the node runs.
Then all are timed in turns, a few frames of each per round, so that other load on the machine
affects all alike. A point is on the Pareto front, and marked *, if no other is both faster and
more accurate. Accuracy can be compared only among nets that were trained alike.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks import reporting
from benchmarks.timing import in_turns, spread, timed
from benchmarks.tradeoff.points import Way, open_way, parse_way, usual_ways
from carla_unet_ros.errors import InputError
from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.training import plots
from carla_unet_ros.training.data.folders import PairFolder, camera_frame, split_names
from carla_unet_ros.training.data.frame_names import read_list
from carla_unet_ros.training.evaluate import evaluate
from carla_unet_ros.training.net.checkpoints import read_trained_net

_HEADS = ("", "net", "network size", "precision", "views", "mean IoU", "pixel accuracy", "ms",
          "frames/s")  # fmt: skip
_FRAMES_TIMED = 8
_COLOURS = {"fp32": "tab:green", "bf16": "tab:orange", "int8": "tab:blue", "": "tab:grey"}


@dataclass
class Point:
    """One net, run in one way; milliseconds count from a frame's bytes to its labels' bytes."""

    net: str
    network: str
    precision: str
    views: int
    mean_iou: float
    pixel_accuracy: float
    median_ms: float = 0.0


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    try:
        with tempfile.TemporaryDirectory(prefix="carla_unet_") as folder:
            points = measured(options, Path(folder))
    except (InputError, ValueError) as error:
        print(f"tradeoff: {error}", file=sys.stderr)
        return 1
    results = {
        **reporting.conditions("tradeoff", argv),
        "data": f"{len(_list(options))} frames of {Path(options.list).name}",
        "points": [asdict(point) for point in points],
    }
    text = (
        f"## Accuracy against time\n\n{reporting.origin(results)}. Scored on {results['data']}, "
        "at camera resolution,\nthrough the Segmenter; median from frame bytes to labels, all "
        "points timed in turns in one run.\n`views`: looks of the net at a frame. int8 is "
        "post-training, and kept here whatever it loses. `*`: no\nother point is both faster and "
        f"more accurate.\n\n{table(points)}\n\n![mean IoU against milliseconds](tradeoff.png)"
    )
    reporting.finish(results, "tradeoff", text, options, lambda path: plot(points, path))
    return 0


def measured(options: argparse.Namespace, folder: Path) -> list[Point]:
    """Scores every point, then times all of them in turns."""
    points: list[Point] = []
    segmenters: dict[str, Segmenter] = {}
    nets = [read_trained_net(path) for path in options.checkpoints]
    source = PairFolder(options.data, options.tags, nets[0].label_set, _list(options))
    for number, (net, path) in enumerate(zip(nets, options.checkpoints, strict=True)):
        scored = set(_list(options))
        names = [name for name in split_names(options.data)[0] if name not in scored]
        calibration = PairFolder(options.data, options.tags, net.label_set, names)
        for way in tqdm(options.ways or usual_ways(net.network_size, net.net.config.multiple)):
            segmenter = open_way(net, way, folder / str(number), calibration, options.calibration)
            segmenters[f"{number} {way}"] = segmenter
            points.append(_scored(path, way, segmenter, source))
    places = np.linspace(0, len(source) - 1, min(_FRAMES_TIMED, len(source))).astype(int)
    frames = [camera_frame(source.read(int(place)).frame) for place in places]
    turns = {key: partial(timed, one.segment, frames) for key, one in segmenters.items()}
    for point, milliseconds in zip(points, in_turns(turns, options.rounds).values(), strict=True):
        point.median_ms = spread(milliseconds)["median_ms"]
    for segmenter in segmenters.values():
        segmenter.close()
    return points


def on_front(point: Point, points: Sequence[Point]) -> bool:
    """True if no other point is at least as good in both and better in one."""
    return not any(
        other.median_ms <= point.median_ms
        and other.mean_iou >= point.mean_iou
        and (other.median_ms, other.mean_iou) != (point.median_ms, point.mean_iou)
        for other in points
    )


def table(points: Sequence[Point]) -> str:
    """A Markdown table of the points, the fastest first."""
    rows = [
        ["*" if on_front(one, points) else "", one.net, one.network, one.precision, one.views,
         f"{one.mean_iou:.3f}", f"{one.pixel_accuracy:.3f}", f"{one.median_ms:.1f}",
         f"{1000 / one.median_ms:.1f}"]
        for one in sorted(points, key=lambda one: one.median_ms)
    ]  # fmt: skip
    return reporting.table(_HEADS, rows)


def plot(points: Sequence[Point], path: Path) -> None:
    """Plots the points: precision as colour, size and views as labels, the front as a line."""
    figure, axes = plots.pyplot.subplots(figsize=(9, 5), layout="constrained")
    for one in points:
        place = one.median_ms, one.mean_iou
        axes.plot(*place, "o", color=_COLOURS[one.precision])
        text = f" {one.net} {one.network}{f' x{one.views}' if one.views > 1 else ''}"
        axes.annotate(text, place, fontsize=7)
    front = sorted((one.median_ms, one.mean_iou) for one in points if on_front(one, points))
    axes.plot(*zip(*front, strict=True), "--", color="0.6", zorder=0, label="Pareto front")
    for precision in dict.fromkeys(one.precision for one in points):
        axes.plot([], [], "o", color=_COLOURS[precision], label=precision or "by itself")
    axes.set(xlabel="ms from frame bytes to label bytes (median)", ylabel="mean IoU")
    axes.legend(frameon=False)
    figure.savefig(path)
    plots.pyplot.close(figure)


def _scored(path: Path, way: Way, segmenter: Segmenter, source: PairFolder) -> Point:
    matrix = evaluate(segmenter, source, progress=False).matrix
    # The name of the run's folder says more than best.pt.
    name = path.absolute().parent.name if path.stem in ("best", "last") else path.stem
    network = f"{way.network[0]}x{way.network[1]}"
    return Point(name, network, way.precision, way.views.count, matrix.mean_iou(),
                 matrix.pixel_accuracy())  # fmt: skip


def _list(options: argparse.Namespace) -> list[str]:
    inside = options.data / options.list
    return read_list(inside if inside.is_file() else Path(options.list))


def _parser() -> argparse.ArgumentParser:
    parser = reporting.parser_of(__doc__, "tradeoff")
    add = parser.add_argument
    add("--checkpoints", nargs="+", type=Path, required=True, help="of carla_unet_train")
    add("--data", type=Path, required=True, help="folder of pairs, as carla_unet_train takes it")
    add("--tags", required=True, help="CARLA version whose tags the masks hold, such as 0.9.13")
    add("--list", required=True, help="frames to score on; a bare name is looked for in --data")
    add("--ways", nargs="+", type=parse_way, metavar="WIDTHxHEIGHT[,flips][,SIZE...][,int8]",
        help="network size, further looks and arithmetic of each point; by default int8 at three "
        "sizes, mirrored or not, and each arithmetic at the size trained for")  # fmt: skip
    add("--calibration", type=reporting.positive, default=200, metavar="FRAMES", help="training "
        "frames that int8 reads its scales from (200)")  # fmt: skip
    add("--rounds", type=reporting.positive, default=20, help=f"turns of "
        f"{_FRAMES_TIMED} frames (20)")  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
