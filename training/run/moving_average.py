# SPDX-License-Identifier: Apache-2.0
"""Keeps the moving average of a net's weights, which is less noisy than any single step's."""

from copy import deepcopy
from itertools import chain

import torch

from carla_unet_ros.training.net.unet import UNet


class MovingAverage:
    """Exponential moving average that forgets the random start, because it begins as a mean.

    After step n + 1, the new weights have the share 9 / (10 + n), and at least 1 - decay.
    """

    def __init__(self, net: UNet, decay: float) -> None:
        self.net = deepcopy(net)
        self.steps = 0
        self._least = 1 - decay

    @torch.no_grad()
    def update(self, net: UNet) -> None:
        """Adds the net's present weights and statistics of normalisation to the average."""
        weight = max(self._least, 9 / (10 + self.steps))
        averages = chain(self.net.parameters(), self.net.buffers())
        for average, value in zip(averages, chain(net.parameters(), net.buffers()), strict=True):
            if self.steps and average.is_floating_point():
                average.lerp_(value, weight)
            else:
                average.copy_(value)  # counters of batches have no mean
        self.steps += 1
