# SPDX-License-Identifier: Apache-2.0
"""The confusion matrix and its scores: IoU per class, mean IoU, pixel accuracy, F-beta.

Counts are summed over all frames and divided once at the end, as in Cityscapes and PASCAL VOC. So
a class that fills three pixels of one frame counts as three pixels and not as a whole frame.
"""

import numpy as np
import numpy.typing as npt

from carla_unet_ros.labels import IGNORE, Uint8


class ConfusionMatrix:
    """Pixel counts int64 [classes, classes]: row = true class, column = predicted class."""

    def __init__(self, classes: int) -> None:
        self.counts: npt.NDArray[np.int64] = np.zeros((classes, classes), np.int64)

    @property
    def classes(self) -> int:
        return len(self.counts)

    def add(self, truth: Uint8, prediction: Uint8) -> None:
        """Counts the pixels of two label images of one shape, but none with truth IGNORE.

        ValueError where the shapes differ, or where an id is no class.
        """
        if truth.shape != prediction.shape:
            raise ValueError(f"truth is {truth.shape}, prediction is {prediction.shape}")
        classes = self.classes
        # One 16-bit number per pair of ids; a truth of 255 falls outside the matrix.
        pairs = truth.ravel().astype(np.uint16) << 8 | prediction.ravel()
        counts = np.bincount(pairs, minlength=1 << 16).reshape(256, 256)
        known = counts[:classes, :classes]
        if known.sum() != truth.size - counts[IGNORE].sum():
            found = np.union1d(np.unique(truth[truth != IGNORE]), np.unique(prediction))
            raise ValueError(
                f"ids {found[found >= classes].tolist()} are no class of the {classes} expected"
            )
        self.counts += known

    def __iadd__(self, other: "ConfusionMatrix") -> "ConfusionMatrix":
        self.counts += other.counts
        return self

    def iou(self) -> npt.NDArray[np.float64]:
        """Intersection over union per class, TP / (TP + FP + FN); NaN for a class never seen.

        "Never seen" means neither in the truth nor in the prediction.
        """
        hits = np.diag(self.counts)
        union = self.counts.sum(axis=0) + self.counts.sum(axis=1) - hits
        return _ratio(hits, union)

    def mean_iou(self) -> float:
        """Mean IoU over the classes that occur in the truth; NaN before any pixel was counted.

        A class that is absent from the truth does not count, predicted or not: its false
        positives already lower the IoU of the classes that they were taken from.
        """
        present = self.counts.sum(axis=1) > 0
        return float(self.iou()[present].mean()) if present.any() else float("nan")

    def pixel_accuracy(self) -> float:
        """Share of the labelled pixels with the right class; NaN before any pixel was counted."""
        total = self.counts.sum()
        return float(np.trace(self.counts) / total) if total else float("nan")

    def f_score(self, beta: float = 1.0) -> npt.NDArray[np.float64]:
        """F-beta per class, (1 + b^2) TP / ((1 + b^2) TP + b^2 FN + FP); NaN if never seen."""
        hits = np.diag(self.counts)
        missed = self.counts.sum(axis=1) - hits
        false = self.counts.sum(axis=0) - hits
        weighted = (1 + beta**2) * hits
        return _ratio(weighted, weighted + beta**2 * missed + false)


def _ratio(part: npt.NDArray, whole: npt.NDArray) -> npt.NDArray[np.float64]:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
