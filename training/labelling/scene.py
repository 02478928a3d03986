# SPDX-License-Identifier: Apache-2.0
"""Corrects labels by their position in the picture of a camera that looks along the road.

Nets that learned by day take a black sky for vegetation or buildings, and wet road for sidewalk.
Position tells the truth: at night, black pixels far above the horizon are sky, and the ground
straight ahead of the bonnet is road.
"""

import cv2
import numpy as np

from carla_unet_ros.labels import IGNORE, LabelSet, Uint8
from carla_unet_ros.training.labelling.votes import DARK

_GROUND = ("Roads", "RoadLines", "Sidewalks")
_BLACK = 14
_LANE = ((0.36, 1.0), (0.64, 1.0), (0.54, 0.72), (0.46, 0.72))


def settle_night_sky(labels: Uint8, frame: Uint8, names: LabelSet) -> Uint8:
    """Labels black pixels of a dark frame: sky (0) above the horizon, IGNORE near it.

    Unlit trees and houses in front of a black sky cannot be seen, so they become sky, too.
    """
    if frame.mean() >= DARK:
        return labels
    height = len(labels)
    ground = np.isin(labels, names.ids(_GROUND)).mean(axis=1) > 0.1
    rows = np.flatnonzero(ground)
    horizon = int(rows[0]) if len(rows) else height // 2
    grey = cv2.GaussianBlur(frame.max(axis=2), (0, 0), 2.0)
    above = np.arange(height)[:, None] < horizon
    black = (grey < _BLACK) & above
    near = np.arange(height)[:, None] >= horizon - height // 12
    sky = black & ~near
    return np.where(sky, np.uint8(0), np.where(black & near, np.uint8(IGNORE), labels))


def settle_own_lane(labels: Uint8, names: LabelSet) -> Uint8:
    """Labels sidewalk or ground in the lane ahead of the car as road."""
    height, width = labels.shape
    corners = np.array([(x * width, y * height) for x, y in _LANE]).round().astype(np.int32)
    lane = np.zeros(labels.shape, np.uint8)
    cv2.fillPoly(lane, [corners], (1,))
    road, sidewalk = names.ids(["Roads", "Sidewalks"])
    return np.where((lane > 0) & ((labels == sidewalk) | (labels == 0)), np.uint8(road), labels)
