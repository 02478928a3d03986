"""The ground: grass, road, lines, sidewalks and crossings, their grain, and shadows on them."""

from typing import NamedTuple

import cv2
import numpy as np

from carla_unet_ros.labels import Uint8
from carla_unet_ros.town.canvas import Canvas
from carla_unet_ros.town.course import AHEAD, View
from carla_unet_ros.town.light import Bgr, Floats, Light
from carla_unet_ros.town.tags import NONE, ROAD, ROAD_LINE, SIDEWALK

CURB = 0.15
_DEEPEST = 900.0
_WHITE: Bgr = (176.0, 180.0, 182.0)
_YELLOW: Bgr = (52.0, 138.0, 176.0)
_ACROSS, _ALONG = 48.0, 48.0


class Street(NamedTuple):
    """How the street is built. Lengths in metres; `right` and `left` are sidewalk widths."""

    half_width: float
    left: float
    right: float
    centre: str
    edge: bool
    lanes: int
    asphalt: Bgr
    paving: Bgr
    soil: Bgr


class Crossing(NamedTuple):
    """Where a side street crosses, half its width, and whether it has zebra stripes."""

    s: float
    half_width: float
    zebra: bool


class Ground:
    """Paints the ground below the horizon; keeps what depends on the camera alone."""

    def __init__(self, canvas: Canvas, street: Street, light: Light,
                 rng: np.random.Generator) -> None:  # fmt: skip
        self._canvas, self._street, self._light = canvas, street, light
        camera = canvas.camera
        rows = np.arange(canvas.horizon, camera.height, dtype=np.float32)
        self._rows = len(rows)
        self._depths = canvas.eye * camera.focal / np.maximum(rows + 0.5 - camera.cy, 0.2)
        self._depths = np.minimum(self._depths, _DEEPEST).astype(np.float32)
        columns = np.arange(camera.width, dtype=np.float32) + 0.5 - camera.cx
        self._lateral = columns[None, :] * (self._depths[:, None] / camera.focal)
        self._bands = _bands(self._depths, camera.focal)
        self._grain = _grain(rng, street)
        self._haze = np.array([light.haze(float(z)) for z in self._depths], np.float32)
        up = np.array(((0.0, 1.0, 0.0),), np.float32)
        self._gain = light.gains(up, light.direction(0.0))[0]
        self._shadow: Uint8 = np.full((camera.height, camera.width), 255, np.uint8)
        self._map_x = np.empty((self._rows, camera.width), np.float32)
        self._map_y = np.empty_like(self._map_x)

    def paint(self, view: View, crossings: list[Crossing]) -> None:
        """All flat ground, without grain and shadows."""
        canvas, street = self._canvas, self._street
        canvas.pixels[canvas.horizon :] = (*self._lit(street.soil), NONE)
        end = view.s + AHEAD
        start = view.s + 0.3
        edges = [start]
        for crossing in crossings:
            edges += [crossing.s - crossing.half_width, crossing.s + crossing.half_width]
        edges.append(end)
        blocks = list(zip(edges[::2], edges[1::2], strict=True))
        for crossing in reversed(crossings):
            self._side_street(view, crossing)
        half = street.half_width
        canvas.polygon(view.strip(start, end, -half, half), (*self._lit(street.asphalt), ROAD))
        for first, last in reversed(blocks):
            if last > first:
                self._sidewalks(view, max(first, start), last)
                self._lines(view, max(first, start), last)
        for crossing in reversed(crossings):
            if crossing.zebra:
                self._zebra(view, crossing)

    def finish(self, view: View, shadows: list[Floats], strength: float) -> None:
        """Lays grain, shadows [N, 3 each] and haze over the ground painted so far."""
        canvas = self._canvas
        ground = canvas.pixels[canvas.horizon :]
        shade = self._shading(view)
        if shadows:
            self._shadow[canvas.horizon :] = 255
            for outline in shadows:
                canvas.polygon_on(self._shadow, outline, (255 * (1 - strength), 0, 0, 0))
            shade = cv2.multiply(shade, self._shadow[canvas.horizon :], scale=1 / 255)
        shades = cv2.merge((shade, shade, shade, np.full_like(shade, 128)))
        cv2.multiply(ground, shades, dst=ground, scale=1 / 128)
        self._fade(ground)

    def _fade(self, ground: Uint8) -> None:
        """Haze over the rows where it shows; nearer ones stay as they are."""
        rows = int((self._haze > 0.015).sum())
        far = ground[:rows, :, :3].astype(np.float32)
        share = self._haze[:rows, None, None]
        far += (np.asarray(self._light.horizon, np.float32) - far) * share
        ground[:rows, :, :3] = far

    def _shading(self, view: View) -> Uint8:
        """Grain of the ground uint8 [rows, width]; 128 changes nothing."""
        offset = view.offsets(self._depths)
        np.subtract(self._lateral, offset[:, None], out=self._map_x)
        self._map_x += _ACROSS / 2
        along = (self._depths + np.float32(view.s % _ALONG)) % _ALONG
        shade = np.empty((self._rows, self._canvas.camera.width), np.uint8)
        for (top, bottom), grain in zip(self._bands, self._grain, strict=True):
            if bottom <= top:
                continue
            scale = grain.shape[0] / _ALONG
            band = self._map_x[top:bottom]
            band *= scale
            self._map_y[top:bottom] = (along[top:bottom] * scale)[:, None]
            cv2.remap(grain, band, self._map_y[top:bottom], cv2.INTER_LINEAR,
                      dst=shade[top:bottom], borderMode=cv2.BORDER_REFLECT)  # fmt: skip
        return shade

    def _sidewalks(self, view: View, start: float, end: float) -> None:
        street, canvas = self._street, self._canvas
        for side, wide in ((-1, street.left), (1, street.right)):
            if not wide:
                continue
            near, far = side * street.half_width, side * (street.half_width + wide)
            paving = (*self._lit(street.paving), SIDEWALK)
            canvas.polygon(view.strip(start, end, near, far, (CURB, CURB)), paving)
            dark = (*self._lit(street.paving, 0.62), SIDEWALK)
            canvas.polygon(view.strip(start, end, near, near, (0.0, CURB)), dark)
            pale = (*self._lit(street.paving, 1.12), SIDEWALK)
            edge = near + side * 0.22
            canvas.polygon(
                view.strip(start, min(end, view.s + 60), near, edge, (CURB, CURB)), pale
            )

    def _lines(self, view: View, start: float, end: float) -> None:
        street = self._street
        half = street.half_width
        if street.centre == "double":
            for middle in (-0.16, 0.16):
                self._mark(view, start, end, middle, 0.12, _YELLOW)
        else:
            colour = _YELLOW if street.centre == "yellow" else _WHITE
            self._dashes(view, start, end, 0.0, colour)
        if street.lanes > 2:
            for side in (-1, 1):
                self._dashes(view, start, end, side * (half - 2.3) / 2, _WHITE)
        if street.edge:
            for side in (-1, 1):
                self._mark(view, start, end, side * (half - 0.35), 0.15, _WHITE)

    def _dashes(self, view: View, start: float, end: float, middle: float, colour: Bgr) -> None:
        first = start - start % 9.0
        for dash in np.arange(first, min(end, view.s + 110), 9.0):
            if dash + 3.2 > start:
                self._mark(view, max(float(dash), start), min(float(dash) + 3.2, end), middle,
                           0.16, colour)  # fmt: skip

    def _mark(self, view: View, start: float, end: float, middle: float, wide: float,
              colour: Bgr) -> None:  # fmt: skip
        if end <= start:
            return
        outline = view.strip(start, end, middle - wide / 2, middle + wide / 2)
        self._canvas.polygon(outline, (*self._lit(colour), ROAD_LINE))

    def _side_street(self, view: View, crossing: Crossing) -> None:
        """A straight street across, with its own sidewalks."""
        canvas, street = self._canvas, self._street
        spot = view.spot(crossing.s, 0.0)
        reach, wide = 90.0, crossing.half_width

        def band(left: float, right: float, near: float, far: float, low: float = 0.0,
                 high: float = 0.0) -> Floats:  # fmt: skip
            sine, cosine = np.sin(spot.turn), np.cos(spot.turn)
            return np.array(
                [(spot.x + d * cosine + s * sine, y, spot.z - d * sine + s * cosine)
                 for s, d, y in ((near, left, low), (near, right, low), (far, right, high),
                                 (far, left, high))], np.float32,
            )  # fmt: skip

        paving = (*self._lit(street.paving), SIDEWALK)
        for side, walk in ((-1, street.left), (1, street.right)):
            walk = max(walk, 1.5)
            inner, outer = side * street.half_width, side * reach
            for edge, away in ((-wide, -wide - walk), (wide, wide + walk)):
                canvas.polygon(band(inner, outer, edge, away, CURB, CURB), paving)
            canvas.polygon(band(inner, outer, wide, wide, 0.0, CURB),
                           (*self._lit(street.paving, 0.62), SIDEWALK))  # fmt: skip
        canvas.polygon(band(-reach, reach, -wide, wide), (*self._lit(street.asphalt), ROAD))
        for side in (-1, 1):
            inner, outer = side * (street.half_width + 3), side * reach
            canvas.polygon(band(inner, outer, -0.08, 0.08), (*self._lit(_WHITE), ROAD_LINE))

    def _zebra(self, view: View, crossing: Crossing) -> None:
        street = self._street
        stop = crossing.s - crossing.half_width - 1.0
        self._mark(view, stop - 0.4, stop, street.half_width / 2, street.half_width - 0.6, _WHITE)
        for edge in (crossing.s - crossing.half_width + 0.2, crossing.s + crossing.half_width - 3):
            if not view.s + 1 < edge < view.s + 70:
                continue
            for middle in np.arange(-street.half_width + 0.7, street.half_width - 0.4, 1.1):
                self._mark(view, edge, edge + 2.6, float(middle), 0.5, _WHITE)

    def _lit(self, colour: Bgr, factor: float = 1.0) -> Bgr:
        blue, green, red = np.minimum(np.asarray(colour) * self._gain * factor, 255.0).tolist()
        return blue, green, red


