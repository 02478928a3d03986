"""Reads the tags out of the images of a semantic camera.

CARLA's bridge sends the tags as palette colours. CARLA's own ROS 2 interface sends them as raw
ids in the red channel. Topic and encoding are the same, so the reader looks at the pixels.
"""

import cv2
import numpy as np

from carla_unet_ros.labels import IGNORE, UNKNOWN_TAG, LabelSet, Uint8

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
        """BGRA image uint8 [H, W, 4] -> tags uint8 [H, W]."""
        raw = self._is_raw(image) if self.kind == "auto" else self.kind == "raw"
        self.found = "raw" if raw else "palette"
        found = image[..., 2] if raw else self._tags.ids_of_colours(image)
        ids = np.asarray(cv2.LUT(np.ascontiguousarray(found), self._ids), np.uint8)
        self.pixels += ids.size
        unknown = ids == IGNORE
        if count := int(np.count_nonzero(unknown)):
            self.unknown_pixels += count
            row, column = np.unravel_index(unknown.argmax(), unknown.shape)
            blue, green, red = (int(value) for value in image[row, column, :3])
            self.example = f"tag {red}" if raw else f"colour ({red}, {green}, {blue})"
        return ids

    def _is_raw(self, image: Uint8) -> bool:
        """Whether an image holds raw tags: they leave blue and green at 0.

        Of all palette colours only black and pure red do so, too. Black is class 0 either way.
        Red, the colour of riders, has 255 in its red channel, which is no tag of any version.
        """
        return not image[..., :2].any() and int(image[..., 2].max()) < UNKNOWN_TAG
