# SPDX-License-Identifier: Apache-2.0
"""Oversamples rare classes: pedestrians, poles and signs, each below 0.5 % of the pixels.

Class weights give such pixels more weight. Oversampling shows them more often: by crops that
search for them (in `augmentation`), and by pasting them into other frames (in `mixing`).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class RareClasses:
    """The rare classes, and how often they are shown.

    ids:   the classes
    crops: probability that a crop searches for them, 0..1
    paste: probability that they are pasted into a frame, 0..1
    """

    ids: tuple[int, ...]
    crops: float
    paste: float


NOTHING_RARE = RareClasses((), 0.0, 0.0)
