# SPDX-License-Identifier: Apache-2.0
"""The grain of the ground, its light and dark: asphalt, patches, cracks, paving joints, grass."""

import itertools

import cv2
import numpy as np

from carla_unet_ros.labels import Uint8
from carla_unet_ros.stand_in.town.light import Floats
from carla_unet_ros.stand_in.town.street import Street

ACROSS, ALONG = 48.0, 48.0
"""Metres of ground that the grain covers before it repeats."""


def find_bands(depths: Floats, focal: float) -> list[tuple[int, int]]:
    """The rows [first, last) for each level of grain; distant rows get coarse levels."""
    metres_a_pixel = depths / focal * 3
    limits = [0.0, 0.05, 0.16, 1e9]
    rows = []
    for fine, coarse in itertools.pairwise(limits):
        inside = np.nonzero((metres_a_pixel > fine) & (metres_a_pixel <= coarse))[0]
        rows.append((int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, 0))
    return rows


def make_grain(rng: np.random.Generator, street: Street) -> list[Uint8]:
    """The levels of grain, the finest first, each of ACROSS x ALONG metres; 128 is neutral."""
    size = 1536
    scale = size / ACROSS
    lateral = (np.arange(size, dtype=np.float32) + 0.5) / scale - ACROSS / 2
    half = street.half_width
    road = np.abs(lateral) < half
    walk = ((lateral >= half) & (lateral < half + street.right)) | (
        (lateral <= -half) & (lateral > -half - street.left)
    )
    strength = np.where(road, 0.05, np.where(walk, 0.045, 0.13)).astype(np.float32)
    shade = np.ones((size, size), np.float32)
    for cells, weight in ((size, 0.9), (size // 3, 0.7), (96, 0.8), (16, 0.7)):
        noise = rng.normal(0, 1, (cells, cells)).astype(np.float32)
        noise[-1] = noise[0]
        noise = cv2.resize(noise, (size, size), interpolation=cv2.INTER_LINEAR)
        shade += noise * strength * weight
    tracks = sum(np.exp(-(((np.abs(lateral) - x) / 0.35) ** 2)) for x in (half * 0.28, half * 0.7))
    shade -= np.where(road, 0.09 * tracks, 0.0).astype(np.float32)
    joints = np.arange(size) % round(1.6 * scale) < 2
    shade[np.ix_(joints, walk)] *= 0.8
    for _ in range(26):
        _crack_or_patch(rng, shade, scale, half)
    levels = [np.clip(shade * 128, 0, 255).astype(np.uint8)]
    for factor in (4, 16):
        coarse = cv2.resize(levels[0], (size // factor,) * 2, interpolation=cv2.INTER_AREA)
        levels.append(np.asarray(coarse, np.uint8))
    return levels


def _crack_or_patch(rng: np.random.Generator, shade: Floats, scale: float, half: float) -> None:
    """Draws a mended rectangle, a crack or a manhole cover somewhere on the road."""
    size = shade.shape[0]
    middle = size // 2 + int(rng.uniform(-half, half) * scale), int(rng.integers(size))
    kind = rng.random()
    if kind < 0.3:
        reach = int(rng.uniform(0.5, 1.4) * scale), int(rng.uniform(0.6, 3) * scale)
        top, left = max(middle[1] - reach[1], 0), max(middle[0] - reach[0], 0)
        shade[top : middle[1] + reach[1], left : middle[0] + reach[0]] *= rng.uniform(0.82, 1.1)
    elif kind < 0.4:
        cv2.circle(shade, middle, int(0.34 * scale), 0.6, -1)
    else:
        steps = np.cumsum(rng.normal(0, 1, (8, 2)) * scale * (0.15, 0.6), axis=0) + middle
        cv2.polylines(shade, [steps.astype(np.int32)], False, 0.72, 1)
