# SPDX-License-Identifier: Apache-2.0
"""What every node's main does: help, refusals as sentences, a clean end."""

import os
import signal
import subprocess
import sys

import pytest

from carla_unet_ros.ros.frame_memory import keep_freed_memory

NODE = """
import sys
from rclpy.node import Node
from carla_unet_ros.errors import InputError
from carla_unet_ros.ros.main import run

def make_node():
    node = Node("small")
    speed = node.declare_parameter("speed", 1).value
    if speed < 0:
        raise InputError(f"speed is {speed}; expected 0 or more")
    node.get_logger().debug(f"{1 / speed} s/m")
    node.create_timer(0.001, lambda: print("spins", flush=True))
    return node

sys.exit(run(make_node, about="A small node."))
"""


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", NODE, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.usefixtures("ros_domain")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_node_without_noise(number: int) -> None:
    process = start()
    assert process.stdout is not None
    assert process.stdout.readline() == "spins\n"
    process.send_signal(number)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


IDLE_NODE = """
import sys
from rclpy.node import Node
from carla_unet_ros.ros.main import run

def make_node():
    node = Node("idle")
    timer = node.create_timer(0.001, lambda: (timer.cancel(), print("idle", flush=True)))
    return node

sys.exit(run(make_node))
"""


@pytest.mark.usefixtures("ros_domain")
def test_a_node_with_nothing_to_do_wakes_up_to_end() -> None:
    """No timer, no message: only the signal itself can wake its executor."""
    nodes = [
        subprocess.Popen([sys.executable, "-c", IDLE_NODE], stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    for place, node in enumerate(nodes):
        assert node.stdout is not None
        assert node.stdout.readline() == "idle\n"
        node.send_signal(signal.SIGTERM if place % 2 else signal.SIGINT)
    assert [node.wait(timeout=30) for node in nodes] == [0] * len(nodes)


SIGNALLED_NODE = """
import atexit, os, signal, sys
from rclpy.node import Node
from std_msgs.msg import String
from carla_unet_ros.ros.main import run

def come_to(moment):
    if moment in sys.argv[1].split(","):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)

class Signalled(Node):
    def __init__(self):
        super().__init__("signalled")
        come_to("constructor")
        self.publisher = self.create_publisher(String, "words", 10)
        self.create_timer(0.001, self.on_timer)

    def on_timer(self):
        come_to("callback")
        self.publisher.publish(String(data="a word"))

    def destroy_node(self):
        come_to("destruction")
        super().destroy_node()

atexit.register(come_to, "exit")
sys.exit(run(Signalled, []))
"""


@pytest.mark.usefixtures("ros_domain")
@pytest.mark.parametrize(
    "moments", ["constructor", "callback", "callback,destruction", "callback,exit"]
)
def test_a_signal_is_without_noise_at_every_moment(moments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED_NODE, moments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


STUCK_NODE = """
import contextlib, ctypes, sys
from rclpy.node import Node
from carla_unet_ros.ros import main as ros_main

def never_return():
    ctypes.PyDLL(None).pause()  # as a library does, Python's lock held

class Stuck(Node):
    def destroy_node(self):
        if sys.argv[1] == "destruction":
            never_return()
        super().destroy_node()

@contextlib.contextmanager
def participant(node):
    yield
    if sys.argv[1] == "participant":
        never_return()

def callback():
    print("spins", flush=True)
    while sys.argv[1] == "callback":
        pass

def make_node():
    node = Stuck("stuck")
    node.create_timer(0.001, callback)
    return node

ros_main.keep_participant = participant
ros_main._SECONDS_TO_END = 4
ros_main._SECONDS_FOR_DDS = 1
sys.exit(ros_main.run(make_node, []))
"""


def end_stuck_node(moment: str) -> tuple[int, str]:
    """Exit status and errors after Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK_NODE, moment],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "spins\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    return process.returncode, errors


@pytest.mark.usefixtures("ros_domain")
@pytest.mark.parametrize(
    ("moment", "place"), [("destruction", "in destroy_node"), ("callback", "in callback")]
)
def test_a_node_that_does_not_end_says_where_and_is_ended(moment: str, place: str) -> None:
    status, errors = end_stuck_node(moment)
    assert status == 1
    assert place in errors


@pytest.mark.usefixtures("ros_domain")
def test_a_node_whose_participant_does_not_end_has_done_its_work_and_leaves_in_silence() -> None:
    assert end_stuck_node("participant") == (0, "")


@pytest.mark.usefixtures("ros_domain")
@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["--help"], 0, "A small node."),
        (["--speed", "3"], 2, "unrecognized arguments: --speed 3"),
        (["--ros-args", "-p"], 1, "Couldn't parse trailing -p flag"),
        (["--ros-args", "--fast"], 1, "ROS knows no arguments ['--fast']; see --help"),
        (["--ros-args", "-p", "speed:=-3"], 1, "speed is -3; expected 0 or more"),
        (["--ros-args", "-p", "speed:=fast"], 1, "speed"),
        (["--ros-args", "-p", os.fsdecode(b"name:=b\xe4r")], 1, r"name:=b\xe4r is no UTF-8"),
        (["--ros-args", "--params-file", "nowhere.yaml"], 1, "nowhere.yaml"),
    ],
)
def test_what_cannot_start_says_why(arguments: list[str], status: int, sentence: str) -> None:
    process = start(*arguments)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == status
    assert sentence in output + errors
    assert "Traceback" not in errors


@pytest.mark.usefixtures("ros_domain")
def test_a_mistake_of_ours_keeps_its_traceback() -> None:
    _, errors = (process := start("--ros-args", "-p", "speed:=0")).communicate(timeout=30)
    assert process.returncode == 1
    assert "Traceback" in errors and "ZeroDivisionError" in errors


@pytest.mark.usefixtures("ros_domain")
def test_a_node_whose_output_is_closed_ends_as_any_other() -> None:
    node = NODE.replace("flush=True", "flush=True, file=sys.stderr")
    process = subprocess.Popen(
        ["sh", "-c", 'exec "$@" >&- <&-', "sh", sys.executable, "-c", node],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "spins\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert set(errors.splitlines()) <= {"spins"}


def test_malloc_takes_the_settings() -> None:
    assert keep_freed_memory() is sys.platform.startswith("linux")


@pytest.mark.parametrize("status", [0, 1])
def test_a_process_whose_python_is_held_up_leaves_by_the_timer(status: int) -> None:
    code = (
        "import ctypes, sys; from carla_unet_ros.ros.exit_timer import exit_after;"
        f"assert exit_after(1, {status}); ctypes.PyDLL(None).pause(); sys.exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", code], timeout=30, check=False)
    assert done.returncode == status
