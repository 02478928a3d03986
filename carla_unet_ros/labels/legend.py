# SPDX-License-Identifier: Apache-2.0
"""The legend of a label image: what each published class id stands for.

Two topics carry it, and both are made from one `Legend`: `legend` as JSON (`Legend.to_json`) and
`label_info` as vision_msgs/LabelInfo (`label_info.py`).

The published ids are the model's own, or the tags of a CARLA version (`output_tags`) for a
planner that was written for those. The JSON text is one object:

    name, carla_tags, classes   the published label set, as `LabelSet.to_json` writes it
    model, engine               what made the labels
    model_labels                the label set in which the model tells classes apart
    unknown, min_confidence     only where min_confidence is above 0: the class of the pixels
                                that are too uncertain, and the bound in 0..1

`unknown` stands beside `classes` and not among them, so that the ids in `classes` have no gap.
"""

import json
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import (
    IGNORE,
    LabelClass,
    LabelSet,
    Uint8,
    carla_label_set,
    mapping,
)
from carla_unet_ros.labels.json_text import read_json, shortened

UNKNOWN = LabelClass(IGNORE, "Unknown", (255, 255, 255))
"""The class of pixels whose confidence is below `min_confidence`; white, as in `palette_bgr`."""


@dataclass(frozen=True)
class Legend:
    """The classes of a label image as published, and as the model knows them.

    labels:         the published label set
    model_labels:   the label set of the model
    model, engine:  their names
    min_confidence: 0..1; less certain pixels are published as UNKNOWN; 0 publishes them all

    ValueError where min_confidence is outside 0..1.
    """

    labels: LabelSet
    model_labels: LabelSet
    model: str
    engine: str
    min_confidence: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.min_confidence <= 1:
            found = shortened(self.min_confidence)
            raise InputError(f"min_confidence is {found}; expected 0 to 1")

    @property
    def unknown(self) -> LabelClass | None:
        """The class of pixels that are too uncertain; None where every pixel has its class."""
        return UNKNOWN if self.min_confidence > 0 else None

    @property
    def published_classes(self) -> tuple[LabelClass, ...]:
        """Every class that a published label image may hold, the unknown one last."""
        return (*self.labels.classes, *([self.unknown] if self.unknown else []))

    @cached_property
    def _lookup(self) -> Uint8 | None:
        return (
            None if self.labels == self.model_labels else mapping(self.model_labels, self.labels)
        )

    def to_published(self, labels: Uint8) -> Uint8:
        """The model's class ids uint8 [H, W] -> published ids; the same array where equal."""
        if self._lookup is None:
            return labels
        return np.asarray(cv2.LUT(labels, self._lookup), np.uint8)

    def to_json(self) -> str:
        """The legend as one JSON object, see the top of this file."""
        data = {
            **json.loads(self.labels.to_json()),
            "model": self.model,
            "engine": self.engine,
            "model_labels": json.loads(self.model_labels.to_json()),
        }
        if self.unknown:
            data["unknown"] = self.unknown.to_entry()
            data["min_confidence"] = self.min_confidence
        return json.dumps(data)

    @staticmethod
    def from_json(text: str) -> "Legend":
        """Reads what `to_json` wrote. ValueError says what is wrong with another text."""
        data = read_json(text)
        labels = LabelSet.from_data(data)
        try:
            model_labels = LabelSet.from_data(data["model_labels"])
            model, engine = str(data["model"]), str(data["engine"])
        except KeyError as error:
            raise InputError(f"legend lacks {error}") from error
        least = data.get("min_confidence", 0.0)
        if not isinstance(least, int | float):
            raise InputError(f"min_confidence is {shortened(least)}; expected a number, 0 to 1")
        return Legend(labels, model_labels, model, engine, least)


def labels_to_publish(model_labels: LabelSet, output_tags: str) -> LabelSet:
    """The label set to publish: the model's own for "", else the tags of that CARLA version.

    ValueError where the version is unknown, or has no tag for one of the model's classes.
    """
    if not output_tags:
        return model_labels
    target = carla_label_set(output_tags)
    table = mapping(model_labels, target)
    lost = [label.name for label in model_labels.classes if table[label.id] == IGNORE]
    if lost:
        raise InputError(
            f"output_tags {output_tags!r}: CARLA {target.carla_tags} has no tag for the model's "
            f"classes {', '.join(lost)}; choose another version, or '' for the model's own ids"
        )
    return target
