# SPDX-License-Identifier: Apache-2.0
"""The time line: pictures and figures at the stamp of their frame, as entities of Rerun.

Camera and confidence are sent as JPEG. Class ids are sent as they are, so that the page shows the
name of the class under the mouse.
"""

# Rerun loads most of its names when they are asked for.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Iterable, Mapping
from uuid import uuid4

import cv2
import numpy as np
import numpy.typing as npt
import rerun as rr

from carla_unet_ros.labels import IGNORE, UNKNOWN_TAG, LabelClass, LabelSet, Uint8
from carla_unet_ros.view.layout import (
    CONFIDENCE,
    FRAME,
    GRID,
    LABELS,
    TIME,
    TRUTH,
    make_layout,
)

_APPLICATION = "carla_unet_ros"
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 80]
_OPACITY = 0.5
_GREY = (120, 120, 120)
_OF_NO_CLASS = LabelClass(UNKNOWN_TAG, "no tag", _GREY), LabelClass(IGNORE, "Unknown", _GREY)

Classes = Iterable[LabelClass]


class TimeLine:
    """One recording after another: `begin` starts a new one where time starts again.

    recordings: how many there have been
    """

    def __init__(self, data_url: str, truth: LabelSet) -> None:
        """truth: the label set of the truth's tags"""
        self.recordings = 0
        self._data_url = data_url
        self._truth_classes = (*truth.classes, *_OF_NO_CLASS)
        self._label_classes: Classes = ()
        self.begin()

    def begin(self) -> None:
        """Starts a recording."""
        self.recordings += 1
        # Without an id, all recordings of a process are one.
        self._recording = rr.RecordingStream(_APPLICATION, recording_id=uuid4())
        self._recording.connect_grpc(self._data_url, default_blueprint=make_layout())
        self._name_classes(TRUTH, self._truth_classes)
        self._name_classes(GRID, _grid_classes())
        if self._label_classes:
            self._name_classes(LABELS, self._label_classes)

    def name_labels(self, classes: Classes) -> None:
        """Takes the classes of the labels. Others than before start a new recording."""
        classes = tuple(classes)
        before, self._label_classes = self._label_classes, classes
        if before and before != classes:
            self.begin()
        elif not before:
            # Once a recording: the page keeps the first names that it gets.
            self._name_classes(LABELS, classes)

    def show_frame(self, stamp: int, bgr: Uint8) -> None:
        """stamp: nanoseconds; bgr: uint8 [H, W, 3 or 4]"""
        self._log(stamp, FRAME, _as_jpeg(bgr))

    def show_jpeg(self, stamp: int, jpeg: bytes) -> None:
        """A frame that is a JPEG file already."""
        self._log(stamp, FRAME, rr.EncodedImage(contents=jpeg, media_type="image/jpeg"))

    def show_labels(self, stamp: int, ids: Uint8) -> None:
        """ids: uint8 [H, W]"""
        self._log(stamp, LABELS, rr.SegmentationImage(ids, opacity=_OPACITY, draw_order=1.0))

    def show_confidence(self, stamp: int, confidence: Uint8) -> None:
        """confidence: uint8 [H, W]"""
        self._log(stamp, CONFIDENCE, _as_jpeg(confidence))

    def show_truth(self, stamp: int, tags: Uint8) -> None:
        """tags: uint8 [H, W]"""
        self._log(stamp, TRUTH, rr.SegmentationImage(tags, opacity=1.0))

    def show_grid(self, stamp: int, cells: npt.NDArray[np.int8]) -> None:
        """cells: int8 [rows to the left, columns ahead], as in an OccupancyGrid: -1, or 0..100"""
        seen_from_above = np.ascontiguousarray(cells.T[::-1, ::-1]).view(np.uint8)
        self._log(stamp, GRID, rr.SegmentationImage(seen_from_above, opacity=1.0))

    def show_figures(self, stamp: int, entity: str, figures: Mapping[str, float]) -> None:
        """Adds a point to the curve of each name."""
        for name, value in figures.items():
            self._log(stamp, f"{entity}/{rr.escape_entity_path_part(name)}", rr.Scalars(value))

    def close(self) -> None:
        self._recording.disconnect()

    def _name_classes(self, entity: str, classes: Classes) -> None:
        context = rr.AnnotationContext([(label.id, label.name, label.colour) for label in classes])
        self._recording.log(entity, context, static=True)

    def _log(self, stamp: int, entity: str, content: rr.AsComponents) -> None:
        self._recording.set_time(TIME, duration=np.timedelta64(stamp, "ns"))
        self._recording.log(entity, content)


def _as_jpeg(image: Uint8) -> rr.EncodedImage:
    colours = image[..., :3] if image.ndim == 3 else image
    _, encoded = cv2.imencode(".jpg", colours, _JPEG)
    return rr.EncodedImage(contents=encoded.tobytes(), media_type="image/jpeg")


def _grid_classes() -> Classes:
    """A cell's class is its value: free is light, occupied is dark, as in RViz's map."""
    for value in range(101):
        light = round(235 - 2 * value)
        name = "free" if value == 0 else f"{value} % occupied"
        yield LabelClass(value, name, (light, light, light))
    yield LabelClass(255, "not seen", (112, 137, 134))
