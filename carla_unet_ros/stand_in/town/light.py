# SPDX-License-Identifier: Apache-2.0
"""Weather and time of day: how the camera sees the colour of a surface.

seen = albedo x (ambient + sun x max(0, normal . direction)), then mixed with the haze colour by
1 - exp(-depth / haze length). Flat faces and textures use the same formula.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import Uint8

Floats = npt.NDArray[np.floating[Any]]
Bgr = tuple[float, float, float]


class Light(NamedTuple):
    """The light of one weather. Colours are B, G, R; the sun's two angles are in radians."""

    name: str
    ambient: Bgr
    sun: Bgr
    azimuth: float
    elevation: float
    zenith: Bgr
    horizon: Bgr
    clouds: float
    haze_length: float
    wetness: float

    def direction(self, heading: float) -> Floats:
        """The unit vector to the sun (x right, y up, z forward), seen along `heading`."""
        flat = math.cos(self.elevation)
        angle = self.azimuth - heading
        return np.array(
            (flat * math.sin(angle), math.sin(self.elevation), flat * math.cos(angle)), np.float32
        )

    def gains(self, normals: Floats, direction: Floats) -> Floats:
        """The factors of albedo for faces of these normals [N, 3]: float32 [N, 3], B, G, R."""
        facing = np.maximum(normals @ direction, 0.0)[..., None]
        return np.asarray(self.ambient, np.float32) + facing * np.asarray(self.sun, np.float32)

    def haze(self, depth: float) -> float:
        """The share of the haze colour at this depth, 0..1."""
        return 1.0 - math.exp(-max(depth, 0.0) / self.haze_length)

    def shaded(self, albedo: Floats, gains: Floats, share: float) -> Floats:
        """Colours behind this share of haze, float32 0..255, in the shape of albedo."""
        seen = np.minimum(albedo * gains, 255.0) * (1.0 - share)
        return seen + np.asarray(self.horizon, np.float32) * share

    def shade(self, normal: Sequence[float], direction: Floats, depth: float) -> "Shade":
        """The shade of a flat face with this unit normal at this depth.

        It changes in steps too small to see, so that a shaded texture can be used again.
        """
        facing = max(sum(a * b for a, b in zip(normal, direction.tolist(), strict=True)), 0.0)
        facing = round(facing * 40) / 40
        share = round(self.haze(depth) * 40) / 40
        blue, green, red = (
            (ambient + facing * sun) * (1.0 - share)
            for ambient, sun in zip(self.ambient, self.sun, strict=True)
        )
        return Shade((blue, green, red), self.horizon, share)


class Shade(NamedTuple):
    """The colour of an albedo in this light: gain x albedo, plus a share of the haze colour."""

    gain: Bgr
    haze: Bgr
    share: float

    def colour(self, albedo: Sequence[float]) -> Bgr:
        limit = 255.0 * (1.0 - self.share)
        blue, green, red = (
            min(value * gain, limit) + haze * self.share
            for value, gain, haze in zip(albedo, self.gain, self.haze, strict=True)
        )
        return blue, green, red

    def table(self) -> Uint8:
        """The same as a lookup table for textures, uint8 [1, 256, 4]; labels stay."""
        table = np.empty((1, 256, 4), np.uint8)
        seen = _RAMP * np.array(self.gain, np.float32)
        np.minimum(seen, 255.0 * (1.0 - self.share), out=seen)
        seen += np.array(self.haze, np.float32) * np.float32(self.share)
        table[0, :, :3] = seen
        table[0, :, 3] = _LEVELS
        return table


_LEVELS = np.arange(256, dtype=np.uint8)
_RAMP = np.repeat(np.arange(256, dtype=np.float32)[:, None], 3, axis=1)

WEATHERS = ("noon", "overcast", "dusk", "wet")


def make_weather(name: str, rng: np.random.Generator) -> Light:
    """A weather of this kind; each one is a little different."""
    azimuth = float(rng.uniform(-math.pi, math.pi))
    strength = float(rng.uniform(0.85, 1.1))

    def scaled(colour: Bgr) -> Bgr:
        blue, green, red = colour
        return blue * strength, green * strength, red * strength

    if name == "noon":
        high = math.radians(rng.uniform(35, 65))
        zenith = (178.0, 134.0, 96.0) if rng.random() < 0.5 else (150.0, 122.0, 100.0)
        horizon = (218.0, 208.0, 196.0)
        return Light(
            name, scaled((0.50, 0.46, 0.43)), scaled((0.72, 0.78, 0.82)), azimuth, high,
            zenith, horizon, float(rng.uniform(0.2, 0.7)), 420.0, 0.0,
        )  # fmt: skip
    if name == "overcast":
        high = math.radians(rng.uniform(40, 70))
        return Light(
            name, scaled((0.72, 0.68, 0.66)), scaled((0.10, 0.10, 0.10)), azimuth, high,
            (168.0, 160.0, 154.0), (204.0, 202.0, 200.0), 1.0, 230.0, 0.1,
        )  # fmt: skip
    if name == "dusk":
        low = math.radians(rng.uniform(12, 24))
        return Light(
            name, scaled((0.52, 0.45, 0.43)), scaled((0.40, 0.58, 0.84)), azimuth, low,
            (148.0, 112.0, 92.0), (150.0, 178.0, 214.0), float(rng.uniform(0.3, 0.8)), 320.0, 0.0,
        )  # fmt: skip
    if name == "wet":
        high = math.radians(rng.uniform(30, 60))
        return Light(
            name, scaled((0.56, 0.53, 0.51)), scaled((0.16, 0.16, 0.16)), azimuth, high,
            (140.0, 132.0, 126.0), (188.0, 186.0, 182.0), 0.9, 160.0, 1.0,
        )  # fmt: skip
    raise InputError(f"no weather {name!r}; known: {', '.join(WEATHERS)}")
