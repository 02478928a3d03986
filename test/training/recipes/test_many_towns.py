# SPDX-License-Identifier: Apache-2.0
"""Frames of many_towns are held back in a row, behind a gap; those with boxed things are known."""

from carla_unet_ros.training.labelling.boxes import Box
from carla_unet_ros.training.recipes.many_towns import frames_with, split_frames


def test_a_hundred_of_each_thousand_are_held_back_behind_a_gap() -> None:
    train, held_back = split_frames([str(number) for number in range(1800)])
    assert held_back == [
        str(number) for block in (600, 1600) for number in range(block, block + 100)
    ]
    assert len(train) == 1800 - 2 * (100 + 2 * 12)
    assert "587" in train and "588" not in train
    assert "711" not in train and "712" in train


def test_boxes_too_small_to_learn_from_do_not_count() -> None:
    """0.02 x 0.04 is 0.08 % of the picture."""
    frames = {
        "near": [Box("car", 0.5, 0.5, 0.2, 0.2), Box("person", 0.5, 0.5, 0.02, 0.0401)],
        "far": [Box("person", 0.5, 0.5, 0.02, 0.0399)],
        "car": [Box("car", 0.5, 0.5, 0.2, 0.2)],
    }
    assert frames_with(frames, ("person",)) == {"near"}
    assert frames_with(frames, ("car", "truck")) == {"near", "car"}
