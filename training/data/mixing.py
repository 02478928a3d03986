# SPDX-License-Identifier: Apache-2.0
"""Mixes two frames into a new one, to add variety to a few hundred frames of one street.

A net that has seen a single drive memorises its walls, and is wrong on the next street.
Blending mixes the surfaces of two frames where both show the same class, so that the net learns
what the surfaces of a class have in common. Pasting puts classes of one frame into the other, so
that the net learns objects without the street around them.
"""

from collections.abc import Iterable

import cv2
import numpy as np
import torch

from carla_unet_ros.labels import IGNORE, Uint8
from carla_unet_ros.training.data.folders import Pair

_MOST = 0.7
"""The largest share of the other frame where both show the same class."""


def is_drawn(probability: float) -> bool:
    """True with this probability, 0..1, by torch's random numbers."""
    return bool(torch.rand(()) < probability)


def mix(pair: Pair, other: Pair) -> Pair:
    """`pair` mixed with `other`, mirrored or not: with its surfaces, or half of its classes."""
    other = mirror(resize(other, pair)) if is_drawn(0.5) else resize(other, pair)
    if is_drawn(0.5):
        return blend(pair, other, float(torch.rand(()) * _MOST))
    return paste(pair, other, draw_half_of_classes(other))


def blend(pair: Pair, other: Pair, share: float) -> Pair:
    """`pair` with `share` (0..1) of the colour of `other` wherever both show the same class.

    Mixup (Zhang et al. 2018) also mixes labels; here they do not change.
    """
    same = (pair.labels == other.labels) & (pair.labels != IGNORE)
    both = cv2.addWeighted(pair.frame, 1 - share, other.frame, share, 0)
    return Pair(np.where(same[..., None], both, pair.frame).astype(np.uint8), pair.labels)


def paste(pair: Pair, other: Pair, ids: tuple[int, ...]) -> Pair:
    """`pair` with the objects of these classes from `other`, at the places they have there.

    This is the copy-paste of Ghiasi et al. (2021), but without moving the objects: a camera on a
    car sees poles and pedestrians at similar places in all frames. With half of a frame's classes
    it is ClassMix (Olsson et al. 2021).
    """
    objects = mask_classes(other.labels, ids)
    frame, labels = pair.frame.copy(), pair.labels.copy()
    cv2.copyTo(other.frame, objects, frame)
    cv2.copyTo(other.labels, objects, labels)
    return Pair(frame, labels)


def mask_classes(labels: Uint8, ids: Iterable[int]) -> Uint8:
    """1 where labels, uint8 [H, W], are among these ids, 0 elsewhere."""
    table = np.zeros(256, np.uint8)
    table[list(ids)] = 1
    return np.asarray(cv2.LUT(labels, table), np.uint8)  # many times as fast as np.isin


def draw_half_of_classes(pair: Pair) -> tuple[int, ...]:
    """A random half, rounded down, of the ids that are in the frame."""
    ids = np.flatnonzero(np.bincount(pair.labels.ravel(), minlength=256)[:IGNORE])
    return tuple(int(ids[place]) for place in torch.randperm(len(ids))[: len(ids) // 2])


def mirror(pair: Pair) -> Pair:
    frame, labels = cv2.flip(pair.frame, 1), cv2.flip(pair.labels, 1)
    return Pair(np.asarray(frame, np.uint8), np.asarray(labels, np.uint8))


def resize(pair: Pair, like: Pair) -> Pair:
    """`pair` in the size of `like`."""
    height, width = like.labels.shape
    if pair.labels.shape == (height, width):
        return pair
    frame = cv2.resize(pair.frame, (width, height), interpolation=cv2.INTER_LINEAR)
    labels = cv2.resize(pair.labels, (width, height), interpolation=cv2.INTER_NEAREST)
    return Pair(np.asarray(frame, np.uint8), np.asarray(labels, np.uint8))
