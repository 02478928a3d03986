"""What benchmarks/tradeoff.py found, for people: table, plot, section of docs/performance.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import report

REAL_TIME = 30
"""Frames a second that count as real time."""

_HEADS = (
    *("", "net", "channels", "depth", "stem", "network size", "precision", "enlarged"),
    *("views", "weights (M)", "mean IoU", "pixel accuracy", "ms", "frames/s"),
)
_NEAR = 0.06
"""Mean IoU below the best point's down to which the plot shows all points together."""

_MARKERS = {"fp32": "o", "bf16": "s", "int8": "^"}


@dataclass
class Point:
    """One net, run in one way; milliseconds are of a frame's bytes to its labels' bytes."""

    net: str
    channels: int
    depth: int
    stem: int
    network: tuple[int, int]
    precision: str
    enlarged: str
    views: int
    weights: int
    mean_iou: float
    pixel_accuracy: float
    median_ms: float = 0.0
    p95_ms: float = 0.0

    @property
    def per_second(self) -> float:
        return 1000 / self.median_ms


def on_front(point: Point, points: Sequence[Point]) -> bool:
    """True where no other point is at least as good in both, and better in one."""
    return not any(
        other.median_ms <= point.median_ms
        and other.mean_iou >= point.mean_iou
        and (other.median_ms, other.mean_iou) != (point.median_ms, point.mean_iou)
        for other in points
    )


def table(points: Sequence[Point]) -> str:
    """A Markdown table, the fastest first."""
    rows = [
        (
            "*" if on_front(point, points) else "",
            *(point.net, point.channels, point.depth, point.stem),
            f"{point.network[0]}x{point.network[1]}",
            *(point.precision, point.enlarged, point.views),
            f"{point.weights / 1e6:.2f}",
            *(f"{point.mean_iou:.3f}", f"{point.pixel_accuracy:.3f}"),
            *(f"{point.median_ms:.1f}", f"{point.per_second:.1f}"),
        )
        for point in sorted(points, key=lambda point: point.median_ms)
    ]
    return report.table(_HEADS, rows)


def section(points: Sequence[Point], origin: str, data: str, training: Mapping[str, str]) -> str:
    """The section of docs/performance.md.

    origin:   of the figures, as report.origin writes it
    data:     what the points were scored on
    training: of each net, in words
    """
    best = max(points, key=lambda point: point.mean_iou)
    fast = [point for point in points if point.per_second >= REAL_TIME]
    lines = [f"Most accurate of all: {_sentence(best)}."]
    if fast:
        quickest = max(fast, key=lambda point: point.mean_iou)
        lines += [f"Most accurate at {REAL_TIME} frames/s or more: {_sentence(quickest)}."]
    else:
        lines += [f"No point reaches {REAL_TIME} frames/s on this machine."]
    trained = "; ".join(f"{net} for {story}" for net, story in training.items())
    return f"""## Accuracy against time

{origin}. Scored on {data}, at camera resolution, through the Segmenter;
median from frame bytes to label bytes, all points timed in turns in one run. `enlarged`: what of
a pixel at the network's size makes the labels at the camera's: the `nearest` label, the winners'
`margins` (what `carla_unet_export` writes), or the `probabilities` of all classes.
`views`: how often the net looks at a frame: mirrored, and in smaller sizes (`--flips`, `--also`).
int8 is post-training and kept here whatever it loses. `*`: on the Pareto front, none is both
faster and more accurate.

{table(points)}

{" ".join(lines)}

Trained, in the last run: {trained}. Accuracy can be compared
only among nets that were trained alike.

![mean IoU against milliseconds](tradeoff.png)"""


def _sentence(point: Point) -> str:
    looks = f"{point.views} views, " if point.views > 1 else ""
    return (
        f"{point.net} at {point.network[0]}x{point.network[1]}, {point.precision}, {looks}"
        f"{point.enlarged}, mean IoU {point.mean_iou:.3f} in {point.median_ms:.1f} ms"
    )


def plot(points: Sequence[Point], path: Path) -> None:
    """Colour: the net. Marker: the arithmetic, hollow where it is not margins that are enlarged.

    Nets far below the best (`_NEAR`) get a panel of their own: they would flatten the others.
    """
    from carla_unet_ros.training import plots

    nets = list(dict.fromkeys(point.net for point in points))
    least = max(point.mean_iou for point in points) - _NEAR
    groups = [
        [p for p in points if p.mean_iou >= least],
        [p for p in points if p.mean_iou < least],
    ]
    groups = [group for group in groups if group]
    figure, panels = plots.pyplot.subplots(
        *(len(groups), 1),
        **{"figsize": (9, 6.5), "layout": "constrained", "sharex": True, "squeeze": False},
        height_ratios=(3, 1)[: len(groups)],
    )
    for axes, group in zip(panels[:, 0], groups, strict=True):
        _draw(axes, group, nets)
        axes.set(ylabel="mean IoU")
    upper, lower = panels[0, 0], panels[-1, 0]
    front = sorted((p.median_ms, p.mean_iou) for p in groups[0] if on_front(p, points))
    upper.plot(*zip(*front, strict=True), "--", color="0.6", zorder=0, label="Pareto front")
    for net in nets:
        upper.plot([], [], "o", color=f"C{nets.index(net)}", label=net)
    for precision, marker in _MARKERS.items():
        upper.plot([], [], marker, color="0.3", label=precision)
    upper.plot([], [], "o", color="0.3", fillstyle="none", label="hollow: not margins")
    ticks = [10, 15, 20, 30, 50, 70, 100, 150, 200, 300]
    lower.set(xlabel="ms from frame bytes to label bytes (median)", xscale="log")
    lower.set_xticks(ticks, map(str, ticks), minor=False)
    lower.set_xticks([], minor=True)
    times = [point.median_ms for point in points]
    lower.set_xlim(min(times) / 1.1, max(*times, 1000 / REAL_TIME) * 1.3)
    upper.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path)
    plots.pyplot.close(figure)


def _draw(axes: Any, points: Sequence[Point], nets: list[str]) -> None:
    """The points and what each was run at; `x2` is two views."""
    for point in points:
        colour = f"C{nets.index(point.net)}"
        axes.plot(
            point.median_ms,
            point.mean_iou,
            _MARKERS[point.precision],
            color=colour,
            fillstyle="full" if point.enlarged == "margins" else "none",
        )
        axes.annotate(
            f"{point.network[0]}x{point.network[1]}" + (f" x{point.views}" * (point.views > 1)),
            (point.median_ms, point.mean_iou),
            **{"xytext": (5, 4), "textcoords": "offset points", "fontsize": 7, "color": colour},
        )
    axes.axvline(1000 / REAL_TIME, color="0.85", zorder=0, label=f"{REAL_TIME} frames/s")
    axes.margins(y=0.12)
