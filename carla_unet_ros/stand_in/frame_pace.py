# SPDX-License-Identifier: Apache-2.0
"""Says when the next frame is due. The pace is steady, and waits for a slow camera."""


class FramePace:
    """Frames at an even distance of 1 / rate, counted from the first one: roundings do not add up.

    A late frame delays all frames after it. As in a simulator that runs slower than real time, no
    frame is skipped, and none comes early to catch up.
    """

    def __init__(self, rate: float) -> None:
        """rate: frames per second, above 0."""
        self._rate = rate
        self._start = 0
        self._frames = 0

    def wait(self, now: int) -> int:
        """Nanoseconds from `now` to the next frame, 0 if it is late. Call it once per frame."""
        due = self._start + round(self._frames * 1e9 / self._rate)
        if not self._frames or due < now:
            self._start, self._frames, due = now, 0, now
        self._frames += 1
        return due - now
