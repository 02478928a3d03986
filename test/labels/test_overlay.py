# SPDX-License-Identifier: Apache-2.0
"""The overlay's colours, worked out by hand."""

import numpy as np
import pytest

from carla_unet_ros.labels import carla_13
from carla_unet_ros.labels.overlay import draw_overlay

ROAD = 7  # (128, 64, 128)


def test_an_overlay_mixes_frame_and_class_colour() -> None:
    frame = np.zeros((1, 2, 4), np.uint8)
    frame[0, 0] = (100, 200, 0, 255)
    labels = np.array([[ROAD, ROAD]], np.uint8)
    found = draw_overlay(frame, labels, carla_13().palette_bgr, opacity=0.25)
    # 0.75 x (100, 200, 0) + 0.25 x (128, 64, 128)
    assert found[0, 0].tolist() == [107, 166, 32]
    assert found[0, 1].tolist() == [32, 16, 32]


@pytest.mark.parametrize("channels", [3, 4])
def test_opacity_0_gives_the_frame_and_1_the_colours(channels: int) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (6, 8, channels), np.uint8)
    labels = np.random.default_rng(1).integers(0, 256, (6, 8), np.uint8)
    palette = carla_13().palette_bgr
    np.testing.assert_array_equal(draw_overlay(frame, labels, palette, 0.0), frame[..., :3])
    np.testing.assert_array_equal(draw_overlay(frame, labels, palette, 1.0), palette[labels])


def test_drawing_an_overlay_does_not_change_the_frame() -> None:
    frame = np.full((2, 2, 3), 9, np.uint8)
    draw_overlay(frame, np.zeros((2, 2), np.uint8), carla_13().palette_bgr)
    assert (frame == 9).all()


def test_a_frame_and_labels_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="labels are"):
        draw_overlay(
            np.zeros((2, 2, 4), np.uint8), np.zeros((2, 3), np.uint8), carla_13().palette_bgr
        )
