# SPDX-License-Identifier: Apache-2.0
"""New frames out of two: what is taken from the other one, and that labels go with pixels."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from carla_unet_ros.labels import IGNORE
from carla_unet_ros.training.data.folders import Pair
from carla_unet_ros.training.data.mixing import (
    blend,
    draw_half_of_classes,
    mirror,
    mix,
    paste,
    resize,
)

pytestmark = pytest.mark.training


def plain(colour: int, label: int, width: int = 8) -> Pair:
    """One colour, one class."""
    return Pair(np.full((6, width, 3), colour, np.uint8), np.full((6, width), label, np.uint8))


def test_surfaces_are_blended_where_both_show_one_class() -> None:
    pair, other = plain(100, 7), plain(200, 7)
    other.labels[:, :4] = 1
    frame, labels = blend(pair, other, 0.25)
    assert (frame[:, :4] == 100).all()
    assert (frame[:, 4:] == 125).all()
    assert (labels == 7).all()
    assert (pair.frame == 100).all()


def test_what_is_unknown_is_not_blended() -> None:
    assert (blend(plain(100, IGNORE), plain(200, IGNORE), 0.5).frame == 100).all()


def test_objects_are_pasted_with_their_pixels_and_nothing_else() -> None:
    pair, other = plain(10, 0), plain(99, 1)
    other.labels[2:4, 0:2] = 5
    frame, labels = paste(pair, other, ids=(5,))
    assert ((frame[..., 0] == 99) == (labels == 5)).all()
    assert (labels == 5).sum() == 4
    assert (pair.labels == 0).all()


def test_half_of_the_classes_are_picked_and_the_unknown_never() -> None:
    pair = plain(0, IGNORE)
    pair.labels[0, :5] = [1, 4, 7, 8, 12]
    torch.manual_seed(0)
    picks = [draw_half_of_classes(pair) for _ in range(40)]
    assert {len(pick) for pick in picks} == {2}
    assert {label for pick in picks for label in pick} == {1, 4, 7, 8, 12}


def test_mirrored_turns_frame_and_labels() -> None:
    pair = plain(10, 0)
    pair.frame[:, 0], pair.labels[:, 0] = 99, 5
    frame, labels = mirror(pair)
    assert (frame[:, -1] == 99).all()
    assert (labels[:, -1] == 5).all()
    assert (labels[:, 0] == 0).all()


def test_a_frame_of_another_size_is_brought_to_this_one() -> None:
    frame, labels = resize(plain(50, 7, width=16), plain(0, 0))
    assert frame.shape == (6, 8, 3)
    assert labels.shape == (6, 8)
    assert (labels == 7).all()


def test_a_mixed_frame_is_one_or_the_other_and_labels_tell_which() -> None:
    """Two frames that agree on no pixel: whatever is taken comes with its label."""
    pair, other = plain(10, 0), plain(99, 5, width=16)
    other.labels[:, :4] = 6
    torch.manual_seed(0)
    found = set[int]()
    for _ in range(40):
        frame, labels = mix(pair, other)
        assert ((frame[..., 0] == 99) == (labels != 0)).all()
        found |= set(np.unique(labels).tolist())
    assert found == {0, 5, 6}
