# SPDX-License-Identifier: Apache-2.0
"""What is no time on /clock is left out, and the next time is taken."""

import sys
from pathlib import Path

import pytest
from builtin_interfaces.msg import Time
from ros_bench import Process, RosBench
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Int32

NODE = """
import sys
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import Int32
from carla_unet_ros.ros.lifecycle import STEADY
from carla_unet_ros.ros.main import run

def make_node():
    node = Node("watch")
    seconds = node.create_publisher(Int32, "seconds", 10)

    def tell():
        node.set_parameters([Parameter("use_sim_time", value=True)])
        seconds.publish(Int32(data=node.get_clock().now().nanoseconds // 10**9 % 2**31))

    node.create_timer(0.05, tell, clock=STEADY)
    return node

sys.exit(run(make_node, sys.argv[1:]))
"""


@pytest.mark.parametrize("given", [["--ros-args", "-p", "use_sim_time:=true"], []])
def test_negative_seconds_are_left_out(bench: RosBench, tmp_path: Path, given: list[str]) -> None:
    process = Process([sys.executable, "-c", NODE, *given], tmp_path / "node.txt")
    bench.processes.append(process)  # which must end without a traceback
    clock = bench.node.create_publisher(Clock, "/clock", 10)
    seconds = bench.collect(Int32, "seconds")

    def send(second: int) -> int:
        clock.publish(Clock(clock=Time(sec=second)))
        return seconds[-1].data if seconds else -1

    bench.until(lambda: send(7) == 7)
    bench.until(lambda: send(-5) and "/clock says -5 s; expected 0 or more" in process.printed)
    seconds.clear()
    bench.until(lambda: len(seconds) > 1)
    assert {found.data for found in seconds} == {7}
    bench.until(lambda: send(8) == 8)
