# SPDX-License-Identifier: Apache-2.0
"""The loss, by hand: cross-entropy on class ids, Dice on regions, class weights."""

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from carla_unet_ros.labels import IGNORE
from carla_unet_ros.training.net.losses import (
    SegmentationLoss,
    class_weights,
    dice_loss,
    one_of_each_block,
)

pytestmark = pytest.mark.training


def logits_of(*probabilities: list[float]) -> Any:
    """One row of pixels: (1, C, 1, W) whose softmax is what is given for each pixel."""
    return torch.tensor(probabilities).T[None, :, None].log()


def test_cross_entropy_is_the_mean_surprise_at_the_true_class() -> None:
    logits = logits_of([0.5, 0.5], [0.9, 0.1], [0.2, 0.8])
    truth = torch.tensor([[[0, 0, IGNORE]]], dtype=torch.uint8)
    loss = SegmentationLoss(None, dice=0, smoothing=0)(logits, truth)
    assert loss.item() == pytest.approx(-(math.log(0.5) + math.log(0.9)) / 2)


def test_class_weights_weigh() -> None:
    """Weights 1 and 3: (1 * -log .5 + 3 * -log .25) / (1 + 3)."""
    logits = logits_of([0.5, 0.5], [0.75, 0.25])
    truth = torch.tensor([[[0, 1]]], dtype=torch.uint8)
    loss = SegmentationLoss(torch.tensor([1.0, 3.0]), dice=0, smoothing=0)(logits, truth)
    assert loss.item() == pytest.approx((math.log(2) + 3 * math.log(4)) / 4)


def test_dice_by_hand() -> None:
    """Class 0: overlap .5 + .9, sizes 1.6 and 2. Class 1 only in an ignored pixel: left out."""
    logits = logits_of([0.5, 0.5], [0.9, 0.1], [0.2, 0.8])
    truth = torch.tensor([[[0, 0, IGNORE]]])
    assert dice_loss(logits, truth, torch.tensor([2, 0])).item() == pytest.approx(
        1 - 2 * 1.4 / (1.4 + 2)
    )


def test_a_batch_without_labels_gives_no_loss_and_no_nan() -> None:
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    loss = SegmentationLoss(None, dice=0.5, smoothing=0)(
        logits, torch.full((1, 2, 2), IGNORE, dtype=torch.uint8)
    )
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_rare_classes_weigh_more_and_absent_ones_do_not_count() -> None:
    """Shares .9 and .1 at power 1: weights in the ratio 1:9, their mean 1."""
    weights = class_weights(torch.tensor([90.0, 10.0, 0.0]), power=1)
    assert weights.tolist() == pytest.approx([0.2, 1.8, 1.0])
    assert class_weights(torch.tensor([90.0, 10.0]), power=0).tolist() == [1, 1]


def test_each_pixel_of_a_block_has_its_turn() -> None:
    values = torch.arange(24).view(1, 4, 6)
    turns = [one_of_each_block(values, 2, turn) for turn in range(5)]
    assert turns[1].tolist() == [[[1, 3, 5], [13, 15, 17]]]
    assert torch.cat(turns[:4]).unique().tolist() == list(range(24))
    assert torch.equal(turns[4], turns[0])
    assert torch.equal(one_of_each_block(values, 1, 7), values)
