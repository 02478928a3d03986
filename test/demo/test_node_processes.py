# SPDX-License-Identifier: Apache-2.0
"""Nodes as processes: their end is noticed, and none outlives the demo."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from carla_unet_ros.demo import node_processes
from carla_unet_ros.demo.node_processes import NodeDied, NodeProcesses, free_domain

PATIENCE = 30.0


def test_a_node_that_ends_by_itself_is_named_with_its_last_words(tmp_path: Path) -> None:
    with NodeProcesses(tmp_path) as nodes:
        nodes.start("no_such_node")
        with pytest.raises(
            NodeDied, match=r"(?s)no_such_node ended with status 1.*No module named"
        ):
            wait_for_a_death(nodes)


def test_without_a_folder_what_nodes_print_goes_when_they_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with NodeProcesses() as nodes:
        nodes.start("no_such_node")
        with pytest.raises(NodeDied, match=r"(?s)no_such_node ended.*No module named"):
            wait_for_a_death(nodes)
        assert list(tmp_path.glob("*/no_such_node.txt"))
    assert list(tmp_path.iterdir()) == []


def test_a_node_has_the_variables_that_it_is_started_with(tmp_path: Path, ros_domain: int) -> None:
    del ros_domain
    with NodeProcesses(tmp_path) as nodes:
        more = {"CARLA_UNET_TEST": "value"}
        nodes.start("segmentation.segmentation_node", more, autostart="false")
        variables = Path(f"/proc/{nodes.pids[0]}/environ").read_bytes().split(b"\0")
        assert b"CARLA_UNET_TEST=value" in variables
        assert b"PYTHONUNBUFFERED=1" in variables


def test_a_killed_node_is_named_with_the_signal(tmp_path: Path, ros_domain: int) -> None:
    del ros_domain
    with NodeProcesses(tmp_path) as nodes:
        others = children_of(os.getpid())
        nodes.start("segmentation.segmentation_node", autostart="false")
        (child,) = set(children_of(os.getpid())) - set(others)
        os.kill(child, signal.SIGKILL)
        with pytest.raises(NodeDied, match="segmentation_node ended with signal 9"):
            wait_for_a_death(nodes)


def test_a_node_that_does_not_end_in_time_is_killed(
    tmp_path: Path, ros_domain: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    del ros_domain
    monkeypatch.setattr(node_processes, "_SECONDS_TO_END", 0.0)
    with NodeProcesses(tmp_path) as nodes:
        others = children_of(os.getpid())
        nodes.start("segmentation.segmentation_node", autostart="false")
        (child,) = set(children_of(os.getpid())) - set(others)
    assert not is_running(child)


def test_nodes_end_even_where_their_parent_is_killed(tmp_path: Path, ros_domain: int) -> None:
    del ros_domain
    script = (
        "import sys, time, pathlib\n"
        "from carla_unet_ros.demo.node_processes import NodeProcesses\n"
        "with NodeProcesses(pathlib.Path(sys.argv[1])) as nodes:\n"
        "    nodes.start('segmentation.segmentation_node', autostart='false')\n"
        "    print('started', flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "started\n"
        (child,) = children_of(parent.pid)
        parent.kill()
    until = time.monotonic() + PATIENCE
    while is_running(child):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_domain_in_use_is_left_alone() -> None:
    domain = free_domain()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as participant:
        participant.bind(("", 7410 + 250 * domain))
        assert free_domain() != domain


def wait_for_a_death(nodes: NodeProcesses) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        nodes.check()
        time.sleep(0.02)


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    """Whether the process is there and has not ended; one that only waits for init has ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
