"""When the next frame is due: a steady pace that waits for a slow camera instead of skipping."""


class FramePace:
    """Frames `period` nanoseconds apart, counted from the first; no rounding adds up.

    A frame that is late shifts those after it: nothing is skipped and nothing is hurried to
    catch up, as in a simulator that runs slower than real time.
    """

    def __init__(self, rate: float) -> None:
        """`rate` in frames a second, above 0."""
        self._rate = rate
        self._start = 0
        self._frames = 0

    def wait(self, now: int) -> int:
        """Nanoseconds from `now` to the next frame, 0 where it is late; call once a frame."""
        due = self._start + round(self._frames * 1e9 / self._rate)
        if not self._frames or due < now:
            self._start, self._frames, due = now, 0, now
        self._frames += 1
        return due - now
