# SPDX-License-Identifier: Apache-2.0
"""The canvas: paints flat faces and textures in perspective, with colour and label at once.

The canvas is one uint8 image [H, W, 4]: B, G, R, and the class id in the fourth channel. Each
polygon and each texture writes both. So the label image cannot disagree with the picture. Where
depth is wanted, each of them is entered in a DepthBuffer, too.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from carla_unet_ros.camera_model import Intrinsics
from carla_unet_ros.labels import Uint8
from carla_unet_ros.stand_in.town.depth import DepthBuffer
from carla_unet_ros.stand_in.town.light import Floats, Shade
from carla_unet_ros.stand_in.town.tags import CLEAR

NEAR = 0.4
"""The nearest distance from the camera that is painted, in metres."""

_KEPT = 24
"""How many shaded copies of a texture are kept."""

Points = npt.NDArray[np.int32]
Colour = tuple[float, float, float, float]


class Texture:
    """Colours and labels [H, W, 4], and smaller copies for the distance, each of half the size."""

    def __init__(self, pixels: Uint8) -> None:
        self.levels = [np.ascontiguousarray(pixels)]
        self._shaded: dict[tuple[int, Shade], Uint8] = {}
        while min(self.levels[-1].shape[:2]) >= 16:
            self.levels.append(_halve(self.levels[-1]))
        self.has_holes = bool((pixels[..., 3] == CLEAR).any())
        solid = (pixels[..., 3] != CLEAR).view(np.uint8)
        self.mean = cv2.mean(pixels, solid)[:3]
        self.label = int(np.bincount(pixels[..., 3].ravel(), minlength=256)[:CLEAR].argmax())

    def shaded(self, wide: int, tall: int, shade: Shade) -> Uint8:
        """A copy in this light, no larger than so many pixels of the picture need."""
        levels = range(len(self.levels) - 1, 0, -1)
        fits = (n for n in levels if _covers(self.levels[n].shape, wide, tall))
        number = next(fits, 0)
        key = number, shade
        if key not in self._shaded:
            if len(self._shaded) >= _KEPT:
                self._shaded.clear()
            self._shaded[key] = np.asarray(cv2.LUT(self.levels[number], shade.table()), np.uint8)
        return self._shaded[key]


class Sprite(NamedTuple):
    """A texture and its size in metres. Its foot is the middle of its lower edge."""

    texture: Texture
    width: float
    height: float


def make_blank(rows: int, columns: int) -> Uint8:
    """An empty picture to draw a sprite on: all its pixels are CLEAR."""
    image = np.zeros((rows, columns, 4), np.uint8)
    image[..., 3] = CLEAR
    return image


def _covers(shape: tuple[int, ...], wide: int, tall: int) -> bool:
    return shape[0] >= tall and shape[1] >= wide


class Canvas:
    """A picture to paint on, seen from `eye` metres above the ground, straight ahead."""

    def __init__(self, camera: Intrinsics, eye: float) -> None:
        self.camera = camera
        self.eye = eye
        self.horizon = round(camera.cy)
        self.pixels: Uint8 = np.zeros((camera.height, camera.width, 4), np.uint8)
        self.depth: DepthBuffer | None = None

    def project(self, points: Floats) -> Points:
        """Camera coordinates float32 [N, 3], all in front of the camera -> pixels int32 [N, 2]."""
        scale = self.camera.focal / points[:, 2]
        image = np.empty((len(points), 2), np.float32)
        image[:, 0] = self.camera.cx + points[:, 0] * scale
        image[:, 1] = self.camera.cy + (self.eye - points[:, 1]) * scale
        return np.rint(image).astype(np.int32)

    def polygon(self, points: Floats, colour: Colour) -> None:
        """Fills a polygon [N, 3] in camera coordinates; the part behind the camera is cut off."""
        self.polygon_on(self.pixels, points, colour)
        self._deepen(points)

    def ribbon(self, points: Floats, colour: Colour) -> None:
        """Fills a strip that bends on its way from near to far.

        points: one edge [N, 3], then the other [N, 3] back, in camera coordinates
        """
        self.polygon_on(self.pixels, points, colour)
        if self.depth:
            half = len(points) // 2
            one, other = points[:half], points[half:][::-1]
            pieces = np.stack((one[:-1], one[1:], other[1:], other[:-1]), axis=1)
            for piece in pieces[::-1]:
                self._deepen(piece)

    def polygon_on(self, image: Uint8, points: Floats, colour: Colour) -> None:
        """Fills a polygon on another image of this camera, such as a shadow mask."""
        points = _in_front(points)
        if len(points):
            cv2.fillPoly(image, [self.project(points)], colour)

    def _deepen(self, points: Floats) -> None:
        """Enters a polygon [N, 3] in the depth buffer, if there is one."""
        points = _in_front(points)
        if self.depth and len(points):
            self.depth.fill(self.project(points), points)

    def quads(self, corners: Floats, colour: Colour) -> None:
        """Fills many quadrilaterals float32 [N, 4, 3] with one colour."""
        ahead = corners[..., 2].min(axis=1) >= NEAR
        whole = corners[ahead]
        if len(whole):
            image = self.project(whole.reshape(-1, 3)).reshape(-1, 4, 2)
            cv2.fillPoly(self.pixels, list(image), colour)
            if self.depth:
                for outline, points in zip(image, whole, strict=True):
                    self.depth.fill(outline, points)
        for outline in corners[~ahead]:
            self.polygon(outline, colour)

    def texture(self, corner: Floats, across: Floats, up: float, texture: Texture,
                shade: Shade) -> None:  # fmt: skip
        """Paints a texture on an upright rectangle.

        corner: the lower left corner, in camera coordinates
        across: from there to the lower right corner
        up:     the height in metres
        """
        high = np.array((0, up, 0), np.float32)
        outline = np.array((corner, corner + across, corner + across + high, corner + high))
        outline = _in_front(outline)
        if not len(outline):
            return
        image = self.project(outline)
        first, last = image.min(axis=0).tolist(), image.max(axis=0).tolist()
        left, top = max(first[0], 0), max(first[1], 0)
        right = min(last[0] + 1, self.camera.width)
        bottom = min(last[1] + 1, self.camera.height)
        if right <= left or bottom <= top:
            return
        wide, tall = last[0] - first[0], last[1] - first[1]
        pixels = texture.shaded(wide, tall, shade)
        matrix = self._image_to_texture(corner, across, up, pixels.shape, left, top)
        area, size = self.pixels[top:bottom, left:right], (right - left, bottom - top)
        if texture.has_holes:
            warped = cv2.warpPerspective(
                pixels, matrix, size, flags=cv2.WARP_INVERSE_MAP | cv2.INTER_NEAREST,
                borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0, CLEAR),
            )  # fmt: skip
            mask = _copy_solid(np.asarray(warped, np.uint8), area)
            if self.depth:
                self.depth.fill_mask(mask, left, top, outline)
        else:
            # Linear interpolation leaves the outermost pixels as they are: plain colour there.
            plain = shade.colour(texture.mean)
            cv2.fillPoly(self.pixels, [image], (*plain, texture.label))
            cv2.warpPerspective(
                pixels, matrix, size, dst=area, flags=cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_TRANSPARENT,
            )  # fmt: skip
            if self.depth:
                self.depth.fill(image, outline)

    def sprite(self, foot: tuple[float, float, float], size: tuple[float, float],
               texture: Texture, shade: Shade) -> None:  # fmt: skip
        """Paints a texture of this width and height on `foot`, where it faces the camera."""
        x, y, z = foot
        scale = self.camera.focal / z
        left = round(self.camera.cx + (x - size[0] / 2) * scale)
        bottom = round(self.camera.cy + (self.eye - y) * scale)
        wide, tall = max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)
        top = bottom - tall
        columns = range(max(left, 0), min(left + wide, self.camera.width))
        rows = range(max(top, 0), min(bottom, self.camera.height))
        if not columns or not rows:
            return
        pixels = texture.shaded(wide, tall, shade)
        if len(columns) * len(rows) < 0.6 * wide * tall:
            ys = ((np.array(rows) - top) * (pixels.shape[0] / tall)).astype(np.intp)
            xs = ((np.array(columns) - left) * (pixels.shape[1] / wide)).astype(np.intp)
            pixels = pixels[ys[:, None], xs]
        else:
            pixels = cv2.resize(pixels, (wide, tall), interpolation=cv2.INTER_NEAREST)
            pixels = pixels[rows.start - top : rows.stop - top, columns.start - left :]
            pixels = pixels[:, : len(columns)]
        area = self.pixels[rows.start : rows.stop, columns.start : columns.stop]
        mask = _copy_solid(np.asarray(pixels, np.uint8), area)
        if self.depth:
            upright = np.array(((x, y, z), (x + 1, y, z), (x, y + 1, z)), np.float32)
            self.depth.fill_mask(mask, columns.start, rows.start, upright)

    def is_outside(self, x: float, z: float, radius: float) -> bool:
        """Returns whether an object of this radius on the ground is outside the picture."""
        reach = self.camera.width / 2 / self.camera.focal
        return abs(x) - radius * (1 + reach) > max(z, 0) * reach or z + radius < NEAR

    def _image_to_texture(self, corner: Floats, across: Floats, up: float,
                          shape: tuple[int, ...], left: int, top: int) -> Floats:  # fmt: skip
        """The homography from pixels of the area at (left, top) to pixels of a texture.

        The ray (p, q, 1) of a pixel meets the upright plane at share a across and share b up:
        a = (p z0 - x0) / (ax - p az), b = ((ax z0 - az x0) q / (ax - p az) - y0) / up.
        """
        rows, columns = shape[:2]
        focal, cx, cy = self.camera.focal, self.camera.cx - left, self.camera.cy - top
        x0, y0, z0 = corner.tolist()
        ax, _, az = across.tolist()
        y0 -= self.eye
        twist = ax * z0 - az * x0
        down = np.array((-az, 0.0, focal * ax + cx * az))
        a = np.array((z0, 0.0, -cx * z0 - focal * x0)) * columns
        b = (down * (up + y0) - (0.0, -twist, twist * cy)) * (rows / up)
        return np.stack((a - 0.5 * down, b - 0.5 * down, down))


def _copy_solid(pixels: Uint8, area: Uint8) -> Uint8:
    """Copies the pixels that are not CLEAR onto the area; returns where they are, 1 or 0."""
    mask = (pixels[..., 3] != CLEAR).view(np.uint8)
    cv2.copyTo(pixels, mask, area)
    return mask


def _in_front(points: Floats) -> Floats:
    """The part of a polygon [N, 3] in front of the camera; no points where all is behind it."""
    if points[:, 2].min() < NEAR:
        points = clip_near(points)
    return points if len(points) >= 3 else points[:0]


def clip_near(points: Floats) -> Floats:
    """The part of a polygon [N, 3] in front of the camera (Sutherland and Hodgman, one plane)."""
    kept: list[Floats] = []
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        inside, next_inside = start[2] >= NEAR, end[2] >= NEAR
        if inside:
            kept.append(start)
        if inside != next_inside:
            kept.append(start + (end - start) * ((NEAR - start[2]) / (end[2] - start[2])))
    return np.array(kept, np.float32).reshape(-1, 3)


def _halve(pixels: Uint8) -> Uint8:
    """The picture in half its size.

    A pixel is CLEAR where most of its four are; else it has the label of one that is not. Colours
    are averaged over the pixels that are not CLEAR, so these leave no fringe.
    """
    rows, columns = pixels.shape[0] // 2, pixels.shape[1] // 2
    if not (pixels[..., 3] == CLEAR).any():
        half = cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_AREA)
        half[..., 3] = pixels[: rows * 2 : 2, : columns * 2 : 2, 3]
        return np.asarray(half, np.uint8)
    blocks = pixels[: rows * 2, : columns * 2].reshape(rows, 2, columns, 2, 4)
    blocks = blocks.transpose(0, 2, 1, 3, 4).reshape(rows, columns, 4, 4)
    labels = blocks[..., 3]
    solid = labels != CLEAR
    count = solid.sum(axis=2)
    half = np.zeros((rows, columns, 4), np.uint8)
    total = (blocks[..., :3] * solid[..., None]).sum(axis=2, dtype=np.uint16)
    half[..., :3] = total // np.maximum(count, 1)[..., None]
    first = np.take_along_axis(labels, solid.argmax(axis=2)[..., None], axis=2)[..., 0]
    half[..., 3] = np.where(count >= 2, first, CLEAR)
    return half
