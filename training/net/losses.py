# SPDX-License-Identifier: Apache-2.0
"""The loss: sparse categorical cross-entropy, with class weights, plus soft Dice.

Cross-entropy measures for every pixel how unlikely the net finds the true class: -log p(true).
"Sparse" says how the truth is stored: one class id per pixel, instead of a vector that is 1 for
the true class and 0 for the others. The result is the same, with 13 times less memory.
Cross-entropy counts every pixel alike, so a pedestrian of 200 pixels hardly counts beside a road
of 100,000; class weights correct some of that. Dice (Milletari et al. 2016) compares regions
instead of pixels. It does not depend on their size and is close to what mean IoU measures.

Both are computed over the whole batch, also if several processes share it (see `distributed`).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from carla_unet_ros.labels import IGNORE
from carla_unet_ros.training.net.distributed import all_sum


class SegmentationLoss(nn.Module):
    """The loss of a batch: logits (N, C, H, W), labels int (N, H, W) with IGNORE -> scalar."""

    def __init__(self, class_weights: Tensor | None, dice: float, smoothing: float) -> None:
        super().__init__()
        self.register_buffer("class_weights", class_weights)
        self.dice = dice
        self.smoothing = smoothing

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        logits = logits.float()
        labels = labels.long()
        own = torch.bincount(labels[labels != IGNORE], minlength=logits.shape[1])
        pixels = all_sum(own)
        if not pixels.any():
            return logits.sum() * 0
        loss = self._cross_entropy(logits, labels, own, pixels)
        return loss + self.dice * dice_loss(logits, labels, pixels) if self.dice else loss

    def _cross_entropy(
        self, logits: Tensor, labels: Tensor, own: Tensor, pixels: Tensor
    ) -> Tensor:
        """This process's share of the mean over the pixels of all processes.

        own, pixels: pixels of each class, int64 [C], in this process and in all processes
        """
        weights = self.get_buffer("class_weights") if self.class_weights is not None else None
        if own.any():
            mean = F.cross_entropy(
                logits, labels, weights, ignore_index=IGNORE, label_smoothing=self.smoothing
            )
        else:
            mean = logits.sum() * 0  # the mean of no pixels would be nan
        if weights is not None:
            own, pixels = own * weights, pixels * weights
        return all_sum(mean * (own.sum() / pixels.sum()))


def one_of_each_block(values: Tensor, side: int, turn: int) -> Tensor:
    """One pixel of each block, another one at each turn: (..., H, W) -> (..., H / side, W / side).

    Neighbours teach nearly the same, and a loss over all of them would take as long as the net.
    """
    row, column = divmod(turn % side**2, side)
    return values[..., row::side, column::side]


def dice_loss(logits: Tensor, labels: Tensor, pixels: Tensor) -> Tensor:
    """1 - mean over the classes in the batch of 2 |P and T| / (|P| + |T|), P the probabilities.

    logits: (N, C, H, W)
    labels: int64 (N, H, W) with IGNORE
    pixels: int64 [C], pixels of each class in the batch of all processes

    |P and T| needs only each pixel's probability of its true class, so no one-hot planes are made.
    """
    known = labels != IGNORE
    truth = torch.where(known, labels, 0)
    probabilities = logits.softmax(dim=1) * known[:, None]
    of_truth = probabilities.gather(1, truth[:, None])[:, 0]
    overlap = logits.new_zeros(len(pixels)).index_add(0, truth.flatten(), of_truth.flatten())
    overlap, called = all_sum(torch.stack((overlap, probabilities.sum(dim=(0, 2, 3)))))
    return 1 - (2 * overlap / (called + pixels))[pixels > 0].mean()


def class_weights(pixels: Tensor, power: float) -> Tensor:
    """Pixel counts by class [C] -> weights (mean share / share)^power, their mean 1.

    power: 0 gives all pixels the same weight, 1 gives all classes the same weight

    A class that never occurs gets the weight 1. The largest weight is 10, so that a few pixels do
    not outweigh all others.
    """
    seen = pixels > 0
    share = pixels.double() / pixels.sum()
    weights = torch.ones_like(share)
    weights[seen] = (share[seen].mean() / share[seen]) ** power
    weights[seen] /= weights[seen].mean()
    return weights.clamp(max=10).float()
