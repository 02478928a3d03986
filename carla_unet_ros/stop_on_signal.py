# SPDX-License-Identifier: Apache-2.0
"""Turns signals that ask for the end into a flag, so that nothing interrupts the clean-up."""

import signal
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any


class StopOnSignal(AbstractContextManager["StopOnSignal"]):
    """A context that is true after Ctrl-C, after the terminal was closed, and after `kill`."""

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopOnSignal":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup ignores SIGHUP, so that the command goes on behind a closed terminal.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __bool__(self) -> bool:
        return self._asked

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._asked = True
