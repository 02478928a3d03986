# SPDX-License-Identifier: Apache-2.0
"""Draws night, fog, low sun, wet ground and the own bonnet into frames of a clear day.

    frame float [3, H, W] in 0..1, R, G, B; labels int64 [H, W], ids of carla-13  ->  the same

Labels tell what to change: the sky becomes dark, windows and rear lights shine, fog grows with a
depth estimated from the ground's row, wet ground mirrors what is behind it. Nothing moves, so
labels do not change, except under the bonnet. All random numbers come from torch's random state.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from carla_unet_ros.labels import carla_13
from carla_unet_ros.training.data.mixing import is_drawn

_NONE, _BUILDING, _POLE, _LINE, _ROAD, _SIDEWALK, _VEGETATION, _VEHICLE = carla_13().ids(
    [
        "None/Unlabeled",
        "Buildings",
        "Poles",
        "RoadLines",
        "Roads",
        "Sidewalks",
        "Vegetation",
        "Vehicles",
    ]
)
_GROUND = (_ROAD, _LINE, _SIDEWALK)
_STANDING = (_BUILDING, _VEGETATION, _VEHICLE, _POLE)
_FARTHEST = 80.0

_WARM, _RED, _WHITE = (1.0, 0.85, 0.5), (1.0, 0.15, 0.1), (1.0, 1.0, 0.9)
_LAMPS = ((_BUILDING, 12, _WARM), (_VEHICLE, 4, _RED), (_POLE, 3, _WARM), (_VEHICLE, 2, _WHITE))
"""Classes with lamps, the most lamps of each, and their colour."""


@dataclass(frozen=True)
class Weather:
    """The shares of frames that get another weather or hour, and a bonnet; 0..1 each."""

    share: float = 0.0
    bonnet: float = 0.0

    def __call__(self, frame: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        if is_drawn(self.bonnet):
            frame, labels = add_bonnet(frame, labels)
        if is_drawn(self.share):
            kind = int(torch.multinomial(torch.tensor([share for share, _ in _KINDS]), 1))
            frame = _KINDS[kind][1](frame, labels)
        return frame, labels


CLEAR = Weather()


def make_night(frame: Tensor, labels: Tensor) -> Tensor:
    """Darkens a frame: dark sky, lit areas, headlights on the road, windows and rear lights."""
    height, width = labels.shape
    top = horizon(labels)
    tone = torch.tensor([_between(0.7, 1.1), _between(0.75, 1.0), _between(0.8, 1.3)])
    lit = frame ** _between(1.0, 1.5) * _night_light(height, width, top) * tone[:, None, None]
    colour = torch.tensor([_between(0, 0.12), _between(0, 0.12), _between(0, 0.2)])
    sky = colour[:, None, None] * torch.linspace(0.6, 1.3, height)[:, None]
    # Grass and bare ground are also class 0, so only class 0 above the horizon is sky.
    above = (labels == _NONE) & (torch.arange(height)[:, None] < top + 2)
    dark = torch.where(above, torch.lerp(lit, sky, _between(0.5, 1.0)), lit)
    dark = dark + _lamps(labels)
    return (dark + _between(0.0, 0.03) * torch.randn_like(dark)).clamp(0, 1)


def make_fog(frame: Tensor, labels: Tensor) -> Tensor:
    """Draws fog over distant pixels: a share exp(-density x depth) of each pixel remains."""
    density = math.exp(_between(math.log(0.006), math.log(0.12)))
    tint = _between(0.35, 0.9) + 0.08 * (torch.rand(3, 1, 1) - 0.5)
    through = torch.exp(-density * depth(labels))
    return (frame * through + tint * (1 - through)).clamp(0, 1)


def make_low_sun(frame: Tensor, labels: Tensor) -> Tensor:
    """Draws a low sun: warm light, a bloom around it, and darker things in front of it."""
    height, width = labels.shape
    place = _between(-0.2, 1.2) * width, horizon(labels) - _between(-0.05, 0.4) * height
    bloom = _glow(height, width, *place, width * _between(0.15, 0.6), _between(0.5, 1.0))
    warm = torch.tensor([1.0, _between(0.65, 0.95), _between(0.35, 0.8)])[:, None, None]
    standing = torch.isin(labels, torch.tensor(_STANDING)).float()
    standing = F.avg_pool2d(standing[None, None], 5, 1, 2)[0, 0]
    shaded = frame * (1 - _between(0.0, 0.7) * standing) * _between(0.6, 1.2)
    return (shaded * warm ** _between(0.2, 1.0) + _between(0.2, 0.9) * bloom * warm).clamp(0, 1)


def make_wet(frame: Tensor, labels: Tensor) -> Tensor:
    """Draws wet ground: patches mirror what is above the horizon, blurred vertically."""
    height, _ = labels.shape
    top = int(min(max(horizon(labels), 1), height - 1))
    mirror = frame[:, (2 * top - torch.arange(height)).clamp(0, height - 1)]
    kernel = 2 * int(_between(2, 14)) + 1
    window = {"kernel_size": (kernel, 3), "stride": 1, "padding": (kernel // 2, 1)}
    mirror = F.avg_pool2d(mirror[None], **window, count_include_pad=False)[0]
    patches = F.interpolate(torch.rand(1, 1, 6, 8), labels.shape, mode="bicubic")[0, 0].clamp(0, 1)
    share = (_between(0.1, 0.6) + 0.5 * (patches - 0.5)).clamp(0, 0.8)
    wet = frame * _between(0.5, 1.0) * (1 - share) + mirror * share
    return torch.where(_is_ground(labels), wet, frame).clamp(0, 1)


def add_bonnet(frame: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Draws the own bonnet over up to 0.46 of the height: paint, a highlight, reflections."""
    height, width = labels.shape
    rise = _between(0.05, 0.46) * height
    columns = torch.arange(width).float()
    off = (columns - width * _between(0.3, 0.7)).abs() / (width * _between(0.35, 1.6))
    edge = height - rise * (1 - off.clamp(max=1.2) ** _between(1.5, 5))
    down = torch.arange(height).float()[:, None] - edge[None]
    paint = torch.rand(3, 1, 1) ** _between(0.5, 2.0)
    paint = paint / paint.max() * _between(0.05, 1.1)
    shade = paint * (
        _between(0.6, 1.4) + _between(-0.6, 0.6) * (down / max(rise, 1)).clamp(0, 1.5)
    )
    rows = (edge[None].long() - down.long()).clamp(0, height - 1)
    mirror = torch.gather(frame, 1, rows[None].expand_as(frame))
    mirror = F.avg_pool2d(mirror[None], 9, 1, 4, count_include_pad=False)[0]
    painted = torch.lerp(shade, mirror * (0.3 + 0.7 * paint), _between(0.0, 0.85))
    gleam = float(edge.min()) + _between(0, rise)
    painted = painted + _between(0.0, 0.5) * _glow(
        height, width, _between(0, width), gleam, width * _between(0.03, 0.3), _between(0.1, 0.5)
    )
    over = down >= 0
    return torch.where(over, painted, frame).clamp(0, 1), torch.where(over, _VEHICLE, labels)


