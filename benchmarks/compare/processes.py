# SPDX-License-Identifier: Apache-2.0
"""Starts the contenders' processes, asks them in turn and makes sure that they end."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

from benchmarks import reporting
from benchmarks.compare.contenders import Contender, Work

_PAUSE = 0.2
"""Seconds between two contenders: idle threads of a library may keep spinning for a while."""


class Worker:
    """One contender's process, in its own session, so that Ctrl-C reaches only the benchmark.

    software: the library that runs the net, with its version
    peak_mb:  its peak memory so far
    """

    def __init__(self, contender: Contender, work: Work) -> None:
        self.contender = contender
        self.software = ""
        self.peak_mb = 0.0
        command = ["-m", "benchmarks.compare.worker", contender.name, work.to_json()]
        self._process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=reporting.ROOT,
            start_new_session=True,
        )

    def why_skipped(self) -> str:
        """Waits for the process's first frame; returns why it cannot run, or ""."""
        answer = self._answer()
        self.software = answer.get("software", "")
        return answer.get("skipped", "")

    def run(self) -> list[float]:
        """Runs all frames; returns the milliseconds of each."""
        time.sleep(_PAUSE)
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # then no answer comes either
            self._process.stdin.write("run\n")
            self._process.stdin.flush()
        answer = self._answer()
        self.peak_mb = answer["peak_mb"]
        return answer["ms"]

    def close(self) -> None:
        """Kills the process and all its children."""
        # The process is not yet waited for, so its id cannot have been reused.
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of {self.contender.name} ended; see its words above")
        return json.loads(line)
