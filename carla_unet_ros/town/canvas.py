"""Painting of flat faces and textures in perspective; colour and label go down together.

The canvas is one uint8 image [H, W, 4]: B, G, R and, in the fourth channel, the class id. So the
label image cannot disagree with the picture: one polygon, one texture, writes both.
"""

import cv2
import numpy as np
import numpy.typing as npt

from carla_unet_ros.camera_model import Intrinsics
from carla_unet_ros.labels import Uint8
from carla_unet_ros.town.light import Floats
from carla_unet_ros.town.tags import CLEAR

NEAR = 0.4
"""Nothing closer to the camera than this is painted (metres)."""

Points = npt.NDArray[np.int32]
Colour = tuple[float, float, float, float]


class Texture:
    """Colours and labels [H, W, 4], with smaller copies for the distance (each half the size)."""

    def __init__(self, pixels: Uint8) -> None:
        self.levels = [np.ascontiguousarray(pixels)]
        while min(self.levels[-1].shape[:2]) >= 16:
            self.levels.append(_half(self.levels[-1]))
        self.has_holes = bool((pixels[..., 3] == CLEAR).any())
        middle = pixels[..., :3][pixels[..., 3] != CLEAR]
        self.mean = middle.mean(axis=0, dtype=np.float32)
        self.label = int(np.bincount(pixels[..., 3].ravel(), minlength=256)[:CLEAR].argmax())

    def level(self, screen_pixels: float) -> Uint8:
        """The smallest copy that is not wider than needed for `screen_pixels` across the image."""
        for pixels in reversed(self.levels):
            if max(pixels.shape[:2]) >= screen_pixels:
                return pixels
        return self.levels[0]


class Canvas:
    """A picture being painted, seen from `eye` metres above the ground, looking level."""

    def __init__(self, camera: Intrinsics, eye: float) -> None:
        self.camera = camera
        self.eye = eye
        self.horizon = round(camera.cy)
        self.pixels: Uint8 = np.zeros((camera.height, camera.width, 4), np.uint8)

    def project(self, points: Floats) -> Points:
        """Camera coordinates float32 [N, 3], all in front of the camera -> pixels int32 [N, 2]."""
        scale = self.camera.focal / points[:, 2]
        image = np.empty((len(points), 2), np.float32)
        image[:, 0] = self.camera.cx + points[:, 0] * scale
        image[:, 1] = self.camera.cy + (self.eye - points[:, 1]) * scale
        return np.rint(image).astype(np.int32)

    def polygon(self, points: Floats, colour: Colour) -> None:
        """Fills a polygon [N, 3] of camera coordinates; what is behind the camera is cut off."""
        self.polygon_on(self.pixels, points, colour)

    def polygon_on(self, image: Uint8, points: Floats, colour: Colour) -> None:
        """The same on another image of this camera, such as a shadow mask."""
        if points[:, 2].min() < NEAR:
            points = clip_near(points)
            if len(points) < 3:
                return
        cv2.fillPoly(image, [self.project(points)], colour)

    def texture(self, corner: Floats, across: Floats, up: Floats, texture: Texture,
                table: Uint8) -> None:  # fmt: skip
        """Paints a texture on the rectangle corner, corner + across, corner + up (`up` vertical).

        The texture's bottom row lies at the corner. `table` is the light's lookup.
        """
        outline = np.array((corner, corner + across, corner + across + up, corner + up))
        if outline[:, 2].min() < NEAR:
            outline = clip_near(outline)
            if len(outline) < 3:
                return
        image = self.project(outline)
        left, top = np.maximum(image.min(axis=0), 0)
        right, bottom = np.minimum(image.max(axis=0) + 1, (self.camera.width, self.camera.height))
        if right <= left or bottom <= top:
            return
        tall = float(image[:, 1].max() - image[:, 1].min())
        wide = float(image[:, 0].max() - image[:, 0].min())
        full = texture.levels[0].shape
        pixels = texture.level(max(tall * full[1] / full[0], wide, tall))
        pixels = cv2.LUT(pixels, table)
        matrix = self._image_to_texture(corner, across, up, pixels.shape, left, top)
        area = self.pixels[top:bottom, left:right]
        size = (int(right - left), int(bottom - top))
        flags = cv2.WARP_INVERSE_MAP | cv2.INTER_NEAREST
        if texture.has_holes:
            warped = cv2.warpPerspective(
                pixels, matrix, size, flags=flags, borderMode=cv2.BORDER_CONSTANT,
                borderValue=(0, 0, 0, CLEAR),
            )  # fmt: skip
            mask = cv2.compare(cv2.extractChannel(warped, 3), CLEAR, cv2.CMP_NE)
            cv2.copyTo(warped, mask, area)
        else:
            mean = table[0, texture.mean.astype(np.uint8), (0, 1, 2)]
            cv2.fillPoly(self.pixels, [image], (*map(float, mean), float(texture.label)))
            cv2.warpPerspective(
                pixels, matrix, size, dst=area, flags=cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_TRANSPARENT,
            )  # fmt: skip

    def _image_to_texture(self, corner: Floats, across: Floats, up: Floats,
                          shape: tuple[int, ...], left: int, top: int) -> Floats:  # fmt: skip
        """Homography from pixels of the area at (left, top) to pixels of a texture."""
        rows, columns = shape[:2]
        focal, cx, cy = self.camera.focal, self.camera.cx - left, self.camera.cy - top
        to_image = np.array(((focal, 0, cx), (0, -focal, cy), (0, 0, 1)), np.float64)
        origin = corner + up - np.array((0, self.eye, 0))
        plane = np.stack((across / columns, -up / rows, origin), axis=1)
        centred = np.array(((1, 0, -0.5), (0, 1, -0.5), (0, 0, 1)))
        return centred @ np.linalg.inv(to_image @ plane)


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


def _half(pixels: Uint8) -> Uint8:
    """Half the size; a pixel is clear where most of its four are, else it has a solid one's label.

    Colours are averaged over the solid pixels alone, so clear ones leave no fringe.
    """
    rows, columns = pixels.shape[0] // 2, pixels.shape[1] // 2
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
