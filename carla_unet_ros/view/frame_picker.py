# SPDX-License-Identifier: Apache-2.0
"""Chooses which frames are shown: a few a second, each with all pictures of its stamp."""

from typing import Any

_STAMPS_WAITING = 10
_STAMPS_CHOSEN = 50
_LABELS_MISSED_NS = 2 * 10**9


class FramePicker:
    """Chooses stamps that are at least a period apart, and gives the pictures of these stamps.

    While labels come, only stamps with labels are chosen; else those of frames. Pictures of a
    stamp may come in any order: those that are early wait.

    shown, skipped: how many stamps were chosen, and how many were not
    """

    def __init__(self, period_ns: int) -> None:
        self.shown = self.skipped = 0
        self._period_ns = period_ns
        self._forget()

    def add(self, stream: str, stamp: int, picture: Any) -> dict[str, Any]:
        """Takes a picture; returns the pictures of its stamp to show now, by stream.

        stream: "frame", "labels" or another
        stamp:  nanoseconds
        """
        self._last[stream] = stamp
        if stamp in self._chosen:
            return {stream: picture}
        if stamp > self._decided:
            self._waiting.setdefault(stamp, {})[stream] = picture
        if stream != self._leader(stamp):
            self._drop_oldest()
            return {}
        if self._chosen and stamp < self._chosen[-1] + self._period_ns:
            self.skipped += 1
            found = {}
        else:
            self.shown += 1
            self._chosen = [*self._chosen[-_STAMPS_CHOSEN:], stamp]
            found = self._waiting.get(stamp, {})
        self._decided = stamp
        self._waiting = {at: kept for at, kept in self._waiting.items() if at > stamp}
        return found

    def restarted(self, stream: str, stamp: int) -> bool:
        """Whether time starts again with this picture; all that came before is then forgotten."""
        if stamp >= self._last.get(stream, stamp):
            return False
        self._forget()
        return True

    def _leader(self, stamp: int) -> str:
        labels = self._last.get("labels")
        return "frame" if labels is None or labels < stamp - _LABELS_MISSED_NS else "labels"

    def _drop_oldest(self) -> None:
        if len(self._waiting) > _STAMPS_WAITING:
            del self._waiting[min(self._waiting)]

    def _forget(self) -> None:
        self._waiting: dict[int, dict[str, Any]] = {}
        self._chosen: list[int] = []
        self._decided = -1
        self._last: dict[str, int] = {}
