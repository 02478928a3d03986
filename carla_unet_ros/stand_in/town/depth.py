# SPDX-License-Identifier: Apache-2.0
"""Depth of what is painted: which flat face each pixel shows, and where that face lies.

All of the town is painted from flat faces, the later over the earlier. So it is enough to write
down, with the same outlines, the number of the face of each pixel. At the end, 1 / depth of a
pixel is a plane's linear function of the pixel's place: the ray r of the middle of the pixel, with
1 ahead, meets the plane n . p = n . p0 at depth (n . p0) / (n . r).
"""

import cv2
import numpy as np
import numpy.typing as npt

from carla_unet_ros.camera_model import FARTHEST_DEPTH, Intrinsics
from carla_unet_ros.labels import Uint8
from carla_unet_ros.stand_in.town.light import Floats

_SKY = ((0, 0, FARTHEST_DEPTH), (1, 0, FARTHEST_DEPTH), (0, 1, FARTHEST_DEPTH))
_NEAREST = 0.1
_MARGIN = 1.2


class DepthBuffer:
    """The faces of one picture, in the order in which they were painted; the first is the sky.

    Corners of faces are float32 [N, 3] in camera coordinates, three or more. No pixel of a face is
    much nearer or farther than its corners, though its middle may lie outside of the face.
    """

    def __init__(self, camera: Intrinsics, eye: float) -> None:
        """eye: metres above the ground; the camera looks straight ahead."""
        self._eye = np.array((0.0, eye, 0.0), np.float32)
        self._right = (np.arange(camera.width) + 0.5 - camera.cx) / camera.focal
        self._up = (camera.cy - 0.5 - np.arange(camera.height)) / camera.focal
        self._numbers = np.zeros((camera.height, camera.width), np.int32)
        self._faces: list[Floats] = [np.array(_SKY, np.float32)]

    def fill(self, outline: npt.NDArray[np.int32], corners: Floats) -> None:
        """Adds a face with this outline in the picture, int32 [N, 2]."""
        cv2.fillPoly(self._numbers, [outline], len(self._faces))
        self._faces.append(corners)

    def fill_mask(self, mask: Uint8, left: int, top: int, corners: Floats) -> None:
        """Adds a face where the mask is not 0: uint8 [H, W], its corner at (left, top)."""
        rows, columns = mask.shape
        area = self._numbers[top : top + rows, left : left + columns]
        area[mask != 0] = len(self._faces)
        self._faces.append(corners)

    def fill_level(self, mask: Uint8, top: int, height: float) -> None:
        """Adds a level face, so many metres above the ground, with the mask below row `top`."""
        far, near = FARTHEST_DEPTH, _NEAREST
        corners = (-1, height, near), (1, height, near), (1, height, far), (-1, height, far)
        self.fill_mask(mask, 0, top, np.array(corners, np.float32))

    def metres(self) -> Floats:
        """Depth float32 [H, W]: metres ahead of the camera, FARTHEST_DEPTH for the sky."""
        across, upward, ahead, near, far = (
            np.take(column, self._numbers) for column in self._planes().T
        )
        across *= self._right.astype(np.float32)
        upward *= self._up.astype(np.float32)[:, np.newaxis]
        inverse = across + upward + ahead
        # Behind its horizon a plane that runs away from the camera is seen by no ray.
        return np.clip(1 / np.maximum(inverse, 1e-6), near, far)

    def _planes(self) -> Floats:
        """For each face the factors of right, up and ahead in 1 / depth, and its bounds of depth.

        float32 [faces, 5]. The normal comes from all corners, by Newell's method.
        """
        counts = np.array([len(face) for face in self._faces])
        ends = np.cumsum(counts)
        starts = ends - counts
        corners = (np.concatenate(self._faces) - self._eye).astype(np.float64)
        following = np.arange(1, len(corners) + 1)
        following[ends - 1] = starts
        normals = np.add.reduceat(np.cross(corners, corners[following]), starts)
        middles = np.add.reduceat(corners, starts) / counts[:, np.newaxis]
        near = np.minimum.reduceat(corners[:, 2], starts)
        far = np.maximum.reduceat(corners[:, 2], starts)
        distances = (normals * middles).sum(axis=1, keepdims=True)
        edge_on = np.abs(distances) < 1e-9
        factors = normals / np.where(edge_on, 1.0, distances)
        factors = np.where(edge_on, (0.0, 0.0, 1.0) / near[:, np.newaxis], factors)
        bounds = near / _MARGIN, np.minimum(far * _MARGIN, FARTHEST_DEPTH)
        return np.column_stack((factors, *bounds)).astype(np.float32)
