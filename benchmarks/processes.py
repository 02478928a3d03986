# SPDX-License-Identifier: Apache-2.0
"""Processes of a benchmark: a ROS domain of their own, functions that run apart, what they use."""

import contextlib
import multiprocessing
import os
import re
import signal
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from carla_unet_ros.demo.node_processes import NodeDied, free_domain
from carla_unet_ros.ros.child_process import end_with_parent

_SECONDS_TO_END = 10.0
_SECONDS_A_LOOK = 0.2


def use_own_domain() -> None:
    """Gives this process and those it starts a ROS domain that nothing else here uses."""
    os.environ["ROS_DOMAIN_ID"] = str(free_domain())
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


class Worker(contextlib.AbstractContextManager["Worker"]):
    """A function that runs in a Python process of its own; a context that ends the process.

    function:    gets a connection to this process, and `arguments`
    environment: variables that the process has besides those of this one
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., None],
        *arguments: object,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        # A forked process would hold the memory, the threads and the middleware of this one.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._name = name
        self._process = context.Process(
            target=_work, args=(theirs, environment or {}, function, *arguments)
        )
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def ask(self, question: object) -> Any:
        """Sends something to the function; returns its answer."""
        with contextlib.suppress(BrokenPipeError):  # then no answer comes either
            self._connection.send(question)
        return self.answer()

    def answer(self, watch: Callable[[], object] = lambda: None) -> Any:
        """Waits for what the function sends next. Raises NodeDied if it ends instead.

        watch: called again and again; raises an error if no answer can come
        """
        while not self._connection.poll(_SECONDS_A_LOOK):
            watch()
        try:
            return self._connection.recv()
        except EOFError:
            self._process.join(_SECONDS_TO_END)
            raise self._death() from None

    def check(self) -> None:
        """Raises NodeDied if the process no longer runs."""
        if not self._process.is_alive():
            raise self._death()

    def __exit__(self, *_: object) -> None:
        """Sends SIGINT first: a killed process would leave its shared memory behind."""
        if self._process.is_alive():
            os.kill(self.pid, signal.SIGINT)
        self._process.join(_SECONDS_TO_END)
        self._process.kill()
        self._process.join()
        self._connection.close()

    def _death(self) -> NodeDied:
        status = self._process.exitcode
        return NodeDied(f"{self._name} ended with status {status}; what it said stands above")


def _work(
    connection: Connection, environment: Mapping[str, str], function: Any, *arguments: object
) -> None:
    # Ctrl-C in a terminal reaches the group of the benchmark, which then ends this process.
    os.setsid()
    end_with_parent()
    os.environ.update(environment)
    # A shell's background job ignores SIGINT by default.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        function(connection, *arguments)


def usage(pid: int, proc: Path = Path("/proc")) -> tuple[float, float]:
    """CPU seconds, user and system, of all threads of a process, and the MB it holds.

    They come from /proc (proc_pid_stat(5)): fields 14, 15 and 24, counted from 1.
    """
    # The name in field 2, in parentheses, may itself hold spaces and parentheses.
    values = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
    user, system, pages = (int(values[field - 3]) for field in (14, 15, 24))
    return (user + system) / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def peak_mb(pid: int) -> float:
    """Peak memory of a process; getrusage would include that of its parent."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found, "Linux names it in /proc/PID/status"
    return int(found[1]) * 1024 / 1e6
