"""More of what is rare: pedestrians, poles and signs, each below half a percent of the pixels.

Class weights make such a pixel count for more once it is seen; here it is seen more often, by
crops that look for it (in `augmentation`) and by pasting it into other frames.
"""

from dataclasses import dataclass

import numpy as np
import torch

from carla_unet_ros.training.datasets import Pair


@dataclass(frozen=True)
class RareClasses:
    """ids: the classes; crops: how often a crop looks for them; paste: how often they are pasted.

    Both are probabilities, 0..1.
    """

    ids: tuple[int, ...]
    crops: float
    paste: float


NOTHING_RARE = RareClasses((), 0.0, 0.0)


def happens(probability: float) -> bool:
    """Throws torch's dice."""
    return bool(torch.rand(()) < probability)


def pasted(pair: Pair, other: Pair, ids: tuple[int, ...]) -> Pair:
    """`pair` with the objects of these classes from `other`, at the places they have there.

    Copy-paste of Ghiasi et al. (2021), but in place: one camera on one car sees poles and
    pedestrians where they may well be in another frame, too. Now and then it is all mirrored.
    Frames of different sizes stay as they are.
    """
    if pair.labels.shape != other.labels.shape:
        return pair
    mirrored = slice(None, None, -1 if happens(0.5) else None)
    other = Pair(other.frame[:, mirrored], other.labels[:, mirrored])
    objects = np.isin(other.labels, ids)
    frame, labels = pair.frame.copy(), pair.labels.copy()
    frame[objects] = other.frame[objects]
    labels[objects] = other.labels[objects]
    return Pair(frame, labels)
