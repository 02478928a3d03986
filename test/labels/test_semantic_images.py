# SPDX-License-Identifier: Apache-2.0
"""What a semantic image holds: raw tags, grey tags, instances or palette colours."""

import numpy as np
import pytest

from carla_unet_ros.labels import carla_label_set
from carla_unet_ros.labels.semantic_images import MOST_TAGS, instance_tags, raw_tags, tags_in_red

TAGS = np.array([[0, 7, 10], [22, 255, 1]], np.uint8)
"""A road, a vehicle, ..., and a pixel that is not labelled."""


def channels(
    blue: np.ndarray, green: np.ndarray, red: np.ndarray, *more: np.ndarray
) -> np.ndarray:
    return np.stack((blue, green, red, *more), axis=-1).astype(np.uint8)


ZERO = np.zeros_like(TAGS)
OPAQUE = np.full_like(TAGS, 255)


@pytest.mark.parametrize(
    "image",
    [TAGS, channels(TAGS, TAGS, TAGS), channels(TAGS, TAGS, TAGS, OPAQUE)],
    ids=["one channel", "grey", "grey and alpha"],
)
def test_raw_tags_are_read_from_one_channel_or_from_grey(image: np.ndarray) -> None:
    tags = raw_tags(image)
    assert tags is not None
    assert tags.tolist() == TAGS.tolist()


def test_raw_tags_are_read_from_the_red_channel_as_carla_sends_them() -> None:
    known = np.where(TAGS == 255, 3, TAGS)
    tags = raw_tags(channels(ZERO, ZERO, known, OPAQUE))
    assert tags is not None
    assert tags.tolist() == known.tolist()


def test_palette_colours_are_no_raw_tags() -> None:
    for version in ("0.8.x", "0.9.13", "0.9.16"):
        colours = carla_label_set(version).palette_bgr[np.array([[1, 5, 7]])]
        assert raw_tags(colours) is None


def test_greys_of_a_palette_are_colours() -> None:
    """Buildings (70, 70, 70) and poles (153, 153, 153): a picture of nothing else."""
    greys = np.array([[70, 153]], np.uint8)
    assert raw_tags(channels(greys, greys, greys)) is None


def test_pure_red_stands_for_riders() -> None:
    red = np.full((1, 2), 255, np.uint8)
    assert raw_tags(channels(red * 0, red * 0, red)) is None


def test_an_instance_mask_has_its_tag_in_red() -> None:
    numbers = np.array([[0, 17, 200], [3, 255, 9]], np.uint8)
    image = channels(numbers, numbers[::-1], TAGS)
    assert raw_tags(image) is None
    tags = instance_tags(image)
    assert tags is not None
    assert tags.tolist() == TAGS.tolist()
    assert instance_tags(channels(numbers, numbers, TAGS + 100)) is None


def test_the_largest_table_decides_what_can_be_a_tag() -> None:
    assert MOST_TAGS == 30  # 0..29, of the development branch after 0.10.0
    grey = np.full((1, 1), MOST_TAGS, np.uint8)
    assert raw_tags(channels(grey, grey, grey)) is None
    assert raw_tags(channels(grey - 1, grey - 1, grey - 1)) is not None


@pytest.mark.parametrize("image", [TAGS, channels(TAGS, TAGS, TAGS)], ids=["one", "grey"])
def test_tags_are_moved_to_red(image: np.ndarray) -> None:
    moved = tags_in_red(image)
    assert moved[..., 2].tolist() == TAGS.tolist()
    assert not moved[..., :2].any()


def test_colours_stay_where_they_are() -> None:
    colours = carla_label_set("0.9.13").palette_bgr[np.array([[1, 5, 7]])]
    assert tags_in_red(colours) is colours
