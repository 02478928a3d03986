# SPDX-License-Identifier: Apache-2.0
"""Counts the boxed things that a model finds: a score for frames that have boxes and no labels.

A thing is found where enough pixels of its box have a class of that thing. Boxes may be loose and
incomplete, so this says what is missed, and never what is seen without reason.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.training.data.folders import camera_frame
from carla_unet_ros.training.labelling.boxes import Box
from carla_unet_ros.training.labelling.frames import NamedFrame
from carla_unet_ros.training.labelling.votes import DARK

LEAST_AREA = 0.001
"""Smaller boxes, in shares of the picture, are not counted."""

_RIDER = ("Pedestrians", "Vehicles")
ASKED = {
    "car": (("Vehicles",), 0.4),
    "truck": (("Vehicles",), 0.4),
    "person": (("Pedestrians",), 0.2),
    "bike": (_RIDER, 0.2),
    "motorbike": (_RIDER, 0.2),
}
"""Of each kind of box: the classes that count, the share of its pixels that must have them."""


@dataclass
class BoxesFound:
    """asked: boxes by (kind, whether the frame is dark); found: those of them that were found."""

    asked: Counter[tuple[str, bool]] = field(default_factory=Counter)
    found: Counter[tuple[str, bool]] = field(default_factory=Counter)

    def share(self, dark: bool, kind: str | None = None) -> tuple[float, int]:
        """The share that was found, nan of none, and of how many boxes; kind None: of all."""
        keys = [(name, dark) for name in ([kind] if kind else ASKED)]
        asked = sum(self.asked[key] for key in keys)
        return sum(self.found[key] for key in keys) / asked if asked else float("nan"), asked


def count_boxes(
    segmenter: Segmenter, frames: Iterable[NamedFrame], boxes: Mapping[str, list[Box]]
) -> BoxesFound:
    """Frames that cannot be read, and boxes of other kinds than ASKED, are left out."""
    ids = {
        kind: segmenter.model.label_set.ids(list(classes)) for kind, (classes, _) in ASKED.items()
    }
    result = BoxesFound()
    for name, frame, _ in frames:
        if frame is None:
            continue
        labels = segmenter.segment(camera_frame(frame)).labels
        for box in boxes.get(name, []):
            if box.what not in ASKED or box.width * box.height < LEAST_AREA:
                continue
            left, top, right, bottom = box.pixels(*labels.shape)
            inside = np.isin(labels[top:bottom, left:right], ids[box.what])
            key = box.what, bool(frame.mean() < DARK)
            result.asked[key] += 1
            result.found[key] += bool(inside.size and inside.mean() >= ASKED[box.what][1])
    return result
