# SPDX-License-Identifier: Apache-2.0
"""What class ids mean: CARLA's tags, label sets, palettes, the legend and the overlay."""

from carla_unet_ros.labels.label_sets import (
    IGNORE,
    UNKNOWN_TAG,
    LabelClass,
    LabelSet,
    Uint8,
    carla_13,
    carla_label_set,
    label_set,
    mapping,
)

__all__ = [
    "IGNORE",
    "UNKNOWN_TAG",
    "LabelClass",
    "LabelSet",
    "Uint8",
    "carla_13",
    "carla_label_set",
    "label_set",
    "mapping",
]
