"""The picture of unet_vs_cnn.py: frames, their truth and what each net made of them, with a zoom.

What is shown is chosen by the truth alone: where most contours of thin classes are.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from boundary import boundary

from carla_unet_ros.labels import LabelSet, Uint8
from carla_unet_ros.training import plots
from carla_unet_ros.training.data.folders import Pair, PairSource

_ZOOM = 4
_WIDTH = 2.6
"""Inches of one picture, at 100 pixels an inch."""

_LEGEND_COLUMNS = 7


class Detail(NamedTuple):
    """The part of a label image with most contours of some classes, and how many pixels of them.

    It is a quarter as wide and as high as the image.
    """

    rows: slice
    columns: slice
    contours: int


Predict = Callable[[Uint8], Uint8]
"""Frame as read, uint8 [H, W, 3] -> labels uint8 [H, W]."""


def detail_of(truth: Uint8, classes: Sequence[int]) -> Detail:
    """Where most contours of these classes are; contours are a pixel wide."""
    contours = np.zeros(truth.shape, np.uint8)
    for label in classes:
        contours |= boundary((truth == label).astype(np.uint8), 1)
    height, width = (max(1, side // _ZOOM) for side in truth.shape)
    sums = cv2.integral(contours)
    counts = sums[height:, width:] - sums[:-height, width:]
    counts = counts - (sums[height:, :-width] - sums[:-height, :-width])
    top, left = np.unravel_index(np.argmax(counts), counts.shape)
    rows, columns = slice(int(top), int(top) + height), slice(int(left), int(left) + width)
    return Detail(rows, columns, int(counts.max()))


def most_telling(source: PairSource, classes: Sequence[int], count: int) -> list[int]:
    """Indices of frames: of `count` parts of the source the one with the most contours each."""
    parts = np.array_split(np.arange(len(source)), min(count, len(source)))
    return [
        max(
            map(int, part),
            key=lambda index: detail_of(source.read(index).labels, classes).contours,
        )
        for part in parts
    ]


def draw(
    pairs: Sequence[Pair],
    nets: dict[str, Predict],
    classes: Sequence[int],
    labels: LabelSet,
    path: Path,
) -> None:
    """Two rows a frame: all of it with a box around the detail, and the detail."""
    titles = ["frame", "truth", *nets]
    height, width = pairs[0].labels.shape
    size = (_WIDTH * len(titles), 2 * _WIDTH * len(pairs) * height / width + 1)
    figure, axes = plots.pyplot.subplots(
        2 * len(pairs), len(titles), figsize=size, layout="constrained", squeeze=False
    )
    for number, (frame, truth) in enumerate(pairs):
        detail = detail_of(truth, classes)
        images = [truth, *(predict(frame) for predict in nets.values())]
        colours = [frame, *(labels.palette_bgr[image] for image in images)]
        for column, image in enumerate(colours):
            picture = image[..., ::-1]
            whole, zoom = axes[2 * number : 2 * number + 2, column]
            whole.imshow(picture)
            whole.add_patch(_box(detail))
            zoom.imshow(picture[detail.rows, detail.columns], interpolation="nearest")
    for column, title in enumerate(titles):
        axes[0, column].set_title(title)
    for place in axes.flat:
        place.set_xticks([])
        place.set_yticks([])
    _legend(figure, [pair.labels for pair in pairs], labels)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    plots.pyplot.close(figure)


def _box(detail: Detail) -> "plots.pyplot.Rectangle":
    corner = detail.columns.start, detail.rows.start
    width = detail.columns.stop - detail.columns.start
    height = detail.rows.stop - detail.rows.start
    return plots.pyplot.Rectangle(corner, width, height, fill=False, color="white", linewidth=1.5)


def _legend(figure: "plots.pyplot.Figure", truths: Sequence[Uint8], labels: LabelSet) -> None:
    """Names and colours of the classes in sight."""
    seen = np.unique(np.concatenate([truth.ravel() for truth in truths]))
    shown = [label for label in labels.classes if label.id in seen]
    patches = [
        plots.pyplot.Rectangle(
            (0, 0), 1, 1, facecolor=[value / 255 for value in label.colour], edgecolor="0.5"
        )
        for label in shown
    ]
    names = [label.name for label in shown]
    figure.legend(patches, names, loc="outside lower center", ncols=_LEGEND_COLUMNS, frameon=False)
