"""Textures that always face the camera: trees, people, sign faces, signals, small things.

A sprite is as large as the thing itself; its foot is the middle of its lower edge.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from carla_unet_ros.labels import Uint8
from carla_unet_ros.town.canvas import Texture
from carla_unet_ros.town.light import Bgr
from carla_unet_ros.town.tags import CLEAR, OTHER, PEDESTRIAN, SIGN, VEGETATION


class Sprite(NamedTuple):
    """A texture and its size in metres."""

    texture: Texture
    width: float
    height: float


TREES = ("cypress", "broadleaf", "conifer", "birch", "bush", "hedge")


def tree(rng: np.random.Generator, kind: str) -> Sprite:
    """A trunk, and leaves in tufts: dark ones behind and below, bright ones above."""
    sizes = {
        "cypress": (2.4, 9.0), "broadleaf": (6.0, 7.5), "conifer": (5.0, 11.0),
        "birch": (4.0, 8.0), "bush": (2.2, 1.3), "hedge": (5.0, 1.4),
    }  # fmt: skip
    wide, tall = (side * float(rng.uniform(0.8, 1.25)) for side in sizes[kind])
    rows = 320 if kind not in ("bush", "hedge") else 120
    columns = max(round(rows * wide / tall), 40)
    image = _blank(rows, columns)
    base = np.array(
        {"cypress": (38, 74, 64), "conifer": (46, 66, 46), "birch": (44, 92, 88)}.get(
            kind, (36, 78, 62)
        ),
        np.float32,
    ) * rng.uniform(0.75, 1.35, 3)
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
    """Of a tree: where its leaves begin, and half its width at this height of the crown (0..1)."""
    if kind == "conifer":
        return 0.12, (1 - height) * (0.62 + 0.28 * (height * 7 % 1.0)) + 0.02
    if kind == "cypress":
        return 0.1, 0.75 * min(1.0, 2.2 * (1 - height), 0.5 + 2 * height)
    if kind in ("bush", "hedge"):
        return 0.05, 0.9 * (1 - 0.35 * height**3) if kind == "hedge" else (1 - height**2) * 0.9
    return 0.32, 0.88 * float(np.sqrt(max(1 - (2 * height - 0.9) ** 2, 0.02)))


def _leaves(rng: np.random.Generator, image: Uint8) -> None:
    """Light and dark specks on the leaves, and holes near their edge."""
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


def person(rng: np.random.Generator, phases: int = 4) -> list[Sprite]:
    """Somebody walking, one sprite for each phase of a step."""
    skin: Bgr = tuple(np.array((110.0, 140.0, 190.0)) * rng.uniform(0.35, 1.05))  # type: ignore
    cloth = [tuple(rng.uniform(15, 190, 3).tolist()) for _ in range(2)]
    if rng.random() < 0.5:
        cloth[1] = tuple((rng.uniform(30, 80) + rng.uniform(-15, 15, 3)).tolist())
    hair = tuple((rng.uniform(10, 90) * np.array((0.6, 0.8, 1.0))).tolist())
    tall = float(rng.uniform(1.55, 1.9))
    long_coat, bag = bool(rng.random() < 0.3), bool(rng.random() < 0.4)
    sprites = []
    for phase in range(phases):
        swing = np.sin(2 * np.pi * phase / phases)
        image = _blank(256, 128)

        def limb(points: Sequence[tuple[float, float]], thick: int, colour: Sequence[float],
                 image: Uint8 = image) -> None:  # fmt: skip
            path = [np.array([(64 + x, 252 - y) for x, y in points], np.int32)]
            cv2.polylines(image, path, False, (*colour, float(PEDESTRIAN)), thick)

        dark = tuple(0.7 * value for value in cloth[1])
        for side, shade in ((-1, dark), (1, cloth[1])):
            step = side * swing * 26
            limb(((side * 5, 122), (side * 3 + step * 0.5, 66), (step, 8)), 19, shade)
            limb(((step, 4), (step + 9, 4)), 11, (24, 24, 28))
        limb(((-20, 196), (-22 - swing * 20, 150), (-20 - swing * 26, 118)), 13, cloth[0])
        trunk = ((-20, 206), (20, 206), (19, 120), (24, 84 if long_coat else 116),
                 (-24, 84 if long_coat else 116), (-19, 120))  # fmt: skip
        body = np.array([(64 + x, 252 - y) for x, y in trunk], np.int32)
        cv2.fillPoly(image, [body], (*cloth[0], float(PEDESTRIAN)))
        limb(((20, 196), (22 + swing * 20, 150), (20 + swing * 26, 118)), 13,
             [0.85 * value for value in cloth[0]])  # fmt: skip
        if bag:
            limb(((22, 150), (26, 140), (24, 124)), 22, hair)
        limb(((0, 204), (0, 220)), 12, skin)
        cv2.ellipse(image, (64, 22), (13, 17), 0, 0, 360, (*hair, float(PEDESTRIAN)), -1)
        cv2.ellipse(image, (64, 26), (11, 13), 0, 0, 360, (*skin, float(PEDESTRIAN)), -1)
        shading = np.linspace(1.15, 0.65, 128)[None, :, None] * rng.normal(1, 0.05, (256, 128, 1))
        image[..., :3] = np.clip(image[..., :3] * shading, 0, 255)
        sprites.append(Sprite(Texture(image), tall / 2, tall))
    return sprites


SIGN_KINDS = ("stop", "limit", "ring", "yield", "diamond", "blue", "guide")


def sign(rng: np.random.Generator, kind: str) -> Sprite:
    """The face of a traffic sign."""
    image = _blank(96, 96)
    white, black, red = (215.0, 218.0, 220.0), (24.0, 24.0, 24.0), (36.0, 30.0, 178.0)

    def fill(points: Sequence[tuple[int, int]], colour: Bgr) -> None:
        cv2.fillPoly(image, [np.array(points, np.int32)], (*colour, float(SIGN)))

    def text(words: str, y: int, size: float, colour: Bgr) -> None:
        (wide, _), _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, size, 4)
        place = (48 - wide // 2, y)
        cv2.putText(image, words, place, cv2.FONT_HERSHEY_SIMPLEX, size, (*colour, float(SIGN)), 4)

    number = str(int(rng.choice((20, 30, 40, 50, 60, 80, 90))))
    if kind == "stop":
        for radius, colour in ((46, white), (42, red)):
            angles = np.deg2rad(np.arange(8) * 45 + 22.5)
            fill([(round(48 + radius * np.cos(a)), round(48 + radius * np.sin(a)))
                  for a in angles], colour)  # fmt: skip
        text("STOP", 57, 0.85, white)
    elif kind == "limit":
        fill(((14, 1), (82, 1), (82, 95), (14, 95)), black)
        fill(((17, 4), (79, 4), (79, 92), (17, 92)), white)
        text("SPEED", 26, 0.55, black)
        text("LIMIT", 46, 0.55, black)
        text(number, 84, 1.15, black)
    elif kind == "ring":
        for radius, colour in ((46, red), (35, white)):
            cv2.circle(image, (48, 48), radius, (*colour, float(SIGN)), -1)
        text(number, 62, 1.2, black)
    elif kind == "yield":
        fill(((2, 6), (94, 6), (48, 92)), red)
        fill(((20, 17), (76, 17), (48, 70)), white)
    elif kind == "diamond":
        fill(((48, 1), (95, 48), (48, 95), (1, 48)), black)
        fill(((48, 5), (91, 48), (48, 91), (5, 48)), (30, 170, 214))
        fill(((44, 26), (52, 26), (52, 72), (44, 72)), black)
    elif kind == "blue":
        fill(((4, 4), (92, 4), (92, 92), (4, 92)), (150, 84, 26))
        fill(((48, 18), (78, 76), (18, 76)), white)
    else:
        fill(((1, 22), (95, 22), (95, 74), (1, 74)), (64, 100, 20))
        for row in (36, 52):
            fill(
                ((12, row), (round(rng.uniform(40, 84)), row), (60, row + 8), (12, row + 8)), white
            )
    size = float(rng.uniform(0.65, 0.95)) * (1.8 if kind == "guide" else 1.0)
    return Sprite(Texture(image), size, size)


def signal(lit: int) -> Sprite:
    """The head of a traffic light with lamp 0 (red), 1 (amber) or 2 (green) lit."""
    image = _blank(144, 56)
    cv2.rectangle(image, (0, 0), (55, 143), (30, 32, 34, SIGN), -1)
    cv2.rectangle(image, (3, 3), (52, 140), (44, 46, 46, SIGN), -1)
    for lamp, (off, on) in enumerate(
        (((20, 18, 62), (60, 50, 255)), ((14, 52, 64), (60, 200, 255)), ((26, 52, 20), (170, 255, 90)))
    ):  # fmt: skip
        colour = on if lamp == lit else off
        cv2.circle(image, (28, 26 + 46 * lamp), 18, (*colour, SIGN), -1)
    return Sprite(Texture(image), 0.42, 1.08)


def barrel(rng: np.random.Generator) -> Sprite:
    """A waste bin of slats or steel."""
    image = _blank(96, 64)
    colour = np.array(((40, 62, 84), (52, 54, 54), (44, 74, 40))[int(rng.integers(3))])
    outline = np.array(((6, 8), (58, 8), (54, 94), (10, 94)), np.int32)
    cv2.fillPoly(image, [outline], (*map(float, colour), float(OTHER)))
    round_shade = np.sin(np.linspace(0.25, 2.9, 64)) * 1.15 + 0.15
    image[..., :3] = np.clip(image[..., :3] * round_shade[None, :, None], 0, 255)
    for row in (22, 52, 82):
        image[row : row + 4, 6:58, :3] = (34, 34, 36)
    image[:, ::6, :3] = image[:, ::6, :3] * 0.6
    cv2.ellipse(image, (32, 9), (28, 7), 0, 0, 360, (28, 28, 30, OTHER), -1)
    return Sprite(Texture(image), 0.7, 1.05)


def _blank(rows: int, columns: int) -> Uint8:
    image = np.zeros((rows, columns, 4), np.uint8)
    image[..., 3] = CLEAR
    return image
