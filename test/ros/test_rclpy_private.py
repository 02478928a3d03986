# SPDX-License-Identifier: Apache-2.0
"""The one file that knows rclpy's private names: it says which is missing, and has them all."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from ros_bench import RosBench
from std_msgs.msg import String

from carla_unet_ros.ros.rclpy_private import check_names, keep_participant, take

ROOT = Path(__file__).parents[2]
KNOWS_THEM = ROOT / "carla_unet_ros" / "ros" / "rclpy_private.py"
PRIVATE = re.compile(
    r"rclpy\.impl|rclpy_implementation|_rclpy\b|_state_machine|\.take_message\b"
    r"|_service_(?:change|get)_\w+|(?:node|subscription|publisher|service|timer|context)\.handle\b"
)


def test_a_name_this_rclpy_lacks_is_told_in_a_sentence() -> None:
    class Subscription: ...

    handle = SimpleNamespace(__enter__=None, __exit__=None)
    without = SimpleNamespace(
        RCLError=None, UnknownROSArgsError=None, Node=handle, Subscription=Subscription
    )
    with pytest.raises(
        ImportError, match=r"not as in ROS 2 Jazzy: .* no attribute 'take_message'"
    ):
        check_names(without)


@pytest.mark.parametrize("folder", ["carla_unet_ros", "training", "launch", "benchmarks", "test"])
def test_no_other_file_knows_a_private_name_of_rclpy(folder: str) -> None:
    files = set((ROOT / folder).rglob("*.py")) - {KNOWS_THEM, Path(__file__)}
    assert files
    assert not [path for path in files if PRIVATE.search(path.read_text())]


def test_a_message_is_taken_past_the_executor(bench: RosBench) -> None:
    node = Node("taker", context=bench.context)  # the bench does not spin it
    subscription = node.create_subscription(String, "words", lambda _: None, 1)
    publisher = bench.node.create_publisher(String, "words", 1)
    assert take(subscription) is None
    bench.until(publisher.get_subscription_count)
    publisher.publish(String(data="a word"))
    message, _ = bench.until(lambda: take(subscription))
    assert message.data == "a word"
    node.destroy_node()


def test_a_destroyed_node_keeps_its_participant_as_long_as_told(bench: RosBench) -> None:
    context = Context()
    rclpy.init(context=context)
    node = Node("leaving", context=context)
    bench.until(lambda: "leaving" in bench.node.get_node_names())
    with keep_participant(node):
        node.destroy_node()
        bench.spin(0.5)
        assert "leaving" in bench.node.get_node_names()
    bench.until(lambda: "leaving" not in bench.node.get_node_names())
    context.shutdown()
