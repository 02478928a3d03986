# SPDX-License-Identifier: Apache-2.0
"""Matches messages of several topics: they belong together if their stamps are equal."""

from typing import Any


class StampMatcher:
    """Collects the items of several streams and returns those of one stamp together.

    Each stream comes in the order of its stamps. So once one stream is past a stamp, the other
    streams' items of that stamp have no partner: they are counted as unmatched and dropped,
    whether they are waiting or still to come. At most `limit` items of a stream wait.

    received, unmatched: how many items of each stream came, and how many found no partner
    """

    def __init__(self, *streams: str, limit: int = 20) -> None:
        self.received = dict.fromkeys(streams, 0)
        self.unmatched = dict.fromkeys(streams, 0)
        self._limit = limit
        self._waiting: dict[str, dict[int, Any]] = {stream: {} for stream in streams}
        self._last = dict.fromkeys(streams, -1)

    def add(self, stream: str, stamp: int, item: Any) -> dict[str, Any] | None:
        """Takes an item; returns the items of its stamp by stream once all are there, else None.

        stamp: nanoseconds
        """
        self.received[stream] += 1
        if stamp <= self._last[stream]:
            self._start_over()
        self._last[stream] = stamp
        self._waiting[stream][stamp] = item
        matched = None
        if all(stamp in waiting for waiting in self._waiting.values()):
            matched = {name: waiting.pop(stamp) for name, waiting in self._waiting.items()}
        elif len(self._waiting[stream]) > self._limit:
            self._drop(min(self._waiting[stream]))
        self._drop_hopeless()
        return matched

    def _drop_hopeless(self) -> None:
        """Drops each stamp that a stream has passed without an item of it."""
        for stamp in {stamp for waiting in self._waiting.values() for stamp in waiting}:
            if any(
                self._last[name] >= stamp and stamp not in waiting
                for name, waiting in self._waiting.items()
            ):
                self._drop(stamp)

    def _start_over(self) -> None:
        """Drops what waits: stamps went back, as they do when the simulator loads a world."""
        for stamp in {stamp for waiting in self._waiting.values() for stamp in waiting}:
            self._drop(stamp)
        self._last = dict.fromkeys(self._last, -1)

    def _drop(self, stamp: int) -> None:
        for name, waiting in self._waiting.items():
            if stamp in waiting:
                del waiting[stamp]
                self.unmatched[name] += 1
