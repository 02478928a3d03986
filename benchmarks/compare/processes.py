# SPDX-License-Identifier: Apache-2.0
"""The contenders' processes as the benchmark sees them: started, asked in turn, ended for sure."""

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
"""Seconds between two contenders: a library's idle threads may look for work a while longer."""


class Worker:
    """One contender's process, in a session of its own: Ctrl-C reaches it only through us.

    software: what runs the net, with its version
    peak_mb:  the most memory it has held so far
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
        """Waits until it has run its first frame; why it cannot, or ""."""
        answer = self._answer()
        self.software = answer.get("software", "")
        return answer.get("skipped", "")

    def run(self) -> list[float]:
        """Milliseconds of each frame."""
        time.sleep(_PAUSE)
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # then there is no answer either
            self._process.stdin.write("run\n")
            self._process.stdin.flush()
        answer = self._answer()
        self.peak_mb = answer["peak_mb"]
        return answer["ms"]

    def close(self) -> None:
        """Ends it and all it has started, whatever it is doing."""
        # Not waited for before: so the number is still its own.
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of {self.contender.name} ended; see its words above")
        return json.loads(line)
