# SPDX-License-Identifier: Apache-2.0
"""Chooses frames of many_towns, which have boxes and no labels.

They are video: of each thousand frames a hundred in a row are held back, to count boxes in, and
twelve on each side of these are in neither list.
"""

from collections.abc import Collection, Mapping, Sequence

from carla_unet_ros.training.labelling.boxes import Box

_THOUSAND, _FIRST, _LAST, _GAP = 1000, 600, 700, 12
_LEAST_AREA = 0.0008
"""Of the picture, that a box has which is worth a larger share of the training."""


def split_frames(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names in order -> (to label and train on, held back)."""
    places = [number % _THOUSAND for number in range(len(names))]
    near = range(_FIRST - _GAP, _LAST + _GAP)
    return (
        [name for name, place in zip(names, places, strict=True) if place not in near],
        [name for name, place in zip(names, places, strict=True) if _FIRST <= place < _LAST],
    )


def frames_with(boxes: Mapping[str, Sequence[Box]], kinds: Collection[str]) -> set[str]:
    """Names of the frames with a box of one of these kinds, of at least 0.08 % of the picture."""
    return {
        name
        for name, found in boxes.items()
        if any(box.what in kinds and box.width * box.height >= _LEAST_AREA for box in found)
    }
