# SPDX-License-Identifier: Apache-2.0
"""The free ground of labels against that of the truth, with cells that are counted by hand.

The camera looks straight down from 2 m, with f = 2 pixels: each of its 4 x 4 pixels sees one cell
of 1 m, and the upper rows of the picture lie ahead.
"""

import math

import numpy as np
import pytest

from carla_unet_ros.camera_model import Calibration
from carla_unet_ros.evaluation.free_space import FreeSpaceScores, free_space_iou
from carla_unet_ros.evaluation.live_scores import LiveScores
from carla_unet_ros.ground.ground_grid import CameraPose, Extent, GroundGrid
from carla_unet_ros.labels import IGNORE, Uint8, carla_13, carla_label_set
from carla_unet_ros.labels.legend import Legend, labels_to_publish

ROAD, LINE, CAR = carla_13().ids(["Roads", "RoadLines", "Vehicles"])
DRIVABLE = np.array([ROAD, LINE], np.uint8)
TABLE = GroundGrid(
    Extent(cell_size=1.0, ahead=2.0, behind=2.0, left=2.0, right=2.0),
    Calibration(width=4, height=4, fx=2.0, fy=2.0, cx=2.0, cy=2.0),
    CameraPose.from_angles(0.0, 0.0, 2.0, pitch=90.0),
)


def columns(*classes: int) -> Uint8:
    """A picture [4, 4] with these classes from left to right."""
    return np.tile(np.array(classes, np.uint8), (4, 1))


def test_cells_free_in_both_over_cells_free_in_either() -> None:
    scores = FreeSpaceScores(window=10)
    # Free in the truth: 3 columns of 4 cells; in the labels: 2, of which 1 is none in the truth.
    truth, labels = columns(ROAD, LINE, ROAD, CAR), columns(CAR, CAR, LINE, ROAD)
    assert scores.add(TABLE, truth, labels, DRIVABLE) == pytest.approx(4 / 16)
    assert scores.pairs == 1


def test_a_cell_that_one_of_them_does_not_see_counts_for_neither() -> None:
    scores = FreeSpaceScores(window=10)
    truth, labels = columns(IGNORE, ROAD, ROAD, CAR), columns(ROAD, IGNORE, ROAD, ROAD)
    # Two columns are left: one free in both, one free in the labels alone.
    assert scores.add(TABLE, truth, labels, DRIVABLE) == pytest.approx(4 / 8)
    assert scores.total.counts.sum() == 8


def test_cells_are_summed_over_pairs_and_the_window_slides() -> None:
    scores = FreeSpaceScores(window=1)
    scores.add(TABLE, columns(ROAD, ROAD, CAR, CAR), columns(ROAD, CAR, CAR, CAR), DRIVABLE)
    assert free_space_iou(scores.window) == pytest.approx(4 / 8)
    scores.add(TABLE, columns(ROAD, ROAD, CAR, CAR), columns(ROAD, ROAD, CAR, CAR), DRIVABLE)
    assert free_space_iou(scores.window) == 1
    assert free_space_iou(scores.total) == pytest.approx((4 + 8) / (8 + 8))


def test_without_free_ground_there_is_no_score() -> None:
    scores = FreeSpaceScores(window=10)
    assert math.isnan(scores.add(TABLE, columns(*4 * [CAR]), columns(*4 * [CAR]), DRIVABLE))


def test_drivable_classes_are_named_as_published_and_compared_as_the_models() -> None:
    """The road is 7 in the model and 1 in the tags of 0.9.15; the truth has those of 0.9.16."""
    legend = Legend(labels_to_publish(carla_13(), "0.9.15"), carla_13(), "tiny", "none")
    scores = LiveScores(legend, carla_label_set("0.9.16"), window=10)
    assert scores.find_classes(["Roads", "RoadLines"]).tolist() == [ROAD, LINE]
    with pytest.raises(ValueError, match="has no class 'Street'"):
        scores.find_classes(["Street"])
