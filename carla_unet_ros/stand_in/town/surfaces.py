# SPDX-License-Identifier: Apache-2.0
"""Textures of upright surfaces: house fronts, walls and fences, at DENSITY pixels a metre.

All hold albedo, 0..255 in B, G, R, plus the class id; `light.py` makes them bright or dark.
"""

from typing import NamedTuple

import cv2
import numpy as np

from carla_unet_ros.labels import Uint8
from carla_unet_ros.stand_in.town.canvas import Texture
from carla_unet_ros.stand_in.town.light import Bgr
from carla_unet_ros.stand_in.town.tags import BUILDING, CLEAR, FENCE, WALL

DENSITY = 24
"""Pixels a metre."""

PLASTER: tuple[Bgr, ...] = (
    (150, 168, 178), (120, 140, 150), (96, 112, 124), (170, 178, 180), (104, 104, 106),
    (118, 138, 160), (80, 92, 108), (140, 134, 122), (90, 110, 130), (186, 192, 196),
)  # fmt: skip
BRICK: tuple[Bgr, ...] = ((52, 62, 104), (44, 54, 84), (70, 84, 112), (60, 68, 78), (40, 46, 92))


class Front(NamedTuple):
    """A house front and its size in metres; `roof` is the colour of its roof."""

    texture: Texture
    width: float
    height: float
    roof: Bgr
    side: Texture


