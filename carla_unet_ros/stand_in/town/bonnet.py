# SPDX-License-Identifier: Apache-2.0
"""The bonnet of the car itself, at the lower edge of the picture, as some cameras see it."""

import cv2
import numpy as np

from carla_unet_ros.camera_model import Intrinsics
from carla_unet_ros.stand_in.town.canvas import Canvas
from carla_unet_ros.stand_in.town.tags import VEHICLE

_HEIGHT = 0.95  # metres above the ground, for its depth


class Bonnet:
    """A dark, curved bonnet with a band of mirrored light; the same in every frame.

    rows: rows of the picture that show some of it
    """

    def __init__(self, camera: Intrinsics, rng: np.random.Generator) -> None:
        wide, high = camera.width, camera.height
        across = np.linspace(-1, 1, wide)
        share = float(rng.uniform(0.84, 0.9))
        edge = high * (share + 0.04 * across**2 + 0.05 * np.maximum(np.abs(across) - 0.85, 0) * 4)
        outline = np.stack((np.arange(wide), edge), axis=1)
        outline = np.concatenate((outline, ((wide - 1, high), (0, high)))).astype(np.int32)
        self._top = max(int(edge.min()) - 1, 0)
        self.rows = high - self._top
        self._mask = np.zeros((high - self._top, wide), np.uint8)
        cv2.fillPoly(self._mask, [outline - (0, self._top)], 255)
        below = np.clip((np.arange(self._top, high)[:, None] - edge) / (high * 0.12), 0, 1)
        gleam = np.exp(-((below - 0.25) ** 2) / 0.02) * 26 + 14 * (1 - below)
        gleam += cv2.resize(rng.normal(0, 3, (6, 24)), (wide, high - self._top))
        self._pixels = np.full((high - self._top, wide, 4), VEHICLE, np.uint8)
        self._pixels[..., :3] = np.clip(gleam[..., None] + (9, 8, 7), 0, 255)

    def paint(self, canvas: Canvas) -> None:
        cv2.copyTo(self._pixels, self._mask, canvas.pixels[self._top :])
        if canvas.depth:
            canvas.depth.fill_level(self._mask, self._top, _HEIGHT)
