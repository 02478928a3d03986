# SPDX-License-Identifier: Apache-2.0
"""Looks add up to a vote; thresholds let each class keep its surest pixels."""

import numpy as np
import pytest
import tiny_model

from carla_unet_ros.labels import IGNORE, carla_13, carla_label_set
from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.training.labelling.thresholds import class_thresholds, keep_sure
from carla_unet_ros.training.labelling.votes import Vote, Voters, brightened, sum_of_looks


def ids(*values: int) -> np.ndarray:
    return np.array([values], np.uint8)


def test_the_larger_sum_wins_and_is_divided_by_all_looks() -> None:
    # First pixel: 200 + 150 for 7 against 250 for 8. Second: 90 + 100 for 3 against 200 for 5.
    looks = [(ids(7, 3), ids(200, 90)), (ids(7, 3), ids(150, 100)), (ids(8, 5), ids(250, 200))]
    labels, confidence = sum_of_looks(looks, 13)
    assert labels.tolist() == [[7, 5]]
    assert confidence.tolist() == [[350 // 3, 200 // 3]]


def test_two_looks_that_agree_are_surer_than_two_that_differ() -> None:
    agreed = sum_of_looks([(ids(7), ids(204)), (ids(7), ids(204))], 13)
    differed = sum_of_looks([(ids(7), ids(204)), (ids(8), ids(204))], 13)
    assert agreed.confidence.tolist() == [[204]]
    assert differed.confidence.tolist() == [[102]]


def test_each_class_keeps_the_same_share_of_its_pixels() -> None:
    # Ten road pixels of 205..250, ten of people of 105..150: 0.4 of each keeps four.
    confidence = np.array([list(range(205, 255, 5)), list(range(105, 155, 5))], np.uint8)
    vote = Vote(np.array([[7] * 10, [4] * 10], np.uint8), confidence)
    thresholds = class_thresholds([vote], 13, keep=0.4, least=0.1, enough=1.0)
    assert (thresholds[7], thresholds[4]) == (235, 135)
    kept = keep_sure(vote, thresholds)
    assert (kept == 7).sum() == (kept == 4).sum() == 4
    assert (kept == IGNORE).sum() == 12


def test_no_threshold_is_below_least_or_above_enough() -> None:
    vote = Vote(ids(7, 7, 4, 4), ids(255, 255, 10, 20))
    thresholds = class_thresholds([vote], 13, keep=0.5, least=0.4, enough=0.8)
    assert (thresholds[7], thresholds[4], thresholds[1]) == (204, 102, 204)


def test_a_dark_frame_is_brightened_to_a_mean_of_90_and_a_bright_one_is_left() -> None:
    assert brightened(np.full((4, 4, 3), 30, np.uint8)).mean() == pytest.approx(90, abs=3)
    bright = np.full((4, 4, 3), 160, np.uint8)
    assert (brightened(bright) == bright).all()


def test_voters_give_a_painted_frame_its_classes(tmp_path) -> None:
    model = Segmenter(tiny_model.write(tmp_path / "a.onnx"), "openvino")
    painted = np.zeros((48, 64), np.uint8)
    painted[24:, :20] = 7
    painted[:24, 40:] = 10
    labels, confidence = Voters([model, model]).vote(carla_13().palette_bgr[painted])
    assert (labels == painted).all()
    assert confidence.min() > 100


def test_models_of_different_labels_cannot_vote(tmp_path) -> None:
    models = [
        Segmenter(tiny_model.write(tmp_path / f"{name}.onnx", labels), "openvino")
        for name, labels in (("a", carla_13()), ("b", carla_label_set("0.9.16")))
    ]
    with pytest.raises(ValueError, match="one label set"):
        Voters(models)
