# SPDX-License-Identifier: Apache-2.0
"""Decodes a mask file to raw tags, in any of the usual formats.

The formats are: raw tags in one channel, in red, or in all three; palette colours; indices of a
palette file whose colours are of no CARLA version; CARLA's instance masks, with the tag in red.
"""

from pathlib import Path

import cv2
import numpy as np

from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import IGNORE, UNKNOWN_TAG, LabelSet, Uint8
from carla_unet_ros.labels.semantic_images import instance_tags, raw_tags
from carla_unet_ros.pictures import palette_indices, read_mask, shown


class MaskError(InputError):
    """A mask that cannot be used; the text names the file and says what is wrong with it."""


def read_tags(path: Path, label_set: LabelSet) -> Uint8:
    """Raw tags uint8 [H, W] of a mask file: ids of `label_set`, or IGNORE.

    Raises MaskError or PictureError if the file is unreadable, lossy or of more than 8 bits, or if
    a pixel is no class of the label set.
    """
    mask = read_mask(path)
    if mask.dtype != np.uint8:
        raise MaskError(f"{shown(path)} holds {mask.dtype}; expected 8 bits per channel")
    tags = raw_tags(mask, len(label_set))
    if tags is None:
        tags = _tags_of_colours(path, mask, label_set)
    _check_known(path, tags, label_set)
    return np.ascontiguousarray(tags)


def _tags_of_colours(path: Path, mask: Uint8, label_set: LabelSet) -> Uint8:
    tags = label_set.ids_of_colours(mask)
    unknown = tags == UNKNOWN_TAG
    if not unknown.any():
        return tags
    # In a file with a palette of its own, the index is the tag.
    other = palette_indices(path.read_bytes())
    if other is None:
        other = instance_tags(mask, len(label_set))
    if other is None:
        colour = mask[unknown][0, 2::-1].tolist()
        raise MaskError(
            f"{shown(path)}: colour {colour} (R, G, B) is no class of {label_set.name}; "
            "name the right CARLA version with --tags"
        )
    return other


def _check_known(path: Path, tags: Uint8, label_set: LabelSet) -> None:
    known = np.zeros(256, np.uint8)
    known[: len(label_set)] = known[IGNORE] = 1
    is_known = cv2.LUT(tags, known)
    if not np.all(is_known):
        raise MaskError(
            f"{shown(path)}: tag {tags[is_known == 0][0]} is unknown to {label_set.name}, which "
            f"has 0..{len(label_set) - 1}; name the right CARLA version with --tags"
        )