def horizon(labels: Tensor) -> float:
    """Row of the horizon: just above the topmost row with ground; a random row without ground."""
    rows = torch.nonzero(_is_ground(labels).sum(dim=1) > 2)
    return float(rows[0]) - 2 if len(rows) else _between(0.3, 0.6) * len(labels)


def depth(labels: Tensor) -> Tensor:
    """Estimates depth [H, W] in camera heights, at most 80.

    The row gives the depth of ground. Things get that of the ground below them in their column,
    class 0 gets the largest.
    """
    height = len(labels)
    rows = torch.arange(height).float()
    of_row = (0.9 * height / (rows - horizon(labels)).clamp(min=1)).clamp(max=_FARTHEST)
    ground = _is_ground(labels)
    below = torch.where(ground, rows[:, None], height - 1.0).flip(0).cummin(0).values.flip(0)
    result = torch.where(ground, of_row[:, None], of_row[below.long()])
    return torch.where(labels == _NONE, _FARTHEST, result)


def _night_light(height: int, width: int, top: float) -> Tensor:
    """Returns the light at each pixel, [H, W]: ambient light, headlights, street lamps."""
    light = torch.full((height, width), _between(0.04, 0.4))
    if is_drawn(0.75):
        ahead = top + (height - top) * _between(0.35, 0.8)
        size = width * _between(0.25, 0.6), _between(0.3, 0.7)
        light += _between(0.2, 1.0) * _glow(
            height, width, width * _between(0.35, 0.65), ahead, *size
        )
    for _ in range(int(_between(0, 5))):
        place = _between(0, width), top + _between(-0.3, 0.5) * height
        size = width * _between(0.05, 0.35), _between(0.5, 1.5)
        light += _between(0.1, 0.8) * _glow(height, width, *place, *size)
    return light


def _lamps(labels: Tensor) -> Tensor:
    """Small lights with a halo on some pixels of the classes that have lamps: (3, H, W)."""
    height, width = labels.shape
    result = torch.zeros(3, height, width)
    for number, most, colour in _LAMPS:
        places = torch.nonzero(labels == number)
        for _ in range(int(_between(0, most)) if len(places) else 0):
            y, x = places[int(torch.randint(len(places), ()))].tolist()
            size = 0.6 + width * _between(0.002, 0.012), _between(0.6, 1.6)
            light = _between(0.3, 1.2) * _glow(height, width, x, y, *size)
            light += _between(0.0, 0.25) * _glow(height, width, x, y, width * _between(0.01, 0.06))
            result += torch.tensor(colour)[:, None, None] * light
    return result


def _is_ground(labels: Tensor) -> Tensor:
    return torch.isin(labels, torch.tensor(_GROUND))


def _glow(
    height: int, width: int, x: float, y: float, radius: float, stretch: float = 1.0
) -> Tensor:
    """A round light [H, W] at (x, y), 1 in its middle; `stretch` makes it taller."""
    rows = (torch.arange(height)[:, None] - y) / (radius * stretch)
    columns = (torch.arange(width)[None] - x) / radius
    return torch.exp(-(rows * rows + columns * columns))


def _between(low: float, high: float) -> float:
    return float(low + (high - low) * torch.rand(()))


_KINDS: tuple[tuple[float, Callable[[Tensor, Tensor], Tensor]], ...] = (
    (0.4, make_night),
    (0.25, make_fog),
    (0.2, make_low_sun),
    (0.15, make_wet),
)
"""The probability of each kind of weather, and its function."""
