# SPDX-License-Identifier: Apache-2.0
"""Pairs labels and truth of the same instant: they belong together if their stamps are equal."""

from typing import Any, NamedTuple


class Pair(NamedTuple):
    """The items of both streams with one stamp."""

    labels: Any
    truth: Any


class StampPairs:
    """Collects the items of two streams and returns each pair with equal stamps.

    Each stream comes in the order of its stamps. So once one stream is past a stamp, the other
    stream's item of that stamp has no partner: it is counted as unpaired and dropped, whether it
    is waiting or still to come. At most `limit` items of a stream wait.
    """

    def __init__(self, limit: int = 20) -> None:
        self.received_labels = self.received_truth = 0
        self.unpaired_labels = 0
        self.unpaired_truth = 0
        self._limit = limit
        self._labels: dict[int, Any] = {}
        self._truth: dict[int, Any] = {}
        self._last_labels = self._last_truth = -1

    def add_labels(self, stamp: int, item: Any) -> Pair | None:
        """Takes labels; returns the pair if their truth is there, else None."""
        self.received_labels += 1
        if stamp <= self._last_labels:
            self._start_over()
        self._last_labels = stamp
        truth = self._truth.pop(stamp, None)
        self.unpaired_truth += _drop_before(self._truth, stamp)
        if truth is not None:
            return Pair(item, truth)
        if stamp < self._last_truth:
            self.unpaired_labels += 1
            return None
        self._labels[stamp] = item
        self.unpaired_labels += _drop_beyond(self._labels, self._limit)
        return None

    def add_truth(self, stamp: int, item: Any) -> Pair | None:
        """Takes truth; returns the pair if its labels are there, else None."""
        self.received_truth += 1
        if stamp <= self._last_truth:
            self._start_over()
        self._last_truth = stamp
        labels = self._labels.pop(stamp, None)
        self.unpaired_labels += _drop_before(self._labels, stamp)
        if labels is not None:
            return Pair(labels, item)
        if stamp < self._last_labels:
            self.unpaired_truth += 1
            return None
        self._truth[stamp] = item
        self.unpaired_truth += _drop_beyond(self._truth, self._limit)
        return None

    def _start_over(self) -> None:
        """Drops what waits: stamps went back, as they do when the simulator loads a world."""
        self.unpaired_labels += len(self._labels)
        self.unpaired_truth += len(self._truth)
        self._labels, self._truth = {}, {}
        self._last_labels = self._last_truth = -1


def _drop_before(waiting: dict[int, Any], stamp: int) -> int:
    old = [kept for kept in waiting if kept < stamp]
    for kept in old:
        del waiting[kept]
    return len(old)


def _drop_beyond(waiting: dict[int, Any], limit: int) -> int:
    if len(waiting) <= limit:
        return 0
    del waiting[min(waiting)]
    return 1
