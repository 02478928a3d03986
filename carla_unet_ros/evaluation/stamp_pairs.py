"""Labels and truth of the same instant: paired by equal stamp, and by nothing else."""

from typing import Any, NamedTuple


class Pair(NamedTuple):
    """What two streams had at one stamp."""

    labels: Any
    truth: Any


class StampPairs:
    """Pairs of two streams by equal stamp; each stream comes in the order of its stamps.

    So once a stream is past a stamp, what the other has for that stamp has missed its partner,
    whether it waits or is yet to come: it is counted as unpaired and dropped. At most `limit`
    items of a stream wait.
    """

    def __init__(self, limit: int = 20) -> None:
        self.received_labels = self.received_truth = 0
        self.unpaired_labels = 0
        self.unpaired_truth = 0
        self._limit = limit
        self._labels: dict[int, Any] = {}
        self._truth: dict[int, Any] = {}
        self._last_labels = self._last_truth = -1

    def labels(self, stamp: int, item: Any) -> Pair | None:
        """The pair that is complete with these labels, or None."""
        self.received_labels += 1
        if stamp <= self._last_labels:
            self._start_anew()
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

    def truth(self, stamp: int, item: Any) -> Pair | None:
        """The pair that is complete with this truth, or None."""
        self.received_truth += 1
        if stamp <= self._last_truth:
            self._start_anew()
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

    def _start_anew(self) -> None:
        """Time went back, as when the simulator loads a world: what waits belongs to the old."""
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
