# SPDX-License-Identifier: Apache-2.0
"""A build that takes minutes says where it stands, and can be broken off."""

import threading
from pathlib import Path

import pytest
from small_engine import needs_library, target_for

from carla_unet_ros.engines import EngineError
from carla_unet_ros.engines.tensorrt_engine import build as tensorrt_build
from carla_unet_ros.engines.tensorrt_engine import build_progress
from carla_unet_ros.engines.tensorrt_engine.build_progress import Progress, build_with_progress

pytestmark = needs_library


def test_progress_is_logged_while_a_long_step_runs() -> None:
    lines: list[str] = []
    enough = threading.Event()

    def log(line: str) -> None:
        lines.append(line)
        if len(lines) == 3:
            enough.set()

    def build(progress: Progress) -> str:
        progress.start("Building engine", 6)
        progress.start("Timing kernels", 40)
        progress.step("Timing kernels", 2)
        assert enough.wait(10)
        return "built"

    assert build_with_progress(build, log, seconds=0.01) == "built"
    assert lines[2] == "building the engine for 0 s: Building engine 0/6, Timing kernels 3/40"


def test_a_line_comes_at_least_every_five_seconds() -> None:
    assert build_progress.SECONDS_BETWEEN_LINES < 5


def test_the_library_tells_its_phases(small_model_path: Path) -> None:
    texts: list[str] = []

    class Listening(Progress):
        def step(self, phase: str, step: int) -> None:
            super().step(phase, step)
            texts.append(self.text())

    progress = Listening()
    tensorrt_build._build(target_for(small_model_path), b"", progress)
    assert any("Building engine 2/" in text for text in texts)
    assert progress.text().endswith("starting"), "every phase that started has ended"


def test_an_interrupted_build_is_broken_off(small_model_path: Path) -> None:
    """Ctrl-C reaches the thread that logs; the builder's thread ends at its next step."""
    stopped: list[str] = []
    asked = threading.Event()

    def build(progress: Progress) -> None:
        asked.set()
        while not progress.is_cancelled:
            pass
        try:
            tensorrt_build._build(target_for(small_model_path), b"", progress)
        except EngineError as error:
            stopped.append(str(error))

    def log(_: str) -> None:
        assert asked.wait(10)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_with_progress(build, log, seconds=0.01)
    assert "canceled by user" in stopped[0]


def test_an_error_in_the_builders_thread_reaches_the_caller() -> None:
    def build(_: Progress) -> None:
        raise EngineError("no")

    with pytest.raises(EngineError, match="no"):
        build_with_progress(build, print)
