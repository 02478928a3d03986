# SPDX-License-Identifier: Apache-2.0
"""Averages what several models, each with several views, predict for a frame.

    frame uint8 [H, W, 3], B, G, R  ->  Vote(labels uint8 [H, W], confidence uint8 [H, W])

Each view votes for its class with its confidence. The class with the largest sum wins. The sum
divided by the number of views is the vote's confidence: two nets that agree at 0.8 give 0.8, two
that differ at 0.8 give 0.4. A model is any file of this package's contract.

The views of a frame are: the frame, its mirror image, and, if it is dark, a brightened form. Nets
that learned by day know the shapes of the night, but not its light.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import LabelSet, Uint8
from carla_unet_ros.segmenter import Segmenter

DARK = 45
"""Mean of a frame's bytes below which it counts as dark."""

_DAY = 90
"""Mean that a dark frame is brightened to."""


class Vote(NamedTuple):
    """The winning ids, and 255 x the mean confidence of all views in them; uint8 [H, W]."""

    labels: Uint8
    confidence: Uint8


class Voters:
    """Models that vote. ValueError if their label sets differ.

    mirrored:   whether each also sees the mirror image
    brightened: whether each also sees a brightened form of dark frames
    """

    def __init__(
        self, models: Sequence[Segmenter], mirrored: bool = True, brightened: bool = True
    ) -> None:
        self._models = list(models)
        self._mirrored = mirrored
        self._brightened = brightened
        self.labels: LabelSet = self._models[0].model.label_set
        for segmenter in self._models[1:]:
            if segmenter.model.label_set.to_json() != self.labels.to_json():
                raise InputError(
                    f"{segmenter.model.name} has the labels {segmenter.model.label_set.name!r}, "
                    f"{self._models[0].model.name} {self.labels.name!r}: only models of one label "
                    "set can vote"
                )

    def vote(self, frame: Uint8) -> Vote:
        looks = [
            (segmentation.labels, segmentation.confidence)
            for segmenter in self._models
            for segmentation in self._looks(segmenter, frame)
        ]
        return sum_of_looks(looks, len(self.labels))

    def _looks(self, segmenter: Segmenter, frame: Uint8) -> Iterator[Vote]:
        forms = [frame]
        if self._brightened and frame.mean() < DARK:
            forms.append(brightened(frame))
        for form in forms:
            yield Vote(*segmenter.segment(_camera(form)))
            if self._mirrored:
                seen = segmenter.segment(_camera(form[:, ::-1]))
                yield Vote(seen.labels[:, ::-1], seen.confidence[:, ::-1])


def sum_of_looks(looks: Sequence[tuple[Uint8, Uint8]], classes: int) -> Vote:
    """(labels, confidence) of each view, uint8 [H, W] -> the vote. Lower ids win ties."""
    total = np.zeros((classes, *looks[0][0].shape), np.uint16)
    for labels, confidence in looks:
        for number in np.unique(labels):
            total[number] += np.where(labels == number, confidence, 0).astype(np.uint16)
    winner = total.argmax(axis=0)
    sums: npt.NDArray[np.uint16] = np.take_along_axis(total, winner[None], axis=0)[0]
    return Vote(winner.astype(np.uint8), (sums // len(looks)).astype(np.uint8))


def brightened(frame: Uint8) -> Uint8:
    """Brightens a dark frame by a gamma curve that brings its mean to 90 of 255."""
    mean = max(float(frame.mean()), 2.0) / 255
    gamma = max(0.3, min(1.0, np.log(_DAY / 255) / np.log(mean)))
    curve = (255 * (np.arange(256) / 255) ** gamma).round().astype(np.uint8)
    return np.asarray(cv2.LUT(frame, curve), np.uint8)


def _camera(frame: Uint8) -> Uint8:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_BGR2BGRA), np.uint8)
