# SPDX-License-Identifier: Apache-2.0
"""Trees, bushes and hedges: sprites that always face the camera."""

import cv2
import numpy as np

from carla_unet_ros.labels import Uint8
from carla_unet_ros.stand_in.town.canvas import Sprite, Texture, make_blank
from carla_unet_ros.stand_in.town.tags import CLEAR, VEGETATION

TREES = ("cypress", "broadleaf", "conifer", "birch", "bush", "hedge")


def tree(rng: np.random.Generator, kind: str) -> Sprite:
    """A plant: a trunk, and tufts of leaves, dark ones behind and below, bright ones above."""
    sizes = {
        "cypress": (2.4, 9.0), "broadleaf": (6.0, 7.5), "conifer": (5.0, 11.0),
        "birch": (4.0, 8.0), "bush": (2.2, 1.3), "hedge": (5.0, 1.4),
    }  # fmt: skip
    wide, tall = (side * float(rng.uniform(0.8, 1.25)) for side in sizes[kind])
    rows = 320 if kind not in ("bush", "hedge") else 120
    columns = max(round(rows * wide / tall), 40)
    image = make_blank(rows, columns)
    base = np.array(
        {"cypress": (38, 74, 64), "conifer": (46, 66, 46), "birch": (44, 92, 88)}.get(
            kind, (36, 78, 62)
        ),
        np.float32,
    ) * rng.uniform(0.8, 1.25, 3)
    trunk = (40.0, 52.0, 64.0) if kind != "birch" else (150.0, 156.0, 158.0)
    if kind not in ("bush", "hedge"):
        half = max(round(columns * (0.03 if kind != "cypress" else 0.07)), 2)
        bottom = (columns // 2 - half, rows - 1), (columns // 2 + half, rows - 1)
        top = (columns // 2 + half // 2, rows // 3), (columns // 2 - half // 2, rows // 3)
        cv2.fillPoly(image, [np.array((*bottom, *top))], (*trunk, float(VEGETATION)))
    tufts = 260 if kind != "hedge" else 320
    heights = np.sort(rng.random(tufts))
    for height, across, noise in zip(
        heights, rng.uniform(-1, 1, tufts), rng.normal(1, 0.16, tufts), strict=True
    ):
        bare, half = _crown(kind, float(height))
        x = columns / 2 + across * half * columns / 2
        y = rows * (1 - bare - height * (0.97 - bare))
        bright = (0.55 + 0.5 * height + 0.22 * across * across) * noise
        colour = tuple(np.clip(base * bright, 0, 255).tolist())
        size = columns * {"cypress": 0.13, "conifer": 0.085, "hedge": 0.05}.get(kind, 0.085)
        axes = (max(round(size), 2), max(round(size * rng.uniform(0.5, 1.0)), 2))
        angle = float(rng.uniform(0, 180)) if kind != "conifer" else 25.0 * float(np.sign(across))
        cv2.ellipse(image, (round(x), round(y)), axes, angle, 0, 360,
                    (*colour, float(VEGETATION)), -1)  # fmt: skip
    _leaves(rng, image)
    return Sprite(Texture(image), wide, tall)


def _crown(kind: str, height: float) -> tuple[float, float]:
    """Where the leaves of a tree begin, and its half width at this height (0..1) of the crown."""
    if kind == "conifer":
        return 0.12, (1 - height) * (0.62 + 0.28 * (height * 7 % 1.0)) + 0.02
    if kind == "cypress":
        return 0.1, 0.75 * min(1.0, 2.2 * (1 - height), 0.5 + 2 * height)
    if kind in ("bush", "hedge"):
        return 0.05, 0.9 * (1 - 0.35 * height**3) if kind == "hedge" else (1 - height**2) * 0.9
    return 0.32, 0.88 * float(np.sqrt(max(1 - (2 * height - 0.9) ** 2, 0.02)))


def _leaves(rng: np.random.Generator, image: Uint8) -> None:
    """Adds light and dark specks to the leaves, and holes near their edge."""
    rows, columns = image.shape[:2]
    specks = cv2.resize(
        rng.normal(1, 0.3, (rows // 2, columns // 2)).astype(np.float32), (columns, rows),
        interpolation=cv2.INTER_NEAREST,
    )  # fmt: skip
    image[..., :3] = np.clip(image[..., :3] * specks[..., None], 0, 255)
    solid = (image[..., 3] != CLEAR).astype(np.uint8)
    inside = cv2.erode(solid, np.ones((9, 9), np.uint8))
    crown = np.arange(rows)[:, None] < rows * 0.85
    image[(solid == 1) & (inside == 0) & (specks < 0.95) & crown, 3] = CLEAR
