"""What every node's main does: help, refusals as sentences, a clean end."""

import signal
import subprocess
import sys

import pytest

from carla_unet_ros.ros.frame_memory import keep_freed_memory

NODE = """
import sys
from rclpy.node import Node
from carla_unet_ros.ros.main import run

def make_node():
    node = Node("small")
    speed = node.declare_parameter("speed", 1).value
    if speed < 0:
        raise ValueError(f"speed is {speed}; expected 0 or more")
    node.create_timer(0.001, lambda: print("spins", flush=True))
    if speed > 8:
        node.create_timer(0.001, lambda: 1 / 0)
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


STUCK_NODE = """
import ctypes, sys
from rclpy.node import Node
from carla_unet_ros.ros import main as ros_main

class Stuck(Node):
    def destroy_node(self):
        ctypes.PyDLL(None).pause()  # as a library that never returns, Python's lock held

def make_node():
    node = Stuck("stuck")
    node.create_timer(0.001, lambda: print("spins", flush=True))
    return node

ros_main._SECONDS_TO_END = 1
sys.exit(ros_main.run(make_node))
"""


@pytest.mark.usefixtures("ros_domain")
def test_a_node_that_does_not_end_says_where_and_is_killed() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK_NODE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "spins\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGALRM
    assert "in destroy_node" in errors


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
def test_an_error_in_the_code_is_not_hidden() -> None:
    process = start("--ros-args", "-p", "speed:=9")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "ZeroDivisionError" in errors
    assert "Traceback" in errors


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
