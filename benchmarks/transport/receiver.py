# SPDX-License-Identifier: Apache-2.0
"""The receiving process: counts images and their age on arrival, prints JSON.

The age runs from the stamp, the time of sending, to the callback. `sent` counts the frames from
the first to the last received. Images are not counted until every topic has sent one and the
warm-up after that is over. If the node's process is given, its CPU time and memory are measured
over the same seconds.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image

from benchmarks.timing import spread

_SECONDS_TO_FIRST = 60.0


class Receipts:
    """Images received on one topic: their numbers, stamps in ns and ages in ms."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.stamps: list[int] = []
        self.ages: list[float] = []

    def add(self, message: Image) -> None:
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        self.ages.append((time.time_ns() - stamp) / 1e6)
        self.stamps.append(stamp)
        self.numbers.append(int(message.header.frame_id))

    def clear(self) -> None:
        for values in (self.numbers, self.stamps, self.ages):
            values.clear()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("topics", nargs="+")
    parser.add_argument("--best-effort", action="store_true", help="not reliable")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--warm-up", type=float, default=2.0, metavar="SECONDS")
    parser.add_argument("--node", type=int, metavar="PID", help="also tell what this one uses")
    options = parser.parse_args()
    # A shell's background job ignores SIGINT by default.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        print(json.dumps(received(options)))
    except KeyboardInterrupt:
        return 130
    finally:
        rclpy.shutdown()
    return 0


def received(options: argparse.Namespace) -> dict[str, object]:
    """Subscribes, waits until all topics are alive, and counts."""
    node = Node("transport_receiver")
    receipts = [Receipts() for _ in options.topics]
    qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
    if options.best_effort:
        qos.reliability = ReliabilityPolicy.BEST_EFFORT
    for topic, receipt in zip(options.topics, receipts, strict=True):
        node.create_subscription(Image, topic, receipt.add, qos)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    spin(executor, _SECONDS_TO_FIRST, until=lambda: all(receipt.numbers for receipt in receipts))
    spin(executor, options.warm_up)
    for receipt in receipts:
        receipt.clear()
    start, before = time.monotonic(), usage(options.node)[0] if options.node else 0.0
    spin(executor, options.seconds)
    seconds = time.monotonic() - start
    found = figures(receipts, seconds)
    if options.node:
        after, memory = usage(options.node)
        share = (after - before) / seconds
        found |= {"cpu_share": round(share, 3), "memory_mb": round(memory, 1)}
    return found


def spin(
    executor: SingleThreadedExecutor, seconds: float, until: Callable[[], bool] = lambda: False
) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not until():
        executor.spin_once(0.1)


def figures(receipts: list[Receipts], seconds: float) -> dict[str, object]:
    """Images sent and received, and median and 95th percentile of their ages.

    sent_hz and received_hz are per camera, the latter as a mean. None marks a figure that needs
    more images.
    """
    ages = [age for receipt in receipts for age in receipt.ages]
    numbers = [receipt.numbers for receipt in receipts if receipt.numbers]
    return {
        "sent": sum(max(seen) - min(seen) + 1 for seen in numbers),
        "received": len(ages),
        "received_by_camera": [len(receipt.numbers) for receipt in receipts],
        "sent_hz": sent_hz(receipts),
        "received_hz": round(len(ages) / len(receipts) / seconds, 2),
        **(spread(ages) if ages else {"median_ms": None, "p95_ms": None}),
    }


def sent_hz(receipts: list[Receipts]) -> float | None:
    """Frames per second that a camera sent, which may be fewer than requested."""
    sent = [
        pair for receipt in receipts for pair in zip(receipt.numbers, receipt.stamps, strict=True)
    ]
    (first, start), (last, end) = min(sent, default=(0, 0)), max(sent, default=(0, 0))
    return round(1e9 * (last - first) / (end - start), 2) if last > first else None


def usage(pid: int, proc: Path = Path("/proc")) -> tuple[float, float]:
    """CPU seconds, user and system, of all threads of a process, and the MB it holds.

    They come from /proc (proc_pid_stat(5)): fields 14, 15 and 24, counted from 1.
    """
    # The name in field 2, in parentheses, may itself hold spaces and parentheses.
    values = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
    user, system, pages = (int(values[field - 3]) for field in (14, 15, 24))
    return (user + system) / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    sys.exit(main())
