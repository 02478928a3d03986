# SPDX-License-Identifier: Apache-2.0
"""Reports the progress of a TensorRT build every few seconds, and lets a caller cancel it."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

from carla_unet_ros.engines.engine import Log
from carla_unet_ros.engines.tensorrt_engine.library import tensorrt_module

if TYPE_CHECKING:
    import tensorrt

SECONDS_BETWEEN_LINES = 4.0

_Result = TypeVar("_Result")


class Progress:
    """The current phases of a build, outermost first, each with its step and number of steps."""

    def __init__(self) -> None:
        self.is_cancelled = False
        self._started = time.monotonic()
        self._phases: dict[str, tuple[int, int]] = {}

    def start(self, phase: str, steps: int) -> None:
        self._phases[phase] = (0, steps)

    def step(self, phase: str, step: int) -> None:
        steps = self._phases.get(phase, (0, 0))[1]
        self._phases[phase] = (step + 1, steps)

    def finish(self, phase: str) -> None:
        self._phases.pop(phase, None)

    def text(self) -> str:
        seconds = time.monotonic() - self._started
        phases = [f"{name} {step}/{steps}" for name, (step, steps) in self._phases.copy().items()]
        return f"building the engine for {seconds:.0f} s: {', '.join(phases) or 'starting'}"


def build_with_progress(
    build: Callable[[Progress], _Result], log: Log, seconds: float = SECONDS_BETWEEN_LINES
) -> _Result:
    """Runs `build` in a thread of its own, and logs its progress from the caller's thread.

    Lines come at fixed times, because one step of a build can take a minute. If this thread is
    interrupted (Ctrl-C), the build is cancelled at its next step.
    """
    progress = Progress()
    with ThreadPoolExecutor(1, "engine build") as pool:
        future = pool.submit(build, progress)
        try:
            while not wait([future], seconds).done:
                log(progress.text())
        except BaseException:
            progress.is_cancelled = True
            raise
        return future.result()


def monitor(progress: Progress) -> "tensorrt.IProgressMonitor":
    """The callbacks that the library calls during a build."""
    trt = tensorrt_module()

    class Monitor(trt.IProgressMonitor):
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(
            self,
            phase_name: str,
            parent_phase: str | None,  # noqa: ARG002 - the library passes it
            num_steps: int,
        ) -> None:
            progress.start(phase_name, num_steps)

        def phase_finish(self, phase_name: str) -> None:
            progress.finish(phase_name)

        def step_complete(self, phase_name: str, step: int) -> bool:
            progress.step(phase_name, step)
            return not progress.is_cancelled

    return Monitor()
