"""What the published class ids stand for, as the latched legend topic says it.

Ids are the model's own, or the tags of a CARLA version (`output_tags`) for a planner that was
written for those. The text is one JSON object: a label set as `LabelSet.to_json` writes it
(name, carla_tags, classes with id, name, rgb: those published), with model, engine and
`model_labels`, the set in which the model tells classes apart.
"""

import json
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from carla_unet_ros.labels import IGNORE, LabelSet, Uint8, carla_label_set, mapping
from carla_unet_ros.labels.json_text import read_json


@dataclass(frozen=True)
class Legend:
    """Labels as published, and as the model knows them."""

    labels: LabelSet
    model_labels: LabelSet
    model: str
    engine: str

    @cached_property
    def _lookup(self) -> Uint8 | None:
        return (
            None if self.labels == self.model_labels else mapping(self.model_labels, self.labels)
        )

    def published(self, labels: Uint8) -> Uint8:
        """The model's class ids uint8 [H, W] -> ids as published, the same array where equal."""
        if self._lookup is None:
            return labels
        return np.asarray(cv2.LUT(labels, self._lookup), np.uint8)

    def to_json(self) -> str:
        return json.dumps(
            {
                **json.loads(self.labels.to_json()),
                "model": self.model,
                "engine": self.engine,
                "model_labels": json.loads(self.model_labels.to_json()),
            }
        )

    @staticmethod
    def from_json(text: str) -> "Legend":
        """The inverse of `to_json`; ValueError that says what is wrong with the text."""
        data = read_json(text)
        labels = LabelSet.from_data(data)
        try:
            own = LabelSet.from_data(data["model_labels"])
            return Legend(labels, own, str(data["model"]), str(data["engine"]))
        except KeyError as error:
            raise ValueError(f"legend lacks {error}") from error


def labels_to_publish(model_labels: LabelSet, output_tags: str) -> LabelSet:
    """The model's own labels for "", else the tags of that CARLA version.

    ValueError where there is no such version, or it has no tag for one of the model's classes.
    """
    if not output_tags:
        return model_labels
    target = carla_label_set(output_tags)
    table = mapping(model_labels, target)
    lost = [label.name for label in model_labels.classes if table[label.id] == IGNORE]
    if lost:
        raise ValueError(
            f"output_tags {output_tags!r}: CARLA {target.carla_tags} has no tag for the model's "
            f"classes {', '.join(lost)}; choose another version, or '' for the model's own ids"
        )
    return target
