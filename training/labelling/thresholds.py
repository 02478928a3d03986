# SPDX-License-Identifier: Apache-2.0
"""Chooses for each class the confidence above which its labels are kept.

A single threshold keeps nearly all road pixels but a third of the people, and a net trained on
these labels forgets people. So each class keeps the same share of its pixels, the surest ones (Zou
et al. 2018, class-balanced self-training).
"""

from collections.abc import Iterable

import numpy as np

from carla_unet_ros.labels import IGNORE, Uint8
from carla_unet_ros.training.labelling.votes import Vote


def class_thresholds(
    votes: Iterable[Vote], classes: int, keep: float, least: float, enough: float
) -> Uint8:
    """The lowest confidence (0..255) that is kept, uint8 [classes].

    keep:   share of each class's pixels in these votes to keep
    least:  the lowest threshold, 0..1
    enough: the highest threshold, 0..1; also used for a class without votes
    """
    counts = np.zeros((classes, 256), np.int64)
    for labels, confidence in votes:
        pairs = labels.astype(np.int64) * 256 + confidence
        counts += np.bincount(pairs.ravel(), minlength=classes * 256).reshape(classes, 256)
    surer = counts[:, ::-1].cumsum(axis=1)[:, ::-1]  # pixels of at least this confidence
    total = surer[:, :1]
    # The highest confidence that a share `keep` of the class's pixels reaches.
    reached = (surer >= keep * total).sum(axis=1) - 1
    reached[total[:, 0] == 0] = 255
    return np.clip(reached, round(255 * least), round(255 * enough)).astype(np.uint8)


def keep_sure(vote: Vote, thresholds: Uint8) -> Uint8:
    """The vote's labels, IGNORE where its confidence is below its class's threshold."""
    return np.where(vote.confidence >= thresholds[vote.labels], vote.labels, np.uint8(IGNORE))
