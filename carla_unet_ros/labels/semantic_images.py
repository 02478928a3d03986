# SPDX-License-Identifier: Apache-2.0
"""How the image of a semantic camera, or a mask file, holds its tags.

CARLA's bridge paints palette colours. CARLA's own ROS 2 interface puts the raw tag into the red
channel and leaves green and blue at 0; its instance camera puts the instance's number there. Other
tools write the raw tag alone, or the same in all three channels (grey).
"""

import numpy as np

from carla_unet_ros.labels.carla_tags import TAG_TABLES
from carla_unet_ros.labels.label_sets import IGNORE, Uint8

MOST_TAGS = max(map(len, TAG_TABLES.values()))
"""Tags of the largest table: a greater value is no tag of any CARLA version."""


def raw_tags(image: Uint8, count: int = MOST_TAGS) -> Uint8 | None:
    """Raw tags uint8 [H, W] where the image holds them, None where it holds colours.

    image: uint8 [H, W], or [H, W, 3 or 4] in B, G, R(, A)
    count: how many tags there are; IGNORE is allowed beside them

    Black is tag 0 either way. No palette has other colours without green and blue but pure red,
    for riders, and none has greys as dark as the largest tag.
    """
    if image.ndim == 2:
        return image
    blue, green, red = image[..., 0], image[..., 1], image[..., 2]
    if not image[..., :2].any():
        return red if red.max() < 254 else None
    if _are_tags(red, count) and (blue == red).all() and (green == red).all():
        return red
    return None


def instance_tags(image: Uint8, count: int = MOST_TAGS) -> Uint8 | None:
    """Tags uint8 [H, W] of an image of CARLA's instance camera, None where it is none.

    Green and blue are the instance's number there, so only ask where the colours are no palette's.
    """
    if image.ndim == 2 or not _are_tags(image[..., 2], count):
        return None
    return image[..., 2]


def tags_in_red(image: Uint8) -> Uint8:
    """uint8 [H, W, 3 or 4]; raw tags stand in the red channel, as CARLA itself sends them."""
    tags = raw_tags(image)
    if tags is None or (image.ndim == 3 and not image[..., :2].any()):
        return image
    moved = np.zeros((*tags.shape, 4), np.uint8)
    moved[..., 2], moved[..., 3] = tags, 255
    return moved


def _are_tags(values: Uint8, count: int) -> bool:
    """Returns whether all ids are below `count`, or IGNORE."""
    most = int(values.max())
    if most == IGNORE:
        most = int(values[values != IGNORE].max(initial=0))
    return most < count
