# SPDX-License-Identifier: Apache-2.0
"""Confusion matrices of a stream of pairs: the sum over the last ones, and over all."""

from collections import deque

from carla_unet_ros.evaluation.confusion_matrix import ConfusionMatrix


class SlidingMatrix:
    """`window` sums up the last pairs, `total` all of them; `pairs` is how many came."""

    def __init__(self, classes: int, window: int) -> None:
        """window: number of pairs"""
        self.window = ConfusionMatrix(classes)
        self.total = ConfusionMatrix(classes)
        self.pairs = 0
        self._most = window
        self._last: deque[ConfusionMatrix] = deque()

    @property
    def window_pairs(self) -> int:
        """The number of pairs in the window."""
        return len(self._last)

    def count(self, pair: ConfusionMatrix) -> None:
        self._last.append(pair)
        self.window += pair
        self.total += pair
        self.pairs += 1
        if len(self._last) > self._most:
            self.window.counts -= self._last.popleft().counts
