# SPDX-License-Identifier: Apache-2.0
"""Measures the speed and accuracy of each choice of net, size, precision and views.

    python -m benchmarks.tradeoff --checkpoints RUN/best.pt --data DIR --tags V --list val.txt

Every point is scored on the whole list, then all are timed in turns, a few frames of each per
round, so that other load on the machine affects all alike. Accuracy can be compared only among
nets that were trained alike.
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from matplotlib.figure import Figure
from tqdm import tqdm
from tyro.conf import arg

from benchmarks import reporting
from benchmarks.reporting import Benchmark, Report, Results, section
from benchmarks.timing import in_turns, spread, timed
from benchmarks.tradeoff.points import Way, open_way, parse_way, usual_ways
from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.training.data.folders import PairFolder, camera_frame, split_names
from carla_unet_ros.training.data.frame_names import read_list
from carla_unet_ros.training.data.splits import evenly_spread
from carla_unet_ros.training.evaluate import evaluate
from carla_unet_ros.training.net.checkpoints import read_trained_net

_HEADS = " | net | network size | precision | views | mean IoU | pixel accuracy | ms | frames/s"
_FRAMES_TIMED = 8
_COLOURS = {"fp32": "tab:green", "bf16": "tab:orange", "int8": "tab:blue", "": "tab:grey"}
_EXPLANATION = """\
Scored on {data}, at camera resolution,
through the Segmenter; median from frame bytes to labels, all points timed in turns in one run.
`views`: looks of the net at a frame. int8 is post-training, and kept here whatever it loses.
`*`: no other point is both faster and more accurate."""


@dataclass(frozen=True, kw_only=True)
class Options(Report):
    """Measure the speed and accuracy of each choice of net, size, precision and views."""

    checkpoints: tuple[Path, ...]  # of carla_unet_train
    data: Path  # folder of pairs, as carla_unet_train takes it
    tags: str  # CARLA version whose tags the masks hold, such as 0.9.13
    list: str  # frames to score on; a bare name is looked for in --data
    # network size, further looks and arithmetic of each point; by default int8 at three sizes,
    # mirrored or not, and each arithmetic at the size trained for
    ways: Annotated[tuple[str, ...], arg(metavar="WIDTHxHEIGHT[,flips][,SIZE...][,int8]")] = ()
    calibration: int = 200  # training frames that int8 reads its scales from
    rounds: int = 20  # turns of a few frames

    @property
    def names(self) -> Sequence[str]:
        """The frames to score on."""
        inside = self.data / self.list
        return read_list(inside if inside.is_file() else Path(self.list))


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


def measured(options: Options) -> Results:
    """Scores every point, then times all of them in turns."""
    with tempfile.TemporaryDirectory(prefix="carla_unet_") as folder:
        points = measured_points(options, Path(folder))
    return {
        "data": f"{len(options.names)} frames of {Path(options.list).name}",
        "points": [asdict(point) for point in points],
    }


def measured_points(options: Options, folder: Path) -> list[Point]:
    points: list[Point] = []
    segmenters: list[Segmenter] = []
    wanted = [parse_way(text) for text in options.ways]
    nets = [read_trained_net(path) for path in options.checkpoints]
    source = PairFolder(options.data, options.tags, nets[0].label_set, options.names)
    names = sorted(set(split_names(options.data)[0]) - set(options.names))
    for number, (net, path) in enumerate(zip(nets, options.checkpoints, strict=True)):
        calibration = PairFolder(options.data, options.tags, net.label_set, names)
        for way in tqdm(wanted or usual_ways(net.network_size, net.net.config.multiple)):
            own = folder / str(number)
            segmenters.append(open_way(net, way, own, calibration, options.calibration))
            points.append(_scored(path, way, segmenters[-1], source))
    places = evenly_spread(len(source), _FRAMES_TIMED)
    frames = [camera_frame(source.read(place).frame) for place in places]
    turns = {str(key): partial(timed, one.segment, frames) for key, one in enumerate(segmenters)}
    for point, milliseconds in zip(points, in_turns(turns, options.rounds).values(), strict=True):
        point.median_ms = spread(milliseconds)["median_ms"]
    for segmenter in segmenters:
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


def described(results: Results) -> str:
    points = [Point(**point) for point in results["points"]]
    picture = "![mean IoU against milliseconds](tradeoff.png)"
    text = _EXPLANATION.format(**results)
    return section("Accuracy against time", results, text, table(points), picture)


def table(points: Sequence[Point]) -> str:
    """A Markdown table of the points, the fastest first."""
    rows: list[list[object]] = []
    for one in sorted(points, key=lambda one: one.median_ms):
        name = "*" if on_front(one, points) else "", one.net, one.network, one.precision, one.views
        scores = f"{one.mean_iou:.3f}", f"{one.pixel_accuracy:.3f}"
        rows.append([*name, *scores, f"{one.median_ms:.1f}", f"{1000 / one.median_ms:.1f}"])
    return reporting.table(_HEADS, rows)


def plot(results: Results) -> Figure:
    """The points: precision as colour, size and views as labels, the front as a line."""
    points = [Point(**point) for point in results["points"]]
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
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
    return figure


def _scored(path: Path, way: Way, segmenter: Segmenter, source: PairFolder) -> Point:
    matrix = evaluate(segmenter, source, progress=False).matrix
    # The name of the run's folder says more than best.pt.
    name = path.absolute().parent.name if path.stem in ("best", "last") else path.stem
    network = f"{way.network[0]}x{way.network[1]}"
    scores = matrix.mean_iou(), matrix.pixel_accuracy()
    return Point(name, network, way.precision, way.views.count, *scores)


main = Benchmark("tradeoff", Options, measured, described, plot).main

if __name__ == "__main__":
    sys.exit(main())