def _bands(depths: Floats, focal: float) -> list[tuple[int, int]]:
    """Rows [first, last) for each level of grain: coarse ones for the distance."""
    metres_a_pixel = depths / focal * 3
    limits = [0.0, 0.05, 0.16, 1e9]
    bands = []
    for fine, coarse in zip(limits, limits[1:], strict=False):
        inside = np.nonzero((metres_a_pixel > fine) & (metres_a_pixel <= coarse))[0]
        bands.append((int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, 0))
    return bands


def _grain(rng: np.random.Generator, street: Street) -> list[Uint8]:
    """Light and dark of the ground, _ACROSS x _ALONG metres, finest first; 128 is neutral."""
    size = 1536
    scale = size / _ACROSS
    lateral = (np.arange(size, dtype=np.float32) + 0.5) / scale - _ACROSS / 2
    half = street.half_width
    road = np.abs(lateral) < half
    walk = ((lateral >= half) & (lateral < half + street.right)) | (
        (lateral <= -half) & (lateral > -half - street.left)
    )
    strength = np.where(road, 0.05, np.where(walk, 0.045, 0.13)).astype(np.float32)
    shade = np.ones((size, size), np.float32)
    for cells, weight in ((size, 0.9), (size // 3, 0.7), (96, 0.8), (16, 0.7)):
        noise = rng.normal(0, 1, (cells, cells)).astype(np.float32)
        noise[-1] = noise[0]
        shade += (
            cv2.resize(noise, (size, size), interpolation=cv2.INTER_LINEAR) * strength * weight
        )
    tracks = sum(np.exp(-(((np.abs(lateral) - x) / 0.35) ** 2)) for x in (half * 0.28, half * 0.7))
    shade -= np.where(road, 0.09 * tracks, 0.0).astype(np.float32)
    joints = np.arange(size) % round(1.6 * scale) < 2
    shade[np.ix_(joints, walk)] *= 0.8
    for _ in range(26):
        _crack_or_patch(rng, shade, scale, half)
    levels = [np.clip(shade * 128, 0, 255).astype(np.uint8)]
    for factor in (4, 16):
        levels.append(cv2.resize(levels[0], (size // factor,) * 2, interpolation=cv2.INTER_AREA))
    # One row more than a period, so that the last row blends into the first.
    return levels


def _crack_or_patch(rng: np.random.Generator, shade: Floats, scale: float, half: float) -> None:
    """A mended rectangle, a crack or a manhole cover somewhere on the road."""
    size = shade.shape[0]
    middle = size // 2 + int(rng.uniform(-half, half) * scale), int(rng.integers(size))
    kind = rng.random()
    if kind < 0.3:
        reach = int(rng.uniform(0.5, 1.4) * scale), int(rng.uniform(0.6, 3) * scale)
        top, left = max(middle[1] - reach[1], 0), max(middle[0] - reach[0], 0)
        shade[top : middle[1] + reach[1], left : middle[0] + reach[0]] *= rng.uniform(0.82, 1.1)
    elif kind < 0.4:
        cv2.circle(shade, middle, int(0.34 * scale), 0.6, -1)
    else:
        steps = np.cumsum(rng.normal(0, 1, (8, 2)) * scale * (0.15, 0.6), axis=0) + middle
        cv2.polylines(shade, [steps.astype(np.int32)], False, 0.72, 1)
