# SPDX-License-Identifier: Apache-2.0
"""How much of the free ground in the labels is free in the truth: intersection over union.

Labels and truth are projected to the ground by one table (ground_grid.py), each frame by itself.
A cell counts where both see it. So a wrong class far above the road costs nothing here, and one
on the road before the bumper costs as much as the ground that it covers.
"""

import numpy as np

from carla_unet_ros.evaluation.confusion_matrix import ConfusionMatrix
from carla_unet_ros.evaluation.sliding_matrix import SlidingMatrix
from carla_unet_ros.ground.ground_grid import FREE, UNKNOWN, GroundGrid, class_weights
from carla_unet_ros.labels import IGNORE, Uint8

_FREE, _BLOCKED = 0, 1


class FreeSpaceScores(SlidingMatrix):
    """Counts of cells by pairs of labels and truth: free and blocked.

    problem: why the last pair was not scored; "" where it was
    """

    def __init__(self, window: int) -> None:
        """window: number of pairs"""
        super().__init__(2, window)
        self.problem = "no pair of labels and truth yet"

    def add(
        self,
        table: GroundGrid,
        truth: Uint8,
        labels: Uint8,
        drivable: Uint8,
        blocked_share: float = 0.1,
    ) -> float:
        """Counts the cells of one pair and returns its IoU of free ground.

        truth, labels: the model's classes uint8 [height, width], IGNORE for none
        drivable:      those of them that a vehicle may drive on

        ValueError where the images have not the size of the camera.
        """
        weights = class_weights(drivable)
        true, seen = (table.occupancy(image, weights, blocked_share) for image in (truth, labels))
        pair = ConfusionMatrix(2)
        both = (true != UNKNOWN) & (seen != UNKNOWN)
        states = np.where(true == FREE, _FREE, _BLOCKED).astype(np.uint8)
        states[~both] = IGNORE
        pair.add(states, np.where(seen == FREE, _FREE, _BLOCKED).astype(np.uint8))
        self.count(pair)
        return free_space_iou(pair)


def free_space_iou(cells: ConfusionMatrix) -> float:
    """NaN where neither labels nor truth have free ground."""
    return float(cells.iou()[_FREE])
