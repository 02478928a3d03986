# SPDX-License-Identifier: Apache-2.0
"""The pinhole camera that CARLA simulates: no distortion, square pixels, centred principal point.

The stand-in camera draws with it and publishes it as camera_info, and the nodes compute places
from pixels with it, so all agree.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

LARGEST_SIDE = 8192
"""The most pixels of a side that are believed; anything larger is taken for an error."""

LARGEST_FRAME = 9_000_000
"""Pixels of the largest frame that is read unless another limit is set; 4K has 8.3 million."""


FARTHEST_DEPTH = 1000.0
"""Metres that CARLA's depth cameras give for what is this far away or farther, such as the sky."""

BODY_OF_OPTICAL = ((0.0, 0.0, 1.0), (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0))
"""Rows of the matrix that turns optical axes (x right, y down, z ahead) into those of a body that
looks along x (x ahead, y left, z up; REP 103)."""


@dataclass(frozen=True)
class Calibration:
    """A pinhole camera without distortion; all values in pixels.

    cx and cy count from the corner of the image, as in CARLA (cx = width / 2). So the centre of
    pixel (u, v) lies at (u + 0.5, v + 0.5).
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float


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
