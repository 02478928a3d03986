"""The receiving process of transport.py: counts images and their age on arrival, prints JSON.

The age is from the stamp, which is the moment of sending, to the callback. `sent` are the frames
from the first to the last that came. What comes before every topic has sent an image, and in the
warm-up after that, is not counted.
"""

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

_SECONDS_TO_FIRST = 60.0


class Receipts:
    """What came on one topic: numbers of the images, and their ages in ms."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.ages: list[float] = []

    def add(self, message: Image) -> None:
        stamp = message.header.stamp
        self.ages.append((time.time_ns() - stamp.sec * 10**9 - stamp.nanosec) / 1e6)
        self.numbers.append(int(message.header.frame_id))

    def clear(self) -> None:
        self.numbers.clear()
        self.ages.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("topics", nargs="+")
    parser.add_argument("--best-effort", action="store_true", help="not reliable")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--warm-up", type=float, default=2.0, metavar="SECONDS")
    options = parser.parse_args()
    rclpy.init(args=[])
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
    spin(executor, options.seconds)
    print(json.dumps(figures(receipts)))
    rclpy.shutdown()


def spin(
    executor: SingleThreadedExecutor, seconds: float, until: Callable[[], bool] = lambda: False
) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not until():
        executor.spin_once(0.1)


def figures(receipts: list[Receipts]) -> dict[str, int | float | None]:
    """Images sent and received, median and 95th percentile of their ages; None without images."""
    ages = [age for receipt in receipts for age in receipt.ages]
    numbers = [receipt.numbers for receipt in receipts if receipt.numbers]
    median, p95 = np.percentile(ages, (50, 95)) if ages else (None, None)
    return {
        "sent": sum(max(seen) - min(seen) + 1 for seen in numbers),
        "received": len(ages),
        "median_ms": None if median is None else round(float(median), 2),
        "p95_ms": None if p95 is None else round(float(p95), 2),
        "silent_cameras": len(receipts) - len(numbers),
    }


if __name__ == "__main__":
    main()
