# SPDX-License-Identifier: Apache-2.0
"""IoU while driving, over the last pairs of labels and truth and over all of them.

Scores are those of the classes that the model tells apart. Truth tags and published ids are both
mapped to these classes. Tags that the model has no class for do not count.
"""

from collections.abc import Iterable

import cv2
import numpy as np

from carla_unet_ros.errors import InputError
from carla_unet_ros.evaluation.confusion_matrix import ConfusionMatrix
from carla_unet_ros.evaluation.sliding_matrix import SlidingMatrix
from carla_unet_ros.labels import IGNORE, LabelSet, Uint8, mapping
from carla_unet_ros.labels.legend import Legend


class LiveScores(SlidingMatrix):
    """Confusion matrices of the model's classes, by pairs of labels and truth."""

    def __init__(self, legend: Legend, tags: LabelSet, window: int) -> None:
        """window: number of pairs. ValueError where no truth tag is a class of the model."""
        super().__init__(len(legend.model_labels), window)
        self.classes = legend.model_labels
        self._truth_classes = mapping(tags, self.classes)
        self._label_classes = mapping(legend.labels, self.classes)
        self._published = legend.labels
        self._unknown = legend.unknown
        if (self._truth_classes == IGNORE).all():
            raise InputError(
                f"no tag of CARLA {tags.carla_tags} is a class of {self.classes.name}: "
                f"{', '.join(self.classes.names)}"
            )

    def add(self, truth: Uint8, labels: Uint8) -> float:
        """Counts one pair and returns its mean IoU.

        truth:  tags uint8 [H, W]
        labels: published ids uint8 [H, W]; pixels of the legend's unknown class do not count

        ValueError where the sizes differ, or where an id is not in the legend. The pair then does
        not count.
        """
        frame = ConfusionMatrix(len(self.classes))
        true_classes = self.truth_classes(truth)
        if self._unknown is not None and labels.shape == true_classes.shape:
            true_classes = np.where(labels == self._unknown.id, np.uint8(IGNORE), true_classes)
        frame.add(true_classes, self.label_classes(labels))
        self.count(frame)
        return frame.mean_iou()

    def find_classes(self, names: Iterable[str]) -> Uint8:
        """The model's classes of these published ones. ValueError for an unknown name."""
        return self._label_classes[self._published.ids(names)]

    def truth_classes(self, truth: Uint8) -> Uint8:
        """Tags -> the model's classes, IGNORE where it has none."""
        return np.asarray(cv2.LUT(truth, self._truth_classes), np.uint8)

    def label_classes(self, labels: Uint8) -> Uint8:
        """Published ids -> the model's classes."""
        return np.asarray(cv2.LUT(labels, self._label_classes), np.uint8)
