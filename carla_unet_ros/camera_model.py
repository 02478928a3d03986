# SPDX-License-Identifier: Apache-2.0
"""The pinhole camera that CARLA simulates: no distortion, square pixels, centred principal point.

Shared by the stand-in's painting and by the camera_info it publishes, so both always agree. Also
what a size in pixels is, and how large it may be.
"""

import math
import re
from typing import NamedTuple

LARGEST_SIDE = 8192
"""No camera has more pixels than this a side; what says so is taken for broken."""

LARGEST_FRAME = 9_000_000
"""Pixels of the largest frame that is read unless another limit is set; 4K has 8.3 million."""


class Size(NamedTuple):
    """A size in pixels; written WIDTHxHEIGHT."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def parse_size(text: str) -> Size:
    """ValueError for what is no size of 1x1 to LARGEST_SIDE a side."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    size = Size(*map(int, match.groups())) if match else Size(0, 0)
    if not all(0 < side <= LARGEST_SIDE for side in size):
        raise ValueError(f"{text!r} is no size; expected WIDTHxHEIGHT, such as 800x600")
    return size


class Intrinsics(NamedTuple):
    """Image size in pixels; focal length and principal point in pixels (fx = fy = focal)."""

    width: int
    height: int
    focal: float
    cx: float
    cy: float


def intrinsics(width: int, height: int, fov: float) -> Intrinsics:
    """The intrinsics CARLA's bridge computes: focal = width / (2 tan(fov / 2)), centre = size / 2.

    `fov` is the horizontal field of view in degrees, above 0 and below 180. Raises ValueError for
    a size below one pixel or a field of view outside that range.
    """
    if width < 1 or height < 1 or not 0.0 < fov < 180.0:
        raise ValueError(
            f"a camera of {width}x{height} pixels and {fov} degrees is not possible; expected at "
            "least 1x1 pixels and a field of view between 0 and 180 degrees"
        )
    focal = width / (2.0 * math.tan(math.radians(fov) / 2.0))
    return Intrinsics(width, height, focal, width / 2.0, height / 2.0)