def house_front(rng: np.random.Generator, floors: int, shop: bool) -> Front:
    """A front of this many floors, each with a row of windows; a shop or a door below."""
    floor = float(rng.uniform(2.8, 3.5))
    width = float(rng.uniform(9, 16))
    height = floors * floor + float(rng.uniform(0.3, 1.0))
    wall, pale = _wall_surface(rng, width, height, BUILDING)
    side = wall.copy()
    bay = float(rng.uniform(1.9, 3.4))
    pane = (bay * float(rng.uniform(0.38, 0.7)), floor * float(rng.uniform(0.42, 0.62)))
    frame = _shade(pale, float(rng.choice((0.5, 1.35))))
    glass = _shade((70.0, 62.0, 54.0), float(rng.uniform(0.4, 1.3)))
    bays = max(int(width / bay), 2)
    for storey in range(floors):
        sill = storey * floor + floor * 0.28
        for column in range(bays):
            middle = (column + 0.5) * width / bays
            if storey == 0 and (shop or column == bays // 2):
                continue
            lit = float(rng.choice((0.7, 1.0, 1.0, 1.5)))
            _window(wall, middle, sill, pane, frame, _shade(glass, lit))
        if storey and rng.random() < 0.4:
            _bar(wall, 0, storey * floor, width, 0.14, _shade(pale, 1.2))
    if shop:
        _shop(rng, wall, width, floor)
    else:
        _door(rng, wall, width / bays * (bays // 2 + 0.5), floor)
    _bar(wall, 0, height - 0.35, width, 0.35, _shade(pale, 0.75))
    if rng.random() < 0.7:
        _side_windows(side, width, floors, floor, pane, frame, glass)
    roof = PLASTER[int(rng.integers(len(PLASTER)))] if rng.random() < 0.5 else BRICK[0]
    return Front(Texture(wall), width, height, _shade(roof, 0.7), Texture(side))


def garden_wall(rng: np.random.Generator) -> Texture:
    """A wall of two metres by eight in brick, plaster or concrete, with a coping."""
    image, pale = _wall_surface(rng, 8.0, 2.0, WALL)
    _bar(image, 0, 1.86, 8.0, 0.14, _shade(pale, 1.25))
    if rng.random() < 0.5:
        for post in range(3):
            _bar(image, post * 3.8, 0, 0.35, 2.0, _shade(pale, 0.85))
    return Texture(image)


FENCES = ("rails", "pickets", "bars", "mesh", "guard", "cross")


def fence(rng: np.random.Generator, kind: str) -> Texture:
    """A fence of one and a half metres by six, with holes between the bars."""
    width, height = 6.0, 1.5
    image = np.zeros((round(height * DENSITY * 2), round(width * DENSITY * 2), 4), np.uint8)
    image[..., 3] = CLEAR
    dark, pale = (38.0, 40.0, 42.0), (176.0, 180.0, 182.0)
    wood = _shade((62.0, 84.0, 108.0), float(rng.uniform(0.5, 1.3)))
    colour = {
        "rails": wood, "pickets": pale if rng.random() < 0.6 else wood, "bars": dark,
        "mesh": (120.0, 124.0, 124.0), "guard": (160.0, 164.0, 166.0),
        "cross": pale if rng.random() < 0.7 else dark,
    }[kind]  # fmt: skip

    def bar(left: float, bottom: float, wide: float, tall: float, shade: float = 1.0) -> None:
        _bar(image, left, bottom, wide, tall, _shade(colour, shade), FENCE, DENSITY * 2)

    def slant(start: float, end: float, low: float, high: float, thick: int) -> None:
        scale, rows = DENSITY * 2, image.shape[0]
        ends = [(round(x * scale), round(rows - 1 - y * scale)) for x, y in
                ((start, low), (end, high))]  # fmt: skip
        cv2.line(image, ends[0], ends[1], (*colour, float(FENCE)), thick)

    post = 2.0 if kind != "cross" else 1.5
    for start in np.arange(0, width, post):
        bar(
            float(start), 0, 0.12 if kind != "guard" else 0.2, 1.2 if kind == "cross" else 1.4, 0.8
        )
        if kind == "cross":
            slant(float(start), float(start) + post, 0.25, 1.05, 3)
            slant(float(start), float(start) + post, 1.05, 0.25, 3)
    if kind == "guard":
        image[: round(0.55 * DENSITY * 2), :, 3] = CLEAR
        bar(0, 0.5, width, 0.1, 0.8)
        bar(0, 0.6, width, 0.12, 1.1)
        bar(0, 0.72, width, 0.06, 0.7)
        bar(0, 0.78, width, 0.12, 1.2)
    elif kind == "mesh":
        for start in np.arange(-1.5, width, 0.16):
            slant(float(start), float(start) + 1.4, 0, 1.4, 1)
            slant(float(start), float(start) + 1.4, 1.4, 0, 1)
        bar(0, 1.38, width, 0.07)
    else:
        heights = {"rails": (0.35, 0.75, 1.15), "cross": (0.22, 1.05)}.get(kind, (0.25, 1.1))
        for height in heights:
            bar(0, height, width, 0.12 if kind == "rails" else 0.07, 0.9)
    if kind in ("pickets", "bars"):
        step, wide = (0.2, 0.13) if kind == "pickets" else (0.16, 0.05)
        for start in np.arange(0, width, step):
            bar(float(start), 0.08, wide, 1.3 if kind == "pickets" else 1.4)
    return Texture(image)


def _wall_surface(rng: np.random.Generator, width: float, height: float,
                  label: int) -> tuple[Uint8, Bgr]:  # fmt: skip
    """Bricks, boards or plaster of this size, and the colour of its trim."""
    rows, columns = round(height * DENSITY), round(width * DENSITY)
    kind = rng.choice(("brick", "plaster", "boards", "blocks"))
    colours = BRICK if kind == "brick" else PLASTER
    base = np.array(colours[int(rng.integers(len(colours)))], np.float32)
    image = np.broadcast_to(base, (rows, columns, 3)).copy()
    stains = cv2.resize(
        rng.normal(1, 0.07, (rows // 24 + 2, columns // 24 + 2)).astype(np.float32),
        (columns, rows), interpolation=cv2.INTER_CUBIC,
    )  # fmt: skip
    image *= (stains * rng.normal(1, 0.04, (rows, columns)).astype(np.float32))[..., None]
    if kind in ("brick", "blocks"):
        tall, long = (4, 8) if kind == "brick" else (12, 24)
        tints = rng.normal(1, 0.1, (rows // tall + 1, columns // long + 2)).astype(np.float32)
        tints = np.repeat(np.repeat(tints, tall, 0)[:rows], long, 1)
        shifted = np.where((np.arange(rows) // tall % 2)[:, None] == 0, tints[:, :columns],
                           tints[:, long // 2 : long // 2 + columns])  # fmt: skip
        image *= shifted[..., None]
        image[::tall] *= 0.82
    elif kind == "boards":
        image[::5] *= 0.8
    image *= np.linspace(1.03, 0.9, rows, dtype=np.float32)[:, None, None]
    textured = np.full((rows, columns, 4), label, np.uint8)
    textured[..., :3] = np.clip(image, 0, 255)
    blue, green, red = base.tolist()
    return textured, (blue, green, red)


def _window(image: Uint8, middle: float, sill: float, pane: tuple[float, float], frame: Bgr,
            glass: Bgr) -> None:  # fmt: skip
    wide, tall = pane
    left = middle - wide / 2
    _bar(image, left - 0.1, sill - 0.1, wide + 0.2, tall + 0.2, frame)
    _bar(image, left, sill, wide, tall, glass)
    _bar(image, left, sill + tall * 0.6, wide, tall * 0.4, _shade(glass, 1.35))
    _bar(image, middle - 0.04, sill, 0.08, tall, frame)
    _bar(image, left - 0.15, sill - 0.16, wide + 0.3, 0.1, _shade(frame, 1.15))


def _side_windows(image: Uint8, width: float, floors: int, floor: float,
                  pane: tuple[float, float], frame: Bgr, glass: Bgr) -> None:  # fmt: skip
    """Fewer windows than in front, three to a floor."""
    for storey in range(floors):
        for share in (0.2, 0.5, 0.8):
            _window(image, width * share, storey * floor + floor * 0.28, pane, frame, glass)


def _door(rng: np.random.Generator, image: Uint8, middle: float, floor: float) -> None:
    colours: tuple[Bgr, ...] = ((40, 46, 66), (60, 40, 30), (34, 40, 36), (90, 100, 108))
    colour = colours[int(rng.integers(len(colours)))]
    tall = floor * 0.72
    _bar(image, middle - 0.75, 0, 1.5, tall + 0.15, _shade(colour, 1.6))
    _bar(image, middle - 0.55, 0, 1.1, tall, colour)
    _bar(image, middle - 0.3, tall * 0.55, 0.6, tall * 0.3, (64, 58, 52))


def _shop(rng: np.random.Generator, image: Uint8, width: float, floor: float) -> None:
    """A ground floor of glass with a sign board above it."""
    boards: tuple[Bgr, ...] = ((40, 40, 120), (100, 60, 30), (50, 84, 44), (50, 50, 54))
    board = boards[int(rng.integers(len(boards)))]
    _bar(image, 0.3, floor * 0.78, width - 0.6, floor * 0.2, board)
    for word in np.arange(1.5, width - 1.5, 0.5):
        _bar(image, float(word), floor * 0.84, float(rng.uniform(0.1, 0.4)), 0.25, (200, 205, 205))
    for left in np.arange(0.5, width - 2.0, 2.3):
        _bar(image, float(left), 0.5, 2.0, floor * 0.66 - 0.3, (56, 50, 46))
        _bar(image, float(left), 0.5, 2.0, floor * 0.25, (78, 76, 74))
    _bar(image, width / 2 - 0.6, 0, 1.2, floor * 0.68, (40, 38, 40))


def _bar(image: Uint8, left: float, bottom: float, wide: float, tall: float, colour: Bgr,
         label: int | None = None, density: int = DENSITY) -> None:  # fmt: skip
    """An upright rectangle, in metres from the texture's lower left corner."""
    rows = image.shape[0]
    top = max(rows - round((bottom + tall) * density), 0)
    low = max(rows - round(bottom * density), 0)
    area = image[top : max(low, top + 1), max(round(left * density), 0) :][
        :, : max(round(wide * density), 1)
    ]
    area[..., :3] = colour
    if label is not None:
        area[..., 3] = label


def _shade(colour: Bgr, factor: float) -> Bgr:
    blue, green, red = (min(value * factor, 255.0) for value in colour)
    return blue, green, red
