# SPDX-License-Identifier: Apache-2.0
"""benchmarks.processes: functions that run apart answer and end; what a process uses."""

import mmap
import os
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from benchmarks.processes import Worker, peak_mb, usage
from carla_unet_ros.demo.node_processes import NodeDied


def double_numbers(connection: Connection, first: int) -> None:
    """Sends twice its argument, then twice of all that comes in."""
    connection.send(2 * first)
    while True:
        connection.send(2 * connection.recv())


def send_variable(connection: Connection, name: str) -> None:
    connection.send((os.environ.get(name), os.getsid(0)))


def fail(connection: Connection) -> None:
    del connection
    os._exit(3)


def stay(connection: Connection) -> None:
    connection.send("here")
    while True:
        time.sleep(3600)


def test_a_function_that_runs_apart_answers_until_its_context_ends() -> None:
    with Worker("the doubler", double_numbers, 21) as worker:
        pid = worker.pid
        assert pid != os.getpid()
        assert worker.answer() == 42
        assert worker.ask(4) == 8
        worker.check()
    assert not Path(f"/proc/{pid}").exists()


def test_it_has_variables_and_a_session_of_its_own() -> None:
    environment = {"CARLA_UNET_TEST": "value"}
    with Worker("it", send_variable, "CARLA_UNET_TEST", environment=environment) as worker:
        value, session = worker.answer()
    assert value == "value"
    assert "CARLA_UNET_TEST" not in os.environ
    assert session == worker.pid != os.getsid(0)


def test_one_that_ends_without_an_answer_is_named_with_its_status() -> None:
    with Worker("the failure", fail) as worker:
        with pytest.raises(NodeDied, match="the failure ended with status 3"):
            worker.answer()
        with pytest.raises(NodeDied, match="the failure ended with status 3"):
            worker.check()
        with pytest.raises(NodeDied, match="the failure ended with status 3"):
            worker.ask("anything")


def test_what_is_watched_ends_the_waiting() -> None:
    def watch() -> None:
        raise NodeDied("the other one ended")

    with Worker("the idle one", stay) as worker:
        assert worker.answer() == "here"
        with pytest.raises(NodeDied, match="the other one ended"):
            worker.answer(watch)
    assert not Path(f"/proc/{worker.pid}").exists()


def test_usage_is_read_from_the_right_fields(tmp_path: Path) -> None:
    """A name with spaces and parentheses; 250 + 50 ticks; 1000 pages."""
    (tmp_path / "7").mkdir()
    before = "S 1 7 7 0 -1 4194304 9 9 9 9"  # fields 3 to 13
    between = "9 9 20 0 8 0 99 12345678"  # 16 to 23
    (tmp_path / "7" / "stat").write_text(f"7 (a) b (c) {before} 250 50 {between} 1000 9 9\n")
    seconds, megabytes = usage(7, tmp_path)
    assert seconds == 300 / os.sysconf("SC_CLK_TCK")
    assert megabytes == 1000 * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_usage_of_this_process_is_what_the_kernel_says_elsewhere() -> None:
    """Pages straight from the kernel: malloc may give what other tests left resident."""
    before = usage(os.getpid())[1]
    with mmap.mmap(-1, 50_000_000) as held:
        held.write(b"x" * len(held))
        seconds, megabytes = usage(os.getpid())
    assert megabytes - before == pytest.approx(50, abs=10)
    assert seconds == pytest.approx(time.process_time(), abs=1)


def test_peak_memory_stays_where_memory_is_given_back() -> None:
    with mmap.mmap(-1, 50_000_000) as held:
        held.write(b"x" * len(held))
        peak = usage(os.getpid())[1]
    assert peak_mb(os.getpid()) >= peak - 10
