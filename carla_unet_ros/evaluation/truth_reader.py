# SPDX-License-Identifier: Apache-2.0
"""Reads the tags out of the images of a semantic camera.

CARLA's bridge sends the tags as palette colours. CARLA's own ROS 2 interface sends them as raw
ids in the red channel. Topic and encoding are the same, so the reader looks at the pixels.
"""

import cv2
import numpy as np

from carla_unet_ros.labels import IGNORE, LabelSet, Uint8
from carla_unet_ros.labels.semantic_images import raw_tags

TRUTH_KINDS = ("auto", "palette", "raw")


class TruthReader:
    """Images of a semantic camera -> tags. Unknown colours and ids become IGNORE.

    kind:           one of TRUTH_KINDS; "auto" decides for each image
    found:          how the last image was read: "palette" or "raw"; "" before the first image
    pixels:         how many pixels were read so far
    unknown_pixels: how many of them had no known tag
    example:        the last such pixel, in words; "" while there is none
    """

    def __init__(self, tags: LabelSet, kind: str = "auto") -> None:
        self.found = ""
        self.pixels = 0
        self.unknown_pixels = 0
        self.example = ""
        self._tags = tags
        self.kind = kind
        self._ids = np.full(256, IGNORE, np.uint8)
        self._ids[: len(tags)] = np.arange(len(tags))

    def read(self, image: Uint8) -> Uint8:
        """Image uint8 [H, W], or [H, W, 4] in B, G, R, A -> tags uint8 [H, W]."""
        tags = self._raw_tags(image)
        self.found = "palette" if tags is None else "raw"
        found = self._tags.ids_of_colours(image) if tags is None else tags
        ids = np.asarray(cv2.LUT(np.ascontiguousarray(found), self._ids), np.uint8)
        self.pixels += ids.size
        unknown = ids == IGNORE
        if count := int(np.count_nonzero(unknown)):
            self.unknown_pixels += count
            row, column = np.unravel_index(unknown.argmax(), unknown.shape)
            self.example = _example(image[row, column], tags is not None)
        return ids

    def _raw_tags(self, image: Uint8) -> Uint8 | None:
        """The tags where they are taken as raw ones, None where as palette colours."""
        if self.kind == "auto" or image.ndim == 2:
            return raw_tags(image)
        return image[..., 2] if self.kind == "raw" else None


def _example(pixel: Uint8, raw: bool) -> str:
    *_, red = values = [int(value) for value in np.atleast_1d(pixel)[:3]]
    return f"tag {red}" if raw else f"colour ({', '.join(map(str, reversed(values)))})"
