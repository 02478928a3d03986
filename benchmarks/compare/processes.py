"""The contenders' processes as the benchmark sees them: started, asked in turn, ended for sure."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm

from benchmarks import reporting
from benchmarks.compare.contenders import Contender, Work

_PAUSE = 0.2
"""Seconds between two contenders: a library's idle threads may look for work a while longer."""


@dataclass
class Times:
    """ms: of every counted frame; peak_mb: the most memory that was held."""

    ms: list[float] = field(default_factory=list)
    peak_mb: float = 0.0


class Worker:
    """One contender's process, in a session of its own: Ctrl-C reaches it only through us."""

    def __init__(self, contender: Contender, work: Work) -> None:
        self.contender = contender
        self.software = ""
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

    def run(self) -> tuple[list[float], float]:
        """Milliseconds of each frame, and the most memory it has held so far, in MB."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # then there is no answer either
            self._process.stdin.write("run\n")
            self._process.stdin.flush()
        answer = self._answer()
        return answer["ms"], answer["peak_mb"]

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


def in_turns(workers: Sequence[Worker], rounds: int, warm_up: int = 1) -> dict[str, Times]:
    """Lets each run all frames in every round; the `warm_up` first rounds are not counted.

    A change of the machine so hits all alike. The order differs from round to round, so that
    none always comes after the same.
    """
    times = {worker.contender.name: Times() for worker in workers}
    order = list(workers)
    for number in tqdm(range(warm_up + rounds), "rounds"):
        random.Random(number).shuffle(order)
        for worker in order:
            time.sleep(_PAUSE)
            milliseconds, peak = worker.run()
            entry = times[worker.contender.name]
            entry.peak_mb = peak
            if number >= warm_up:
                entry.ms += milliseconds
    return times
