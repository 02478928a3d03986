# SPDX-License-Identifier: Apache-2.0
"""Measures how often messages come, to say when one is late: a camera of 20 Hz or of 1/3 Hz.

A fixed limit would call a slow camera silent between any two of its frames.
"""

import time
from collections import deque
from collections.abc import Callable
from statistics import median

_GAPS = 5
_LATE_GAPS = 3.0
_SECONDS_FOR_THE_SECOND = 10.0


class Pace:
    """The times of one stream. `clock` gives seconds.

    least: the shortest silence, in seconds, that is called late
    """

    def __init__(self, least: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._least = least
        self._clock = clock
        self._gaps: deque[float] = deque(maxlen=_GAPS)
        self._last: float | None = None
        self._last_sign = clock()

    def came(self) -> None:
        """Counts a message."""
        now = self._clock()
        if self._last is not None:
            self._gaps.append(now - self._last)
        self._last = self._last_sign = now

    def alive(self) -> None:
        """Ends a silence without a message: there is a reason why none came."""
        self._last_sign = self._clock()

    def start_over(self) -> None:
        """Waits for a first message again: the time since the last one is no gap."""
        self._last = None
        self._last_sign = self._clock()

    @property
    def silence(self) -> float:
        """Seconds since the last sign of life."""
        return self._clock() - self._last_sign

    @property
    def patience(self) -> float:
        """Seconds of silence that are normal: three of the usual gaps, and at least `least`."""
        if self._gaps:
            return max(self._least, _LATE_GAPS * median(self._gaps))
        return self._least if self._last is None else max(self._least, _SECONDS_FOR_THE_SECOND)

    @property
    def late(self) -> bool:
        return self.silence > self.patience
