"""docs/unet_vs_cnn.md: what the skip connections are, and what they were measured to be worth.

The prose explains and does not judge: whatever the next run measures, its figures are filled in
and every sentence stays true.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import report

_THIN_SHARE = 1 / 3
_LINE = 99
_INTRODUCTION = """# What a U-Net adds to a CNN

Three nets of this package were trained alike and scored alike: the U-Net, the same net without
its skip connections, and one without them that was widened until it costs as much as the U-Net.
Text, tables and pictures are written by one command, which trains the nets first:

    {command}

## Three kinds of net

**A plain CNN** that classifies pictures only contracts. A convolution looks at each pixel's
neighbours; then the picture is halved, so that the next one sees twice as far. Level by level the
net knows more about *what* it sees and less about *where*, until one answer is left: "a street".
That is all a classifier is asked. Segmentation asks it of every pixel.

**An encoder-decoder** puts a second half behind it, which doubles the picture again level by
level, up to one answer for each pixel. It has the right size, but all it knows of *where* has gone
through the smallest picture in its middle, the bottleneck.

**A U-Net** ([Ronneberger, Fischer, Brox 2015](https://arxiv.org/abs/1505.04597)) lays a bridge
across at each level: the features from the way down are joined to those of the same size on the
way up. The bottleneck says *what*, these skip connections say *where*. Nothing else is different:
in `training/unet.py` it is one `torch.cat`, and `carla_unet_train --no-skips` leaves it out.
"""
_WHY = """## Why thin classes need them

{halved}

A road covers many such places, and a net that knows only which of them are road draws it well but
for its edges. A pole four pixels wide covers a part of one: to be drawn again it must be
remembered as numbers, "a pole, this far from the left", in channels that everything else in that
place needs, too. Across the skip connections its two edges arrive as they were seen, and need only
be called by name.

Boundary IoU sees this where IoU does not: it counts only the pixels close to a contour, so the
inside of a road no longer outweighs its edge. For a class that is nowhere wider than twice that
distance, in truth and prediction, the two are the same number.
"""


@dataclass(frozen=True)
class NetFigures:
    """What was measured of one net.

    widths:        channels of each level
    multiply_adds: for one frame, at network size
    iou:           of each class; None where there was nothing to measure
    boundary:      for each distance the boundary IoU of each class
    boundary_mean: for each distance the mean over the classes in the truth
    """

    title: str
    widths: list[int]
    weights: int
    multiply_adds: int
    mean_iou: float
    pixel_accuracy: float
    iou: list[float | None]
    boundary: list[list[float | None]]
    boundary_mean: list[float]


@dataclass(frozen=True)
class Figures:
    """All that the document tells.

    nets:      the U-Net, without skips, without skips at equal cost
    camera:    (width, height) of the scored frames
    thinness:  of each class the share of its true pixels within the smallest distance of a
               contour; None for a class that does not occur
    distances: of boundary IoU, pixels
    trained:   sentences on data and schedule
    """

    command: str
    nets: list[NetFigures]
    classes: list[str]
    thinness: list[float | None]
    distances: list[int]
    depth: int
    stem: int
    camera: tuple[int, int]
    network: tuple[int, int]
    trained: str


def document(figures: Figures, picture: str | None) -> str:
    """The whole text; `picture`: the link to the picture, if there is one."""
    parts = [
        _INTRODUCTION.format(command=figures.command),
        _why(figures),
        f"## What was measured\n\n{_wrapped(figures.trained)}\n\n{_summary(figures)}\n",
        _thin_classes(figures),
        *([_picture(figures, picture)] if picture else []),
        _class_tables(figures),
    ]
    return "\n".join(parts)


def thin_classes(thinness: Sequence[float | None]) -> list[int]:
    """Ids of the thinnest third of the classes that occur, the thinnest first."""
    order = _by_thinness(thinness)
    return order[: max(1, round(_THIN_SHARE * len(order)))]


def _by_thinness(thinness: Sequence[float | None]) -> list[int]:
    found = [(-value, label) for label, value in enumerate(thinness) if value is not None]
    return [label for _, label in sorted(found)]


def _why(figures: Figures) -> str:
    shrunk = figures.stem * 2**figures.depth
    place = [
        f"{shrunk * camera / network:.0f}"
        for camera, network in zip(figures.camera, figures.network, strict=True)
    ]
    folded = f", behind a stem that folds {figures.stem}x{figures.stem} pixels into channels"
    halved = (
        f"In these nets the picture is halved {figures.depth} times"
        f"{folded if figures.stem > 1 else ''}. Frames of {_size(figures.camera)} enter them at "
        f"{_size(figures.network)}, so one place of the bottleneck stands for {'x'.join(place)} "
        "pixels of the camera."
    )
    return _WHY.format(halved=_wrapped(halved))


def _summary(figures: Figures) -> str:
    """A row for each net."""
    heads = ["net", "channels of its levels", "weights (M)", "multiply-adds (G)", "mean IoU"]
    heads += [f"boundary IoU, {distance} px" for distance in figures.distances]
    rows = [
        [
            *(net.title, ", ".join(map(str, net.widths)), f"{net.weights / 1e6:.2f}"),
            *(f"{net.multiply_adds / 1e9:.2f}", f"{net.mean_iou:.3f}"),
            *(f"{mean:.3f}" for mean in net.boundary_mean),
            f"{net.pixel_accuracy:.3f}",
        ]
        for net in figures.nets
    ]
    return report.table([*heads, "pixel accuracy"], rows)


def _thin_classes(figures: Figures) -> str:
    """The thinnest classes against the others: IoU, and what is left of it without skips."""
    thin = thin_classes(figures.thinness)
    others = [label for label in _by_thinness(figures.thinness) if label not in thin]
    names = ", ".join(figures.classes[label] for label in thin)
    rows = []
    for title, labels in ((f"thinnest: {names}", thin), ("all others", others)):
        means = [_mean([net.iou[label] for label in labels]) for net in figures.nets]
        kept = [f"{100 * mean / means[0]:.0f} %" if means[0] else "-" for mean in means[1:]]
        rows.append([title, *(f"{mean:.3f}" for mean in means), *kept])
    heads = ["classes", *(net.title for net in figures.nets)]
    heads += [f"kept {net.title}" for net in figures.nets[1:]]
    story = (
        "How thin a class is, was measured, too: the share of its pixels within "
        f"{min(figures.distances)} pixels of its contour in the truth. Here are the mean IoU of "
        "the thinnest third of the classes and of the others, and how much of the U-Net's is kept "
        "without skips:"
    )
    return f"""### Thin classes and the others

{_wrapped(story)}

{report.table(heads, rows)}

If the skips carry position, less is kept in the first row than in the second: thin classes are
nothing but position. If all they brought were more to compute with, the wider net would have no
less than the U-Net. Each net was trained once: small differences may be chance.
"""


def _picture(figures: Figures, picture: str) -> str:
    nets = ", ".join(net.title for net in figures.nets)
    story = (
        f"Frame, truth, {nets}; below each the part of it with most contours of the thinnest "
        "classes. The frames were chosen by that, too, not by how well any of the nets did."
    )
    return f"""### Pictures

{_wrapped(story)}

![frames, truth and what the nets made of them]({picture})
"""


def _class_tables(figures: Figures) -> str:
    """IoU and every boundary IoU by class, the thinnest class first."""
    measures = [("IoU", [net.iou for net in figures.nets])]
    measures += [
        (f"Boundary IoU, {distance} pixels", [net.boundary[place] for net in figures.nets])
        for place, distance in enumerate(figures.distances)
    ]
    heads = ["class", "thin", *(net.title for net in figures.nets), "U-Net more by"]
    parts = ["### Class by class\n"]
    for title, scores in measures:
        rows = []
        for label in _by_thinness(figures.thinness):
            values = [_number(score[label]) for score in scores]
            gain = _points(values[0] - max(values[1:]))
            thin = f"{100 * _number(figures.thinness[label]):.0f} %"
            rows.append([figures.classes[label], thin, *(f"{v:.3f}" for v in values), gain])
        parts.append(f"**{title}**\n\n{report.table(heads, rows)}\n")
    note = (
        f"`thin`: share of the class's pixels within {min(figures.distances)} pixels of its "
        "contour. Last column: points over the better of the two nets without skips."
    )
    return "\n".join([*parts, _wrapped(note), ""])


def _points(difference: float) -> str:
    """In hundredths, with a sign; never -0.0."""
    return f"{round(100 * difference, 1) + 0.0:+.1f}"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _LINE, break_long_words=False, break_on_hyphens=False)


def _mean(values: Sequence[float | None]) -> float:
    return float(np.mean([_number(value) for value in values])) if values else float("nan")


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
