# SPDX-License-Identifier: Apache-2.0
"""Deciding at the network's size and enlarging that, against logits enlarged by torch."""

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F
from torch import Tensor

from carla_unet_ros.training.net.decision import Decision, decide, enlarged

pytestmark = pytest.mark.training

SIZES = [(24, 32), (60, 80), (37, 53), (9, 200), (10, 13), (1, 1)]


def logits(classes: int, height: int = 24, width: int = 32, seed: int = 0) -> Tensor:
    """Regions a few pixels wide, (1, classes, height, width)."""
    torch.manual_seed(seed)
    coarse = torch.randn(1, classes, height // 4 + 1, width // 4 + 1, dtype=torch.float64)
    return F.interpolate(4 * coarse, (height, width), mode="bicubic")


def decided(of: Tensor) -> Decision:
    return decide(of.view(of.shape[1], 1, *of.shape[2:]))


def test_the_winner_its_probability_and_its_lead() -> None:
    scores = logits(13)
    found = decided(scores)
    best, labels = scores.softmax(1).max(1)
    first, second = scores.topk(2, dim=1).values.unbind(1)
    assert torch.equal(found.labels[0].long(), labels)
    torch.testing.assert_close(found.confidence[0], 255 * best)
    torch.testing.assert_close(found.margin[0], first - second)


def test_of_equal_logits_the_first_class_wins_by_nothing() -> None:
    found = decided(torch.tensor([1.0, 3.0, 3.0, 2.0]).view(1, 4, 1, 1))
    assert (found.labels.item(), found.margin.item()) == (1.0, 0.0)


def test_pixels_of_a_block_are_laid_out_as_depth_to_space_does() -> None:
    scores = logits(5)
    blocks = F.pixel_unshuffle(scores, 2).view(5, 4, 12, 16)
    for found, expected in zip(decide(blocks), decided(scores), strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("size", SIZES)
def test_between_two_classes_the_edge_is_that_of_enlarged_logits(size: tuple[int, int]) -> None:
    scores = logits(2)
    large = F.interpolate(scores, size, mode="bilinear", align_corners=False)
    found = enlarged(decided(scores), *size)
    lead = large[:, 1] - large[:, 0]
    assert torch.equal(found.labels[0] == 1, lead > 0)
    torch.testing.assert_close(found.margin[0], lead.abs(), rtol=1e-5, atol=1e-5)


def test_among_many_classes_it_is_much_nearer_to_it_than_the_nearest_pixel() -> None:
    """Regions as small as these, of 13 classes, are all edges: a street's are far larger."""
    scores, size = logits(13), (60, 80)
    large = F.interpolate(scores, size, mode="bilinear", align_corners=False).argmax(1)
    nearest = F.interpolate(decided(scores).labels, size, mode="nearest-exact")[0].long()
    found = enlarged(decided(scores), *size).labels[0].long()
    assert (found != large).sum() < 0.6 * (nearest != large).sum()


@pytest.mark.parametrize("size", SIZES)
def test_a_mirrored_picture_gets_the_mirrored_answer(size: tuple[int, int]) -> None:
    for axis in (-1, -2):
        expected = enlarged(decided(logits(6)), *size)
        found = enlarged(decided(logits(6).flip(axis)), *size)
        assert torch.equal(found.labels.flip(axis), expected.labels)


def test_at_the_same_size_nothing_changes() -> None:
    before = decided(logits(6))
    for found, expected in zip(enlarged(before, 24, 32), before, strict=True):
        assert torch.equal(found, expected)


def test_a_class_that_is_impossible_does_no_harm() -> None:
    """The log of a probability that rounds to 0."""
    scores = logits(3)
    scores[:, 1:] = -torch.inf
    found = enlarged(decided(scores), 60, 80)
    assert torch.equal(found.labels, torch.zeros_like(found.labels))
    assert torch.equal(found.confidence, torch.full_like(found.confidence, 255))
    assert found.margin.isfinite().all()
