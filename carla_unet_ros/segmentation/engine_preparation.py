# SPDX-License-Identifier: Apache-2.0
"""Prepares the engine for sizes of frames in a thread of its own, never in a callback.

TensorRT builds an engine for each size of frames, which takes minutes, and OpenVINO compiles a
graph, which takes a second. Meanwhile the node answers, ends at once, and segments the frames of
the sizes that are ready.

No ROS here; only the thread that spins the node calls this.
"""

import threading
import time
import traceback
from collections.abc import Callable
from typing import NamedTuple

from carla_unet_ros.camera_model import Size
from carla_unet_ros.engines import SECONDS_TO_RETRY, SIZES_KEPT, EngineError, Log
from carla_unet_ros.segmenter import Segmenter


class _CancelledError(Exception):
    """Raised out of a log line: nobody needs the engine any more."""


class _Failure(NamedTuple):
    """Why a size could not be prepared, and until when it is not tried again (s of the clock)."""

    reason: str
    until: float


class EnginePreparation:
    """A segmenter, and the thread that prepares its engine: one size after the other.

    segmenter: run only frames on it whose size `is_ready`; closed by `close`
    """

    def __init__(
        self,
        open_segmenter: Callable[[Log], Segmenter],
        log: Log,
        on_change: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises what `open_segmenter` does.

        open_segmenter: gets the log function of the segmenter
        log:            takes a line of text, in any thread
        on_change:      called in the preparing thread when a size is ready or has failed; it must
                        not call back
        clock:          seconds
        """
        self._log = log
        self._on_change = on_change
        self._clock = clock
        self._changing = threading.Lock()
        self._is_closed = False
        self._is_running = False
        # The first is the one that is being prepared.
        self._wanted: list[Size] = []
        self._since = 0.0
        self._failures: dict[Size, _Failure] = {}
        self.segmenter = open_segmenter(self._log_or_give_up)

    def is_ready(self, size: Size) -> bool:
        """True if frames of this size run at once; otherwise sees to it that they will."""
        if self.segmenter.is_prepared(size):
            return True
        self._want(size)
        return False

    def failure(self, size: Size | None = None) -> str:
        """Why a size could not be prepared, or None for any size; "" where none failed lately."""
        with self._changing:
            now = self._clock()
            failures = self._failures.items()
            told = [why.reason for of, why in failures if now < why.until and size in (None, of)]
        return "; ".join(told)

    def progress(self) -> str:
        """What is being prepared, "800x600 frames, for 12 s"; "" where nothing is."""
        with self._changing:
            if not self._wanted:
                return ""
            first, *others = self._wanted
            then = f"; then {', '.join(map(str, others))}" if others else ""
            return f"{first} frames, for {self._clock() - self._since:.0f} s{then}"

    def close(self) -> None:
        """Closes the segmenter and waits for nothing: what is being built is given up."""
        with self._changing:
            self._is_closed = True
            self._wanted = []
        self.segmenter.close()

    def _log_or_give_up(self, line: str) -> None:
        with self._changing:
            if self._is_closed:
                raise _CancelledError
            self._log(line)

    def _want(self, size: Size) -> None:
        with self._changing:
            failure = self._failures.get(size)
            is_asked_for = self._is_closed or size in self._wanted
            has_failed = failure is not None and self._clock() < failure.until
            # A camera whose frames have ever other sizes must not make this list grow.
            if is_asked_for or has_failed or len(self._wanted) >= SIZES_KEPT:
                return
            self._wanted.append(size)
            if self._is_running:
                return
            self._is_running = True
            self._since = self._clock()
        # As a daemon it does not keep the process, which ends without waiting for a build.
        threading.Thread(target=self._work, name="engine preparation", daemon=True).start()

    def _work(self) -> None:
        while (size := self._next()) is not None:
            failure = self._prepare(size)
            with self._changing:
                if self._is_closed:
                    return
                self._wanted.remove(size)
                self._since = self._clock()
                self._keep_failure(size, failure)
                self._on_change()

    def _next(self) -> Size | None:
        with self._changing:
            self._is_running = bool(self._wanted) and not self._is_closed
            return self._wanted[0] if self._is_running else None

    def _keep_failure(self, size: Size, reason: str) -> None:
        now = self._clock()
        others = {of: why for of, why in self._failures.items() if of != size and now < why.until}
        failed = {size: _Failure(reason, now + SECONDS_TO_RETRY)} if reason else {}
        self._failures = others | failed

    def _prepare(self, size: Size) -> str:
        """Why it could not be done, or ""."""
        start = self._clock()
        try:
            self.segmenter.prepare(size)
            self._log_or_give_up(f"ready for {size} frames after {self._clock() - start:.1f} s")
        except EngineError as error:
            return str(error)
        except _CancelledError:
            return "given up"
        except Exception as error:
            self._log("".join(traceback.format_exception(error)))
            return f"the engine cannot be prepared for {size} frames: unexpected error: {error!r}"
        return ""
