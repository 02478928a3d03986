# SPDX-License-Identifier: Apache-2.0
"""Sizes are prepared in a thread, one after the other; what failed is tried again later."""

import threading
from collections.abc import Iterator
from typing import cast

import pytest

from carla_unet_ros.camera_model import Size
from carla_unet_ros.engines import SECONDS_TO_RETRY, SIZES_KEPT, EngineError, Log
from carla_unet_ros.segmentation.engine_preparation import EnginePreparation
from carla_unet_ros.segmenter import Segmenter

A, B = Size(80, 60), Size(64, 48)
_PATIENCE = 60.0


class Engines:
    """A segmenter whose preparations each take until the test says how they end.

    prepared: the sizes that are ready, as they came to be
    now:      seconds of the preparation's clock
    """

    def __init__(self) -> None:
        self.prepared: list[Size] = []
        self.lines: list[str] = []
        self.now = 100.0
        self.started = threading.Semaphore(0)
        self._ends: list[Exception | None] = []
        self._may_end = threading.Semaphore(0)
        self._changed = threading.Semaphore(0)
        self.preparation = EnginePreparation(
            self._open, self.lines.append, self._changed.release, lambda: self.now
        )

    def end(self, error: Exception | None = None) -> None:
        """Waits until a size is being prepared, and ends that."""
        assert self.started.acquire(timeout=_PATIENCE)
        self.let_end(error)
        assert self._changed.acquire(timeout=_PATIENCE)

    def let_end(self, error: Exception | None = None) -> None:
        self._ends.append(error)
        self._may_end.release()

    def is_prepared(self, size: Size) -> bool:
        return size in self.prepared

    def prepare(self, size: Size) -> None:
        self.started.release()
        assert self._may_end.acquire(timeout=_PATIENCE)
        self._log(f"building {size}")
        if error := self._ends.pop(0):
            raise error
        self.prepared.append(size)

    def close(self) -> None:
        self.prepared.clear()

    def _open(self, log: Log) -> Segmenter:
        self._log = log
        return cast(Segmenter, self)


@pytest.fixture
def engines() -> Iterator[Engines]:
    engines = Engines()
    yield engines
    engines.preparation.close()


def test_a_size_is_ready_once_its_thread_is_done(engines: Engines) -> None:
    preparation = engines.preparation
    assert not preparation.is_ready(A)
    engines.now += 12
    assert preparation.progress() == "80x60 frames, for 12 s"
    assert not preparation.is_ready(A)
    engines.end()
    assert preparation.is_ready(A)
    assert preparation.progress() == preparation.failure() == ""
    assert engines.prepared == [A]
    assert engines.lines[-1].startswith("ready for 80x60 frames")


def test_sizes_are_prepared_in_the_order_in_which_they_were_asked_for(engines: Engines) -> None:
    preparation = engines.preparation
    for size in (A, B, A, B):
        preparation.is_ready(size)
    assert preparation.progress() == "80x60 frames, for 0 s; then 64x48"
    engines.end()
    assert preparation.is_ready(A)
    engines.end()
    assert engines.prepared == [A, B]


def test_frames_of_ever_other_sizes_do_not_queue_without_end(engines: Engines) -> None:
    for width in range(1, 100):
        engines.preparation.is_ready(Size(width, 1))
    for _ in range(SIZES_KEPT):
        engines.end()
    assert len(engines.prepared) == SIZES_KEPT
    assert engines.preparation.progress() == ""


def test_a_size_that_failed_is_told_and_not_tried_again_at_once(engines: Engines) -> None:
    preparation = engines.preparation
    preparation.is_ready(A)
    engines.end(EngineError("no memory"))
    assert preparation.failure() == preparation.failure(A) == "no memory"
    assert preparation.failure(B) == ""
    assert not preparation.is_ready(A)
    assert preparation.progress() == ""
    engines.now += SECONDS_TO_RETRY
    assert preparation.failure() == ""
    assert not preparation.is_ready(A)
    engines.end()
    assert preparation.is_ready(A)


def test_what_nobody_expected_is_a_failure_with_its_traceback_in_the_log(engines: Engines) -> None:
    engines.preparation.is_ready(A)
    engines.end(ZeroDivisionError("by nil"))
    assert "unexpected error: ZeroDivisionError('by nil')" in engines.preparation.failure(A)
    assert "Traceback" in engines.lines[-1]
    engines.preparation.is_ready(B)
    engines.end()
    assert engines.prepared == [B]


def test_closing_waits_for_nothing_and_gives_up_what_is_being_built(engines: Engines) -> None:
    engines.preparation.is_ready(A)
    engines.preparation.is_ready(B)
    assert engines.started.acquire(timeout=_PATIENCE)
    (thread,) = (entry for entry in threading.enumerate() if entry.name == "engine preparation")
    engines.preparation.close()
    engines.let_end()
    thread.join(_PATIENCE)
    assert not thread.is_alive()
    assert engines.prepared == []
    assert engines.lines == []
    assert not engines.preparation.is_ready(A)
    assert engines.preparation.progress() == ""
