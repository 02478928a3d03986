# SPDX-License-Identifier: Apache-2.0
"""The pinhole camera that CARLA simulates: no distortion, square pixels, centred principal point.

The stand-in camera draws with it and publishes it as camera_info, and the nodes compute places
from pixels with it, so all agree. Also what a size in pixels is, and how large it may be.
"""

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from carla_unet_ros.errors import InputError

LARGEST_SIDE = 8192
"""The most pixels of a side that are believed; anything larger is taken for an error."""

LARGEST_FRAME = 9_000_000
"""Pixels of the largest frame that is read unless another limit is set; 4K has 8.3 million."""


class Size(NamedTuple):
    """A size in pixels; written WIDTHxHEIGHT."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def parse_size(text: str) -> Size:
    """Parses WIDTHxHEIGHT. ValueError unless each side has 1 to LARGEST_SIDE pixels."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    size = Size(*map(int, match.groups())) if match else Size(0, 0)
    if not all(0 < side <= LARGEST_SIDE for side in size):
        raise InputError(f"{text!r} is no size; expected WIDTHxHEIGHT, such as 800x600")
    return size


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
        raise InputError(
            f"a camera of {width}x{height} pixels and {fov} degrees is not possible; expected at "
            "least 1x1 pixels and a field of view between 0 and 180 degrees"
        )
    focal = width / (2.0 * math.tan(math.radians(fov) / 2.0))
    return Intrinsics(width, height, focal, width / 2.0, height / 2.0)


_FOVS = np.arange(1, 18000) / 100
# CARLA 0.9.16 computes width / (2 tan(fov) pi / 360), with the tangent of degrees as if they were
# radians, and that in 32 bits (CarlaISCameraPublisher::InitInfoData).
_WRONG_FOCALS = 180 / (np.pi * np.tan(_FOVS.astype(np.float32)).astype(np.float64))
_RIGHT_FOCALS = 0.5 / np.tan(np.radians(_FOVS[9::10]) / 2)


@lru_cache(maxsize=8)
def find_fov_of_wrong_focal(focal: float) -> float | None:
    """The field of view in degrees for which CARLA 0.9.16 computes this wrong focal length.

    focal: in widths of the picture

    None where there is none among 0.01, 0.02, ... 179.99 degrees, or where the focal length is
    right for one of 0.1, 0.2, ... 179.9 degrees.
    """
    if np.isclose(_RIGHT_FOCALS, focal, rtol=1e-6, atol=0).any():
        return None
    found = np.flatnonzero(np.isclose(_WRONG_FOCALS, focal, rtol=1e-6, atol=0))
    # Of several that fit, the roundest.
    fovs = sorted(_FOVS[found].tolist(), key=lambda fov: (fov % 1 > 0, fov * 10 % 1 > 1e-6))
    return fovs[0] if fovs else None
