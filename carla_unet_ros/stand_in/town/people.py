# SPDX-License-Identifier: Apache-2.0
"""People who walk: sprites that always face the camera, one for each phase of a step."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from carla_unet_ros.labels import Uint8
from carla_unet_ros.stand_in.town.canvas import Sprite, Texture, make_blank
from carla_unet_ros.stand_in.town.light import Bgr
from carla_unet_ros.stand_in.town.tags import PEDESTRIAN

PHASES = 4
_ROWS, _COLUMNS = 256, 128


class _Looks(NamedTuple):
    """Colours of a person, and whether it wears a long coat or carries a bag."""

    skin: Bgr
    hair: Bgr
    coat: Bgr
    trousers: Bgr
    long_coat: bool
    bag: bool


def person(rng: np.random.Generator) -> list[Sprite]:
    """A person who walks: one sprite for each phase of a step."""
    trousers = rng.uniform(15, 190, 3)
    if rng.random() < 0.5:
        trousers = rng.uniform(30, 80) + rng.uniform(-15, 15, 3)
    looks = _Looks(
        skin=_bgr(np.array((110.0, 140.0, 190.0)) * rng.uniform(0.35, 1.05)),
        hair=_bgr(np.array((0.6, 0.8, 1.0)) * rng.uniform(10, 90)),
        coat=_bgr(rng.uniform(15, 190, 3)),
        trousers=_bgr(trousers),
        long_coat=bool(rng.random() < 0.3),
        bag=bool(rng.random() < 0.4),
    )
    tall = float(rng.uniform(1.55, 1.9))
    shading = np.linspace(1.15, 0.65, _COLUMNS)[None, :, None]
    shading = shading * rng.normal(1, 0.05, (_ROWS, _COLUMNS, 1))
    sprites = []
    for phase in range(PHASES):
        image = _figure(looks, float(np.sin(2 * np.pi * phase / PHASES)))
        image[..., :3] = np.clip(image[..., :3] * shading, 0, 255)
        sprites.append(Sprite(Texture(image), tall / 2, tall))
    return sprites


def _figure(looks: _Looks, swing: float) -> Uint8:
    """Draws legs, arms, body and head; `swing`, -1..1, is the position of the legs."""
    image = make_blank(_ROWS, _COLUMNS)
    for side, shade in ((-1, 0.7), (1, 1.0)):
        step = side * swing * 26
        leg = ((side * 5, 122), (side * 3 + step * 0.5, 66), (step, 8))
        _limb(image, leg, 19, _darker(looks.trousers, shade))
        _limb(image, ((step, 4), (step + 9, 4)), 11, (24.0, 24.0, 28.0))
    arm = ((-20, 196), (-22 - swing * 20, 150), (-20 - swing * 26, 118))
    _limb(image, arm, 13, looks.coat)
    hem = 84 if looks.long_coat else 116
    trunk = ((-20, 206), (20, 206), (19, 120), (24, hem), (-24, hem), (-19, 120))
    cv2.fillPoly(image, [_path(trunk)], (*looks.coat, PEDESTRIAN))
    arm = ((20, 196), (22 + swing * 20, 150), (20 + swing * 26, 118))
    _limb(image, arm, 13, _darker(looks.coat, 0.85))
    if looks.bag:
        _limb(image, ((22, 150), (26, 140), (24, 124)), 22, looks.hair)
    _limb(image, ((0, 204), (0, 220)), 12, looks.skin)
    cv2.ellipse(image, (64, 22), (13, 17), 0, 0, 360, (*looks.hair, PEDESTRIAN), -1)
    cv2.ellipse(image, (64, 26), (11, 13), 0, 0, 360, (*looks.skin, PEDESTRIAN), -1)
    return image


def _limb(image: Uint8, points: Sequence[tuple[float, float]], thick: int, colour: Bgr) -> None:
    cv2.polylines(image, [_path(points)], False, (*colour, PEDESTRIAN), thick)


def _path(points: Sequence[tuple[float, float]]) -> npt.NDArray[np.int32]:
    """Pixels of points that are given in the figure's own units (feet at 0, crown at 240)."""
    return np.array([(64 + x, 252 - y) for x, y in points], np.int32)


def _darker(colour: Bgr, factor: float) -> Bgr:
    blue, green, red = colour
    return blue * factor, green * factor, red * factor


def _bgr(values: npt.NDArray[np.float64]) -> Bgr:
    blue, green, red = values.tolist()
    return blue, green, red
