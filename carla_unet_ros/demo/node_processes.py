# SPDX-License-Identifier: Apache-2.0
"""Starts nodes of this package as processes, watches them, and ends them together."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from carla_unet_ros.errors import InputError
from carla_unet_ros.ros.child_process import end_with_parent

_SECONDS_TO_END = 5.0
_LINES_SHOWN = 15
_DOMAINS = 101


class NodeDied(InputError):
    """A node has ended by itself; the text says which, how, and what it printed last."""


class NodeProcesses:
    """A context in which nodes run; leaving it ends all of them.

    logs: folder for what the nodes print, one file for each
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._processes)

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids in the order of `names`."""
        return tuple(process.pid for process in self._processes.values())

    def start(self, module: str, **parameters: str) -> None:
        """Starts the node of `carla_unet_ros.<module>` with these ROS parameters."""
        node = module.rpartition(".")[2]
        command = [sys.executable, "-m", f"carla_unet_ros.{module}", "--ros-args"]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={value}"]
        with self._log(node).open("wb") as log:
            self._processes[node] = subprocess.Popen(
                command,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A terminal sends Ctrl-C to its whole process group. The nodes end only when this
                # process tells them to.
                start_new_session=True,
                preexec_fn=end_with_parent,
            )

    def end(self, node: str, number: signal.Signals = signal.SIGINT) -> None:
        """Ends a node by this signal; `start` starts it again."""
        process = self._processes.pop(node)
        process.send_signal(number)
        _wait_or_kill(process, _SECONDS_TO_END)

    def check(self) -> None:
        """Raises NodeDied where a node no longer runs."""
        for node, process in self._processes.items():
            status = process.poll()
            if status is not None:
                how = f"signal {-status}" if status < 0 else f"status {status}"
                raise NodeDied(f"{node} ended with {how}. {self.last_lines(node)}")

    def last_lines(self, node: str) -> str:
        """The last lines that a node printed, as a text for people."""
        lines = self._log(node).read_text(errors="replace").splitlines()[-_LINES_SHOWN:]
        return "\n    ".join(["It printed last:", *lines]) if lines else "It printed nothing."

    def __enter__(self) -> "NodeProcesses":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in self._processes.values():
            process.send_signal(signal.SIGINT)
        until = time.monotonic() + _SECONDS_TO_END
        for process in self._processes.values():
            _wait_or_kill(process, max(0.0, until - time.monotonic()))

    def _log(self, node: str) -> Path:
        return self._logs / f"{node}.txt"


def free_domain() -> int:
    """A ROS domain id, 1..101, that no process on this machine uses.

    The first participant of a domain listens on UDP port 7410 + 250 x domain (RTPS
    specification 2.5, 9.6.2.3). If that port is free, the domain has no participant.
    """
    first = os.getpid() % _DOMAINS
    for offset in range(_DOMAINS):
        domain = (first + offset) % _DOMAINS + 1
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", 7410 + 250 * domain))
            except OSError:
                continue
            return domain
    raise InputError(f"all ROS domains 1..{_DOMAINS} are in use on this machine")


def _wait_or_kill(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
