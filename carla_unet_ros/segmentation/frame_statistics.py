# SPDX-License-Identifier: Apache-2.0
"""Counts the frames of one camera by their fate, and measures recent rate and ages.

A frame that is not segmented was replaced by a newer one, or was lost on its way. A replacement in
this node is counted when it occurs. The middleware reports none, but publishers number their
messages: a gap in the numbers that arrive is the number of frames that did not arrive.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

from carla_unet_ros.ros.pace import Pace

_RATE_SECONDS = 5.0
_SILENCE_SECONDS = 2.0


class FrameReport(NamedTuple):
    """Counts since the start; rate over the last 5 s, of a slow camera over its last two frames;
    ages in ms over the last report's time.

    received:      frames whose turn came, good or bad
    published:     frames whose outputs were published
    dropped:       frames that were replaced by newer ones or lost on their way, as far as their
                   publisher numbered them; None while messages have no numbers
    waiting:       frames that came before the engine was ready for their size, and were not
                   segmented
    bad, failed:   frames that were unreadable; frames the engine failed on
    rate:          published frames per second
    size:          width and height of the last frame whose outputs were published, or None
    waited_ms:     age when the frame's turn came, median; NaN where unknown
    age_ms:        age when its outputs were published, median and largest; NaN where unknown
    undated:       whether the age of a frame was unknown since the last report
    silent_s:      seconds since a frame came or was published, or since listening began
    problem:       what was wrong with the last bad or failed frame, or ""; it stays until a
                   frame is published, and is reported at least once
    patience_s:    seconds of silence that are normal at the camera's pace
    """

    received: int
    published: int
    dropped: int | None
    waiting: int
    bad: int
    failed: int
    rate: float
    size: tuple[int, int] | None
    waited_ms: float
    age_ms: tuple[float, float]
    undated: bool
    silent_s: float
    problem: str
    patience_s: float = _SILENCE_SECONDS


class FrameStatistics:
    """Counts frames as they pass; `report` gives the figures. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._received = self._published = self._waiting = self._bad = self._failed = 0
        self._dropped = 0
        self._numbered = True
        self._last_number: int | None = None
        self._pace = Pace(_SILENCE_SECONDS, clock)
        self._publications: deque[float] = deque()
        self._size: tuple[int, int] | None = None
        self._waited: list[float] = []
        self._ages: list[float] = []
        self._undated = self._last_undated = False
        self._problem = ""
        self._recovered = True

    def listen(self) -> None:
        """Starts counting anew for a new subscription or a new publisher."""
        self._last_number = None
        self._pace.start_over()

    def arrived(self, number: int | None) -> None:
        """A frame came out of the middleware.

        number: its publisher's count of frames, None where there is none
        """
        self._pace.came()
        self._numbered = number is not None
        if number is not None and self._last_number is not None:
            self._dropped += max(0, number - self._last_number - 1)
        self._last_number = number

    def replaced(self) -> None:
        """A newer frame replaced one that had arrived."""
        self._dropped += 1

    def waits(self) -> None:
        """A frame came before the engine is ready for it."""
        self._waiting += 1

    def waited(self) -> None:
        """The engine became ready before a newer frame came: this one is segmented after all."""
        self._waiting -= 1

    def held_back(self) -> None:
        """The middleware may hold a frame that was not taken yet, so this is no silence."""
        self._pace.alive()

    def began(self, age_ms: float) -> None:
        """A frame's turn came; its age is NaN where unknown."""
        self._received += 1
        self._last_undated = math.isnan(age_ms)
        self._undated |= self._last_undated
        if not self._last_undated:
            self._waited.append(age_ms)

    def published(self, age_ms: float, size: tuple[int, int]) -> None:
        """A frame's outputs went out; its age is NaN where unknown, its size width and height."""
        self._published += 1
        self._size = size
        # The camera was not silent while the engine took seconds for a frame.
        self._pace.alive()
        self._publications.append(self._clock())
        self._recovered = True
        if not math.isnan(age_ms):
            self._ages.append(age_ms)

    def bad(self, problem: str) -> None:
        self._bad += 1
        self._hinder(problem)

    def failed(self, problem: str) -> None:
        self._failed += 1
        self._hinder(problem)

    def report(self) -> FrameReport:
        """The current figures. Ages are reset, and the problem if a frame was published since."""
        now = self._clock()
        report = FrameReport(
            received=self._received,
            published=self._published,
            dropped=self._dropped if self._numbered else None,
            waiting=self._waiting,
            bad=self._bad,
            failed=self._failed,
            rate=self._rate(now),
            size=self._size,
            waited_ms=_median(self._waited),
            age_ms=(_median(self._ages), max(self._ages, default=math.nan)),
            undated=self._undated,
            silent_s=self._pace.silence,
            problem=self._problem,
            patience_s=self._pace.patience,
        )
        self._waited, self._ages, self._undated = [], [], self._last_undated
        if self._recovered:
            self._problem = ""
        return report

    def _hinder(self, problem: str) -> None:
        self._problem = problem
        self._recovered = False

    def _rate(self, now: float) -> float:
        times = self._publications
        # Two are kept: a slow camera publishes fewer in this time.
        while len(times) > 2 and times[0] < now - _RATE_SECONDS:
            times.popleft()
        # Between the first and the last lie one interval fewer than frames.
        span = times[-1] - times[0] if len(times) > 1 else 0.0
        if times and now - times[-1] > max(_RATE_SECONDS, 2 * span):
            return 0.0
        return (len(times) - 1) / span if span else 0.0


def _median(values: list[float]) -> float:
    return median(values) if values else math.nan
