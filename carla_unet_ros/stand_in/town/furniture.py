# SPDX-License-Identifier: Apache-2.0
"""Street furniture: lamps, posts, benches, boxes, shelters, bins."""

import cv2
import numpy as np

from carla_unet_ros.stand_in.town.canvas import Sprite, Texture, make_blank
from carla_unet_ros.stand_in.town.light import Bgr
from carla_unet_ros.stand_in.town.solids import Solid, box
from carla_unet_ros.stand_in.town.tags import OTHER, POLE

_STEEL: Bgr = (120, 122, 124)
_DARK: Bgr = (48, 50, 52)


def street_lamp(height: float, arm: float, colour: Bgr) -> Solid:
    """A lamp post whose arm reaches to +x (to -x where `arm` is negative)."""
    parts = [box((0.24, 1.0, 0.24), (0, 0, 0), colour, POLE),
             box((0.15, height, 0.15), (0, 0, 0), colour, POLE)]  # fmt: skip
    if arm:
        parts.append(box((abs(arm), 0.09, 0.09), (arm / 2, height - 0.15, 0), colour, POLE))
        parts.append(box((0.6, 0.14, 0.26), (arm, height - 0.2, 0), colour, POLE))
    else:
        parts.append(box((0.4, 0.5, 0.4), (0, height, 0), (170, 176, 178), POLE))
    return Solid(parts, ordered=True)


def post(height: float, thick: float, colour: Bgr = _STEEL, arm: float = 0.0) -> Solid:
    """A post for a sign; with an arm across the road, a post for a traffic light."""
    parts = [box((thick, height, thick), (0, 0, 0), colour, POLE)]
    if arm:
        parts.append(box((abs(arm), 0.13, 0.13), (arm / 2, height - 0.3, 0), colour, POLE))
    return Solid(parts, ordered=True)


def utility_pole() -> Solid:
    """A wooden pole with cross arms."""
    wood: Bgr = (60, 74, 88)
    return Solid(
        [
            box((0.26, 9.0, 0.26), (0, 0, 0), wood, POLE),
            box((2.2, 0.14, 0.14), (0, 8.2, 0), wood, POLE),
            box((1.6, 0.14, 0.14), (0, 7.3, 0), wood, POLE),
        ],
        ordered=True,
    )


def bench(back: bool) -> Solid:
    """A wooden bench along the street, looking to -x."""
    wood: Bgr = (52, 70, 92)
    parts = [box((0.4, 0.42, 0.1), (0, 0, z), _DARK, OTHER) for z in (-0.7, 0.7)]
    parts.append(box((0.5, 0.08, 1.8), (0, 0.42, 0), wood, OTHER))
    if back:
        parts.append(box((0.08, 0.4, 1.8), (0.24, 0.55, 0), wood, OTHER))
    return Solid(parts)


def boxes(rng: np.random.Generator) -> Solid:
    """Crates, cabinets or a planter."""
    kind = int(rng.integers(4))
    if kind == 0:
        wood: Bgr = (74, 106, 138)
        return Solid(
            [
                box((0.8, 0.7, 0.8), (0, 0, 0), wood, OTHER),
                box((0.6, 0.6, 0.6), (0.8, 0, 0.2), (62, 88, 116), OTHER),
                box((0.6, 0.5, 0.6), (0.1, 0.7, 0), (84, 116, 146), OTHER),
            ]
        )
    if kind == 1:
        return Solid([box((0.45, 1.2, 0.9), (0, 0, 0), (96, 112, 104), OTHER),
                      box((0.5, 0.06, 0.95), (0, 1.2, 0), (70, 82, 78), OTHER)])  # fmt: skip
    if kind == 2:
        return Solid([box((0.9, 0.5, 1.6), (0, 0, 0), (110, 116, 120), OTHER),
                      box((0.8, 0.1, 1.5), (0, 0.5, 0), (40, 52, 64), OTHER)])  # fmt: skip
    return Solid([box((0.5, 1.1, 0.55), (0, 0, 0), (140, 60, 30), OTHER),
                  box((0.4, 0.25, 0.45), (0, 1.1, 0), (150, 66, 34), OTHER)])  # fmt: skip


def phone_box() -> Solid:
    """A tall booth with glazed sides."""
    return Solid(
        [
            box((0.9, 0.5, 0.9), (0, 0, 0), (30, 26, 110), OTHER),
            box((0.86, 1.5, 0.86), (0, 0.5, 0), (70, 66, 74), OTHER),
            box((0.95, 0.35, 0.95), (0, 2.0, 0), (34, 30, 124), OTHER),
        ],
        ordered=True,
    )


def shelter() -> Solid:
    """A bus shelter, open to -x."""
    glass: Bgr = (92, 96, 84)
    return Solid(
        [
            box((0.08, 2.3, 4.0), (0.7, 0, 0), glass, OTHER),
            box((1.3, 2.3, 0.08), (0, 0, 2.0), glass, OTHER),
            box((1.3, 2.0, 0.1), (0, 0, -2.0), (60, 58, 110), OTHER),
            box((1.8, 0.18, 4.4), (0, 2.3, 0), _DARK, OTHER),
            box((0.4, 0.1, 2.6), (0.35, 0.45, 0), (52, 70, 92), OTHER),
        ]
    )


def barrel(rng: np.random.Generator) -> Sprite:
    """A waste bin of slats or steel."""
    image = make_blank(96, 64)
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
