# SPDX-License-Identifier: Apache-2.0
"""Draws pictures of a training and of an evaluation as PNG files; needs no screen."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from carla_unet_ros.evaluation.confusion_matrix import ConfusionMatrix
from carla_unet_ros.whole_files import whole_file

matplotlib.use("Agg")
from matplotlib import pyplot


def learning_curves(history: Sequence[dict[str, float]], path: Path) -> None:
    """Plots by epoch: the loss on the left axis, each mean IoU on the right one."""
    figure, left = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    epochs = range(1, len(history) + 1)
    left.plot(epochs, [entry["loss"] for entry in history], color="0.6", label="training loss")
    left.set(xlabel="epoch", ylabel="loss")
    right = left.twinx()
    for name in history[-1]:
        if name.startswith("mean IoU"):
            right.plot(epochs, [entry[name] for entry in history], label=name)
    right.set(ylabel="mean IoU", ylim=(0, 1))
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    _save(figure, path)


def confusion_matrix(matrix: ConfusionMatrix, names: Sequence[str], path: Path) -> None:
    """Plots true classes by row and predicted ones by column, in % of each row's pixels."""
    rows = matrix.counts.sum(axis=1, keepdims=True)
    shares = np.divide(
        100 * matrix.counts, rows, out=np.zeros(matrix.counts.shape), where=rows > 0
    )
    figure, axes = pyplot.subplots(figsize=(2 + 0.6 * len(names), 1.5 + 0.55 * len(names)))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="true", title="% of each true class")
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.5:
            colour = "white" if share > 50 else "black"
            axes.text(column, row, f"{share:.0f}", ha="center", va="center", color=colour)
    _save(figure, path, bbox_inches="tight")


def _save(figure: Figure, path: Path, bbox_inches: str | None = None) -> None:
    try:
        with whole_file(path) as file:
            figure.savefig(file, format="png", bbox_inches=bbox_inches)
    finally:
        pyplot.close(figure)
