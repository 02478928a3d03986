# SPDX-License-Identifier: Apache-2.0
"""The frames with the lowest mean IoU: collected while driving, drawn at the end.

Frames that follow one another fail in the same way. So of each stretch of the drive only the worst
frame is kept.

The camera's image of a frame is found by its stamp; it may come before the labels or after them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from carla_unet_ros.labels import LabelSet, Uint8
from carla_unet_ros.pictures import write_picture

_PANEL_WIDTH = 480
_IMAGES_KEPT = 20


@dataclass(eq=False)
class ScoredFrame:
    """One pair of truth and labels, with its score.

    number:        the running number of the pair
    stamp:         nanoseconds
    truth, labels: class ids uint8 [H, W]
    image:         the camera's frame uint8 [H, W, 3 or 4], B, G, R(, A); None until it comes
    waits:         whether the image may still come
    """

    number: int
    stamp: int
    mean_iou: float
    truth: Uint8
    labels: Uint8
    image: Uint8 | None = None
    waits: bool = True


class WorstFrames:
    """The `count` frames with the lowest mean IoU, at least `apart` pairs from one to the next."""

    def __init__(self, count: int = 6, apart: int = 20) -> None:
        self.frames: list[ScoredFrame] = []
        self._count = count
        self._apart = apart
        self._images: dict[int, Callable[[], Uint8 | None]] = {}

    def offer(self, frame: ScoredFrame) -> bool:
        """Keeps the frame if it is among the worst; returns whether it was kept."""
        near = [kept for kept in self.frames if abs(kept.number - frame.number) < self._apart]
        if any(kept.mean_iou <= frame.mean_iou for kept in near):
            return False
        far = [kept for kept in self.frames if kept not in near]
        self.frames = sorted([*far, frame], key=lambda kept: kept.mean_iou)[: self._count]
        kept = frame in self.frames
        if kept and (read := self._images.get(frame.stamp)):
            _attach(frame, read)
        return kept

    def add_image(self, stamp: int, read: Callable[[], Uint8 | None]) -> None:
        """Takes an image of the camera. `read` is called if it is needed; None: it is unusable."""
        self._images[stamp] = read
        if len(self._images) > _IMAGES_KEPT:
            del self._images[next(iter(self._images))]
        for frame in self.frames:
            if frame.stamp == stamp and frame.waits:
                _attach(frame, read)

    def start_over(self) -> None:
        """Time starts again: an image and a frame of one stamp may be of different moments."""
        self._images.clear()
        for frame in self.frames:
            frame.waits = False

    def picture(self, classes: LabelSet) -> Uint8 | None:
        """Rows of frame | truth | labels, the worst first, in B, G, R; None without frames."""
        rows = [_row(frame, classes.palette_bgr) for frame in self.frames]
        return np.vstack(rows) if rows else None

    def write(self, path: Path, classes: LabelSet) -> None:
        """Writes the picture if there are frames. OSError where it cannot be written."""
        picture = self.picture(classes)
        if picture is not None:
            write_picture(path, picture)


def _attach(frame: ScoredFrame, read: Callable[[], Uint8 | None]) -> None:
    frame.image, frame.waits = read(), False


def _row(frame: ScoredFrame, palette_bgr: Uint8) -> Uint8:
    height, width = frame.truth.shape
    if frame.image is None:
        image = np.zeros((height, width, 3), np.uint8)
    else:
        image = np.ascontiguousarray(frame.image[..., :3])
    size = _PANEL_WIDTH, max(1, round(height * _PANEL_WIDTH / width))
    panels = [np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)]
    for classes in (frame.truth, frame.labels):
        small = cv2.resize(classes, size, interpolation=cv2.INTER_NEAREST)
        panels.append(palette_bgr[np.asarray(small, np.uint8)])
    row = np.hstack(panels)
    text = f"{frame.stamp / 1e9:.2f} s   mean IoU {frame.mean_iou:.3f}"
    for thickness, colour in ((3, (0, 0, 0)), (1, (255, 255, 255))):
        cv2.putText(row, text, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, thickness)
    return row
