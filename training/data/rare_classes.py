# SPDX-License-Identifier: Apache-2.0
"""Oversamples rare classes: pedestrians, poles and signs, each below 0.5 % of the pixels.

Class weights make such a pixel count for more once it is seen; here it is seen more often, by
crops that look for it (in `augmentation`) and by pasting it into other frames (in `mixing`).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class RareClasses:
    """ids: the classes; crops: how often a crop looks for them; paste: how often they are pasted.

    Both are probabilities, 0..1.
    """

    ids: tuple[int, ...]
    crops: float
    paste: float


NOTHING_RARE = RareClasses((), 0.0, 0.0)
