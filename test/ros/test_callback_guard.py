# SPDX-License-Identifier: Apache-2.0
"""What nobody expected is told and counted, and the node goes on."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from ros_bench import Diagnostics, Process, RosBench, start_segmentation
from std_msgs.msg import String

from carla_unet_ros.ros.diagnostics import OK, status
from carla_unet_ros.ros.rclpy_private import GuardedExecutor

NODE = """
import sys
from rclpy.node import Node
from std_msgs.msg import String
from carla_unet_ros.ros.main import run

def make_node():
    node = Node("fragile")
    echo = node.create_publisher(String, "echo", 10)

    def on_word(message):
        if message.data.startswith("break"):
            raise ZeroDivisionError(message.data)
        echo.publish(message)

    node.create_subscription(String, "words", on_word, 10)
    return node

sys.exit(run(make_node))
"""
STATUS = "/fragile: unexpected errors"


def test_an_error_in_a_callback_is_counted_and_the_next_message_is_read(
    bench: RosBench, tmp_path: Path
) -> None:
    process = Process([sys.executable, "-c", NODE], tmp_path / "node.txt")
    diagnostics = Diagnostics(bench)
    echo = bench.collect(String, "echo")
    words = bench.node.create_publisher(String, "words", 10)
    bench.until(lambda: words.get_subscription_count() and bench.node.count_publishers("echo"))
    long = "break " + "x" * 1_000_000
    for word in (long, "break again", "go on"):
        words.publish(String(data=word))
    bench.until(lambda: echo)
    assert echo[0].data == "go on"
    found = bench.until(lambda: diagnostics.find(STATUS, "unexpected errors: 2"))
    assert found.level == DiagnosticStatus.ERROR
    assert "ZeroDivisionError: break again" in found.message
    assert process.printed.count("Traceback") == 1  # of two within five seconds
    assert "in on_word" in process.printed
    assert len(process.printed) < 20_000
    assert process.interrupt() == 0


class Stubborn:
    """What an executor takes from, and cannot."""

    @property
    def handle(self) -> SimpleNamespace:
        raise RuntimeError("failed to take")


def test_a_message_that_cannot_be_taken_is_an_error_too(ros_domain: int) -> None:
    del ros_domain
    import rclpy

    errors: list[Exception] = []
    rclpy.init()
    try:
        with GuardedExecutor(errors.append) as executor:
            assert executor._take_subscription(Stubborn()) is None
            assert executor._take_service(Stubborn()) is None
    finally:
        rclpy.shutdown()
    assert [str(error) for error in errors] == ["failed to take"] * 2


def test_long_texts_are_cut_in_diagnostics() -> None:
    found = status("n" * 10**6, OK, "m" * 10**6, {"key": "v" * 10**6})
    assert len(found.name) < 1100
    assert found.message.endswith("m... (1000000 characters)")
    (entry,) = found.values
    assert len(entry.value) < 1100


@pytest.mark.parametrize("kind", [SetParameters, SetParametersAtomically])
def test_a_parameter_of_an_unknown_type_is_refused(
    bench: RosBench, tiny_model_path: Path, kind: Any
) -> None:
    start_segmentation(bench, tiny_model_path)
    parameters = [
        Parameter(name="overlay_opacity", value=ParameterValue(type=3, double_value=0.25)),
        Parameter(name="model", value=ParameterValue(type=10)),
    ]
    service = "set_parameters" + ("_atomically" if kind is SetParametersAtomically else "")
    answer = bench.call(kind, f"/segmentation/{service}", kind.Request(parameters=parameters))
    results = answer.results if hasattr(answer, "results") else [answer.result]
    assert all("model has a value of type 10" in result.reason for result in results)
    assert not any(result.successful for result in results)
