# SPDX-License-Identifier: Apache-2.0
"""Splits a drive into frames for training and frames for validation."""

from collections.abc import Sequence

import numpy as np

from carla_unet_ros.errors import InputError


def split_in_blocks(
    times: Sequence[float], share: float, blocks: int, gap: float
) -> tuple[list[int], list[int]]:
    """Indices for training and for validation of frames taken at `times` (s, rising).

    A drive is video: a random split would put neighbours of every validation frame, which are
    nearly the same picture, into training. So validation is `blocks` runs of frames, evenly spread
    over the drive, together `share` (0..1) of it. Frames within `gap` seconds of a run are in
    neither.

    Raises ValueError if no frame is left for training or none for validation.
    """
    count = len(times)
    length = round(count * share / blocks)
    moments = np.asarray(times, float)
    validation = np.zeros(count, bool)
    near = np.zeros(count, bool)
    for block in range(blocks):
        first = round((block + 0.5) * count / blocks - length / 2)
        last = first + length - 1
        if length:
            validation[first : last + 1] = True
            near |= (moments >= moments[first] - gap) & (moments <= moments[last] + gap)
    if not validation.any() or near.all():
        raise InputError(
            f"{count} frames cannot be split into {blocks} blocks of validation with "
            f"{share:.0%} of the frames and {gap:g} s between them and training: take another "
            "share, fewer blocks or a smaller gap"
        )
    return np.flatnonzero(~near).tolist(), np.flatnonzero(validation).tolist()
