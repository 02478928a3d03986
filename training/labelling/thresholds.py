# SPDX-License-Identifier: Apache-2.0
"""Chooses for each class the confidence above which its labels are kept.

One threshold for all keeps nearly every road pixel and a third of the people, so that a net
trained on what is kept forgets people. Here each class keeps the same share of its pixels, the
surest ones (Zou et al. 2018, class-balanced self-training).
"""

from collections.abc import Iterable

import numpy as np

from carla_unet_ros.labels import IGNORE, Uint8
from carla_unet_ros.training.labelling.votes import Vote


def class_thresholds(
    votes: Iterable[Vote], classes: int, keep: float, least: float, enough: float
) -> Uint8:
    """The lowest confidence (0..255) that is kept, uint8 [classes].

    keep:   share of each class's pixels in these votes that reaches it
    least:  no threshold is lower, 0..1
    enough: none is higher, 0..1; also that of a class that nobody voted for
    """
    counts = np.zeros((classes, 256), np.int64)
    for labels, confidence in votes:
        pairs = labels.astype(np.int64) * 256 + confidence
        counts += np.bincount(pairs.ravel(), minlength=classes * 256).reshape(classes, 256)
    surer = counts[:, ::-1].cumsum(axis=1)[:, ::-1]  # pixels at least so sure
    total = surer[:, :1]
    # The highest confidence that still `keep` of the class's pixels reach.
    reached = (surer >= keep * total).sum(axis=1) - 1
    reached[total[:, 0] == 0] = 255
    return np.clip(reached, round(255 * least), round(255 * enough)).astype(np.uint8)


def keep_sure(vote: Vote, thresholds: Uint8) -> Uint8:
    """The vote's labels, IGNORE where its confidence is below its class's threshold."""
    return np.where(vote.confidence >= thresholds[vote.labels], vote.labels, np.uint8(IGNORE))
