# SPDX-License-Identifier: Apache-2.0
"""Faces of traffic signs and heads of traffic lights: sprites that face the camera."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from carla_unet_ros.labels import Uint8
from carla_unet_ros.stand_in.town.canvas import Sprite, Texture, make_blank
from carla_unet_ros.stand_in.town.light import Bgr
from carla_unet_ros.stand_in.town.tags import SIGN

_WHITE: Bgr = (215.0, 218.0, 220.0)
_BLACK: Bgr = (24.0, 24.0, 24.0)
_RED: Bgr = (36.0, 30.0, 178.0)
_YELLOW: Bgr = (30.0, 170.0, 214.0)
_BLUE: Bgr = (150.0, 84.0, 26.0)
_GREEN: Bgr = (64.0, 100.0, 20.0)

# Lamps of a traffic light from above: colour when off, colour when lit.
_LAMPS: tuple[tuple[Bgr, Bgr], ...] = (
    ((20, 18, 62), (60, 50, 255)),
    ((14, 52, 64), (60, 200, 255)),
    ((26, 52, 20), (170, 255, 90)),
)


def sign(rng: np.random.Generator, kind: str) -> Sprite:
    """The face of a traffic sign, one of SIGN_KINDS."""
    image = make_blank(96, 96)
    number = str(int(rng.choice((20, 30, 40, 50, 60, 80, 90))))
    _FACES[kind](image, number)
    size = float(rng.uniform(0.65, 0.95)) * (1.8 if kind == "guide" else 1.0)
    return Sprite(Texture(image), size, size)


def signal(lit: int) -> Sprite:
    """The head of a traffic light with lamp 0 (red), 1 (amber) or 2 (green) lit."""
    image = make_blank(144, 56)
    cv2.rectangle(image, (0, 0), (55, 143), (30, 32, 34, SIGN), -1)
    cv2.rectangle(image, (3, 3), (52, 140), (44, 46, 46, SIGN), -1)
    for lamp, (off, on) in enumerate(_LAMPS):
        colour = on if lamp == lit else off
        cv2.circle(image, (28, 26 + 46 * lamp), 18, (*colour, SIGN), -1)
    return Sprite(Texture(image), 0.42, 1.08)


def _stop(image: Uint8, _: str) -> None:
    angles = np.deg2rad(np.arange(8) * 45 + 22.5)
    for radius, colour in ((46, _WHITE), (42, _RED)):
        corners = 48 + radius * np.stack((np.cos(angles), np.sin(angles)), axis=1)
        _fill(image, corners.round().astype(int).tolist(), colour)
    _text(image, "STOP", 57, 0.85, _WHITE)


def _limit(image: Uint8, number: str) -> None:
    _fill(image, ((14, 1), (82, 1), (82, 95), (14, 95)), _BLACK)
    _fill(image, ((17, 4), (79, 4), (79, 92), (17, 92)), _WHITE)
    _text(image, "SPEED", 26, 0.55, _BLACK)
    _text(image, "LIMIT", 46, 0.55, _BLACK)
    _text(image, number, 84, 1.15, _BLACK)


def _ring(image: Uint8, number: str) -> None:
    for radius, colour in ((46, _RED), (35, _WHITE)):
        cv2.circle(image, (48, 48), radius, (*colour, SIGN), -1)
    _text(image, number, 62, 1.2, _BLACK)


def _yield(image: Uint8, _: str) -> None:
    _fill(image, ((2, 6), (94, 6), (48, 92)), _RED)
    _fill(image, ((20, 17), (76, 17), (48, 70)), _WHITE)


def _diamond(image: Uint8, _: str) -> None:
    _fill(image, ((48, 1), (95, 48), (48, 95), (1, 48)), _BLACK)
    _fill(image, ((48, 5), (91, 48), (48, 91), (5, 48)), _YELLOW)
    _fill(image, ((44, 26), (52, 26), (52, 72), (44, 72)), _BLACK)


def _blue(image: Uint8, _: str) -> None:
    _fill(image, ((4, 4), (92, 4), (92, 92), (4, 92)), _BLUE)
    _fill(image, ((48, 18), (78, 76), (18, 76)), _WHITE)


def _guide(image: Uint8, number: str) -> None:
    _fill(image, ((1, 22), (95, 22), (95, 74), (1, 74)), _GREEN)
    for row in (36, 52):
        end = 30 + int(number) // 2
        _fill(image, ((12, row), (end, row), (end, row + 8), (12, row + 8)), _WHITE)


def _fill(image: Uint8, points: Sequence[Sequence[int]], colour: Bgr) -> None:
    cv2.fillPoly(image, [np.array(points, np.int32)], (*colour, SIGN))


def _text(image: Uint8, words: str, y: int, size: float, colour: Bgr) -> None:
    (wide, _), _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, size, 4)
    place = (48 - wide // 2, y)
    cv2.putText(image, words, place, cv2.FONT_HERSHEY_SIMPLEX, size, (*colour, SIGN), 4)


_FACES: dict[str, Callable[[Uint8, str], None]] = {
    "stop": _stop,
    "limit": _limit,
    "ring": _ring,
    "yield": _yield,
    "diamond": _diamond,
    "blue": _blue,
    "guide": _guide,
}
SIGN_KINDS = tuple(_FACES)
