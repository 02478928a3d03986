# SPDX-License-Identifier: Apache-2.0
"""The ground: grass, road, lines, sidewalks and crossings, with their grain and shadows."""

import cv2
import numpy as np

from carla_unet_ros.labels import Uint8
from carla_unet_ros.stand_in.town.canvas import NEAR, Canvas
from carla_unet_ros.stand_in.town.course import AHEAD, View
from carla_unet_ros.stand_in.town.grain import ACROSS, ALONG, find_bands, make_grain
from carla_unet_ros.stand_in.town.light import Bgr, Floats, Light
from carla_unet_ros.stand_in.town.street import Crossing, Street
from carla_unet_ros.stand_in.town.tags import NONE, ROAD, ROAD_LINE, SIDEWALK

CURB = 0.15
_DEEPEST = 900.0
_WHITE: Bgr = (176.0, 180.0, 182.0)
_YELLOW: Bgr = (52.0, 138.0, 176.0)


class Ground:
    """Paints the ground below the horizon. It keeps what depends on the camera alone."""

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
        self._bands = find_bands(self._depths, camera.focal)
        self._grain = make_grain(rng, street)
        self._fade_gain, self._fade_haze = _fading(light, self._depths, camera.width)
        up = np.array(((0.0, 1.0, 0.0),), np.float32)
        self._gain = light.gains(up, light.direction(0.0))[0]
        self._bare = np.empty((self._rows, camera.width, 4), np.uint8)
        self._bare[:] = (*self._lit(street.soil), NONE)
        self._shadow: Uint8 = np.full((camera.height, camera.width), 255, np.uint8)
        self._map_x = np.empty((self._rows, camera.width), np.float32)
        self._map_y = np.empty_like(self._map_x)

    def paint(self, view: View, crossings: list[Crossing]) -> None:
        """Paints the flat ground, without grain and shadows."""
        canvas, street = self._canvas, self._street
        canvas.pixels[canvas.horizon :] = self._bare
        if canvas.depth:
            canvas.depth.fill_level(np.ones(self._bare.shape[:2], np.uint8), canvas.horizon, 0.0)
        end = view.s + AHEAD
        start = view.s + NEAR + 0.1
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
        """Adds grain, shadows (each [N, 3]) and haze to the ground that was painted so far."""
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

    def mirror(self) -> None:
        """Makes the road wet: it mirrors, darker and upside down, what is above the horizon."""
        canvas = self._canvas
        rows = min(canvas.horizon, self._rows)
        if not rows:
            return
        ground = canvas.pixels[canvas.horizon : canvas.horizon + rows]
        above = np.ascontiguousarray(canvas.pixels[canvas.horizon - rows : canvas.horizon][::-1])
        above = np.asarray(cv2.blur(above, (5, 25)), np.uint8)
        above[..., 3] = ground[..., 3]
        share = 0.3 * self._light.wetness
        wet = np.asarray(cv2.addWeighted(ground, 1 - share, above, share, 0), np.uint8)
        road = np.isin(ground[..., 3], (ROAD_LINE, ROAD)).view(np.uint8)
        cv2.copyTo(wet, road, ground)

    def _fade(self, ground: Uint8) -> None:
        """Adds haze to the rows where it is visible; nearer rows stay as they are."""
        far = ground[: len(self._fade_gain)]
        if len(far):
            cv2.multiply(far, self._fade_gain, dst=far, scale=1 / 255)
            cv2.add(far, self._fade_haze, dst=far)

    def _shading(self, view: View) -> Uint8:
        """The grain of the ground, uint8 [rows, width]; 128 changes nothing."""
        offset = view.offsets(self._depths)
        np.subtract(self._lateral, offset[:, None], out=self._map_x)
        self._map_x += ACROSS / 2
        along = (self._depths + np.float32(view.s % ALONG)) % ALONG
        shade = np.empty((self._rows, self._canvas.camera.width), np.uint8)
        for (top, bottom), level in zip(self._bands, self._grain, strict=True):
            if bottom <= top:
                continue
            scale = level.shape[0] / ALONG
            band = self._map_x[top:bottom]
            band *= scale
            self._map_y[top:bottom] = (along[top:bottom] * scale)[:, None]
            cv2.remap(level, band, self._map_y[top:bottom], cv2.INTER_LINEAR,
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
            canvas.ribbon(view.strip(start, end, near, near, (0.0, CURB)), dark)
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
        starts = np.arange(start - start % 9.0, min(end, view.s + 110), 9.0)
        ends = np.minimum(starts + 3.2, end)
        seen = ends > start
        starts = np.maximum(starts, start)[seen]
        middles = np.full(len(starts), middle)
        outlines = view.patches(starts, ends[seen], middles - 0.08, middles + 0.08)
        self._canvas.quads(outlines, (*self._lit(colour), ROAD_LINE))

    def _mark(self, view: View, start: float, end: float, middle: float, wide: float,
              colour: Bgr) -> None:  # fmt: skip
        if end <= start:
            return
        outline = view.strip(start, end, middle - wide / 2, middle + wide / 2)
        self._canvas.polygon(outline, (*self._lit(colour), ROAD_LINE))

    def _side_street(self, view: View, crossing: Crossing) -> None:
        """Paints a straight street that crosses, with its sidewalks."""
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
            middles = np.arange(-street.half_width + 0.7, street.half_width - 0.4, 1.1)
            starts = np.full(len(middles), edge)
            outlines = view.patches(starts, starts + 2.6, middles - 0.25, middles + 0.25)
            self._canvas.quads(outlines, (*self._lit(_WHITE), ROAD_LINE))

    def _lit(self, colour: Bgr, factor: float = 1.0) -> Bgr:
        blue, green, red = np.minimum(np.asarray(colour) * self._gain * factor, 255.0).tolist()
        return blue, green, red


def _fading(light: Light, depths: Floats, width: int) -> tuple[Uint8, Uint8]:
    """For the far rows: a factor (of 255) and a summand; they leave labels as they are."""
    share = np.array([light.haze(float(depth)) for depth in depths])
    share = share[share > 0.02]
    gain = np.full((len(share), width, 4), 255, np.uint8)
    gain[..., :3] = np.rint(255 * (1 - share))[:, None, None]
    haze = np.zeros_like(gain)
    haze[..., :3] = np.rint(share[:, None] * np.asarray(light.horizon))[:, None]
    return gain, haze
