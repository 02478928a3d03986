# SPDX-License-Identifier: Apache-2.0
"""Sky and clouds, and around them the horizon: hills, woods or a skyline."""

import math

import cv2
import numpy as np

from carla_unet_ros.camera_model import Intrinsics
from carla_unet_ros.labels import Uint8
from carla_unet_ros.stand_in.town.light import Floats, Light
from carla_unet_ros.stand_in.town.tags import BUILDING, NONE, VEGETATION


class Sky:
    """A ring with everything above the horizon. A frame shows the part ahead."""

    def __init__(self, camera: Intrinsics, light: Light, skyline: str,
                 rng: np.random.Generator) -> None:  # fmt: skip
        """skyline: "woods", "hills" or "houses"."""
        self._rows = round(camera.cy)
        self._width = max(round(2 * math.pi * camera.focal), 64)
        columns = np.arange(camera.width) + 0.5 - camera.cx
        self._angles = np.arctan(columns / camera.focal)
        ring = np.zeros((max(self._rows, 1), self._width, 4), np.uint8)
        ring[..., :3] = _clouds(ring.shape[:2], camera, light, rng)
        ring[..., 3] = NONE
        _far_away(ring, light, skyline, rng, camera.focal)
        self._ring = ring.view(np.uint32)[..., 0]

    def paint(self, pixels: Uint8, heading: float) -> None:
        """Fills the rows above the horizon."""
        if not self._rows:
            return
        turns = (self._angles + heading) / (2 * math.pi)
        columns = (turns * self._width).astype(np.int64) % self._width
        target = pixels[: self._rows].view(np.uint32)[..., 0]
        np.take(self._ring, columns, axis=1, out=target, mode="clip")


def _clouds(shape: tuple[int, int], camera: Intrinsics, light: Light,
            rng: np.random.Generator) -> Floats:  # fmt: skip
    rows, columns = shape
    height = ((rows - np.arange(rows, dtype=np.float32)) / camera.focal)[:, None, None]
    blend = 1 - np.exp(-2.6 * height)
    horizon = np.asarray(light.horizon, np.float32)
    zenith = np.asarray(light.zenith, np.float32)
    sky = (horizon + (zenith - horizon) * blend) * np.ones((1, columns, 1), np.float32)
    cover = np.zeros((rows, columns), np.float32)
    for cells, weight in ((5, 1.0), (11, 0.55), (28, 0.3), (70, 0.16)):
        noise = rng.normal(0, 1, (max(cells // 2, 2), cells * 3)).astype(np.float32)
        cover += weight * _ring_of(noise, rows, columns)
    density = np.clip((cover + light.clouds * 1.6 - 0.9) * 0.7, 0, 1)[..., None]
    density = density * min(0.35 + light.clouds * 0.5, 0.85)
    tone = np.clip(0.92 + 0.1 * cover, 0.6, 1.12)[..., None]
    cloud = np.minimum((horizon * 0.6 + 100) * tone, 255)
    sky += (cloud - sky) * density
    sun_row = rows - math.tan(light.elevation) * camera.focal
    sun_column = (light.azimuth / (2 * math.pi) % 1.0) * columns
    away = np.abs(np.arange(columns, dtype=np.float32) - sun_column)
    away = np.minimum(away, columns - away)[None, :]
    distance = np.hypot(away, np.arange(rows, dtype=np.float32)[:, None] - sun_row) / camera.focal
    glow = np.exp(-((distance / 0.35) ** 2)) * 0.5 + np.exp(-((distance / 0.08) ** 2)) * 0.6
    glow *= 1 - 0.8 * min(light.clouds, 1.0) * (light.clouds >= 0.9)
    sky += (255 - sky) * np.minimum(glow, 1.0)[..., None]
    return np.clip(sky, 0, 255)


def _ring_of(noise: Floats, rows: int, columns: int) -> Floats:
    """Noise of this size, without a seam between its right and its left edge."""
    cells = noise.shape[1]
    around = np.concatenate((noise[:, -2:], noise, noise[:, :2]), axis=1)
    margin = -(-2 * columns // cells)
    size = columns + 2 * margin, rows
    ring = cv2.resize(around, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(ring[:, margin : margin + columns], np.float32)


def _far_away(ring: Uint8, light: Light, skyline: str, rng: np.random.Generator,
              focal: float) -> None:  # fmt: skip
    rows, columns = ring.shape[:2]
    places = np.linspace(0, 2 * np.pi, columns)
    horizon = np.asarray(light.horizon)

    def waves(count: int, low: int, high: int) -> Floats:
        frequencies = rng.integers(low, high, count)
        phases = rng.uniform(0, 2 * np.pi, count)
        angles = frequencies[:, None] * places + phases[:, None]
        return np.asarray(np.sin(angles).mean(axis=0))

    def raise_to(heights: Floats, colour: Floats, label: int) -> None:
        below = np.arange(rows)[:, None] >= rows - heights[None, :] * focal
        ring[below] = (*np.clip(colour, 0, 255), label)

    if skyline == "hills":
        heights = 0.05 + 0.05 * waves(5, 2, 9)
        raise_to(heights, horizon * 0.7 + np.array((70, 84, 70)) * 0.3, NONE)
    if skyline == "houses":
        steps = np.repeat(rng.uniform(0.02, 0.13, 120), -(-columns // 120))[:columns]
        raise_to(steps, horizon * 0.62 + np.array((96, 92, 92)) * 0.3, BUILDING)
    for share in (0.6, 0.42):
        crowns = np.repeat(rng.uniform(0, 0.02, 700), -(-columns // 700))[:columns]
        heights = 0.022 + 0.012 * waves(4, 5, 23) + crowns * (share + 0.2)
        if skyline == "houses":
            heights = heights * (waves(3, 4, 12) > -0.1)
        green = np.array((44, 74, 62)) * np.asarray(light.ambient) * 1.5
        raise_to(heights, horizon * share + green * (1 - share), VEGETATION)
