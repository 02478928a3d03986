# SPDX-License-Identifier: Apache-2.0
"""Computes an organised cloud of labelled points from labels and depth; knows no ROS.

A pixel sees its point at `depth` metres ahead of the camera, where the ray through the middle of
the pixel is (right, down, ahead) = ((u + 0.5 - cx) / fx, (v + 0.5 - cy) / fy, 1). So `right`
depends on the column alone and `down` on the row alone: they are computed once. A frame then costs
three products, written right into the bytes of the message.
"""

from array import array
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from carla_unet_ros.camera_model import BODY_OF_OPTICAL, Calibration
from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import Uint8
from carla_unet_ros.labels.legend import Legend

FIELDS = {
    "x": "<f4",
    "y": "<f4",
    "z": "<f4",
    "label": "u1",
    "confidence": "u1",
    "rgb": "<u4",
}
POINT = np.dtype(list(FIELDS.items()))
"""One point, 18 bytes without padding. rgb is 0x00RRGGBB, as PCL and RViz read it."""

ALL = "all"
"""Keeps every class, where classes are named."""

_NEAREST = 1e-6
_LEFT_OUT = 255


class ClassTable(NamedTuple):
    """left_out: uint8 [256], 255 for ids that give no point; rgb: uint32 [256], colours by id."""

    left_out: Uint8
    rgb: npt.NDArray[np.uint32]


def class_table(legend: Legend, kept: Sequence[str]) -> ClassTable:
    """The table for these class names, or for every class where `kept` holds ALL.

    ValueError for a name that the legend does not have, with the names that it has.
    """
    left_out = np.full(256, 0 if ALL in kept else _LEFT_OUT, np.uint8)
    ids = {label.name: label.id for label in legend.published_classes}
    for name in kept:
        if name != ALL and name not in ids:
            raise InputError(
                f"classes: the legend has no class {name!r}; it has {', '.join(ids)}; {ALL} keeps "
                "every class"
            )
        left_out[ids.get(name, [])] = 0
    colours = np.zeros((256, 4), np.uint8)
    colours[:, :3] = legend.labels.palette_bgr
    return ClassTable(left_out, colours.view("<u4")[:, 0])


class SemanticCloud:
    """The rays of one camera, and the points of its newest frame.

    rows, columns: points of the cloud, one for every `stride`-th pixel in both directions
    data:          the bytes of the points, row by row; `fill` overwrites them
    """

    def __init__(self, calibration: Calibration, optical: bool = True, stride: int = 1) -> None:
        """Computes the rays.

        optical: whether points are in optical axes (x right, y down, z ahead, as in the bridge),
                 or in those of a body (x ahead, y left, z up, as in CARLA's own interface)
        stride:  1 or more
        """
        self.shape = calibration.height, calibration.width
        self._stride = stride
        right = (np.arange(0, calibration.width, stride) + 0.5 - calibration.cx) / calibration.fx
        down = (np.arange(0, calibration.height, stride) + 0.5 - calibration.cy) / calibration.fy
        self.rows, self.columns = len(down), len(right)
        along = right[np.newaxis, :], down[:, np.newaxis], np.ones((1, 1))
        # Each axis of either kind is one of these three, or its opposite.
        axes = np.eye(3) if optical else np.array(BODY_OF_OPTICAL)
        self._rays = [
            (along[int(np.abs(row).argmax())] * row.sum()).astype(np.float32) for row in axes
        ]
        self.data = array("B", bytes(self.rows * self.columns * POINT.itemsize))
        self.points = np.frombuffer(self.data, POINT).reshape(self.rows, self.columns)

    def fill(
        self,
        labels: Uint8,
        confidence: Uint8,
        depth: npt.NDArray[np.float32],
        table: ClassTable,
        largest_range: float = np.inf,
    ) -> None:
        """Computes the points of one frame.

        x, y and z are NaN where the class is left out, or the depth is not above 0, is above
        largest_range or is NaN. Label, confidence and rgb are always those of the pixel.

        labels, confidence: uint8 [height, width]
        depth:              metres ahead of the camera, float32 [height, width]
        largest_range:      metres ahead of the camera

        ValueError where an image has not the size of the camera.
        """
        for name, image in (("labels", labels), ("confidence", confidence), ("depth", depth)):
            if image.shape != self.shape:
                raise InputError(
                    f"{name} are {_size(image.shape)}, the depth camera's camera_info says "
                    f"{_size(self.shape)}; expected one size"
                )
        step = slice(None, None, self._stride)
        labels = np.ascontiguousarray(labels[step, step])
        depth = np.ascontiguousarray(depth[step, step])
        metres = _without(depth, cv2.LUT(labels, table.left_out), largest_range)
        points = self.points
        for axis, ray in zip("xyz", self._rays, strict=True):
            np.multiply(metres, ray, out=points[axis])
        points["label"] = labels
        points["confidence"] = confidence[step, step]
        points["rgb"] = np.take(table.rgb, labels)


def _without(
    depth: npt.NDArray[np.float32], left_out: npt.ArrayLike, largest_range: float
) -> npt.NDArray[np.float32]:
    """Depth with NaN where it is left out (255) or outside the range.

    A float32 whose bits are all 1 is NaN: setting bits takes a fifth of the time of np.where.
    """
    usable = cv2.inRange(depth, np.array([_NEAREST]), np.array([largest_range]))
    bad = cv2.bitwise_or(cv2.bitwise_not(usable), np.asarray(left_out, np.uint8))
    bits = bad.view(np.int8).astype(np.int32)
    return np.bitwise_or(depth.view(np.int32), bits, out=bits).view(np.float32)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
