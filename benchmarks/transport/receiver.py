# SPDX-License-Identifier: Apache-2.0
"""The receiving process: counts images and their age on arrival.

The age runs from the stamp, the time of sending, to the callback. `sent` counts the frames from
the first to the last received. Images are not counted until every topic has sent one and the
warm-up after that is over.
"""

import time
from collections.abc import Sequence
from contextlib import closing
from multiprocessing.connection import Connection
from typing import NamedTuple

from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from benchmarks.listening import Listener, stamp_of
from benchmarks.processes import usage
from benchmarks.timing import spread

_SECONDS_TO_FIRST = 60.0


class Receipt(NamedTuple):
    """An image that was received: its number, its stamp in ns, its age in ms."""

    number: int
    stamp: int
    age: float

    @staticmethod
    def of(message: Image) -> "Receipt":
        age = (time.time_ns() - stamp_of(message)) / 1e6
        return Receipt(int(message.header.frame_id), stamp_of(message), age)


Receipts = list[Receipt]
"""What was received on one topic."""


def send_figures(
    connection: Connection,
    topics: Sequence[str],
    reliability: str,
    warm_up: float,
    seconds: float,
    pids: Sequence[int],
) -> None:
    """Subscribes, waits until all topics are alive, counts, and sends the figures.

    pids: processes whose CPU time and memory are measured over the same seconds
    """
    receipts: list[Receipts] = [[] for _ in topics]
    qos = QoSProfile(depth=1, reliability=ReliabilityPolicy[reliability.upper()])
    with closing(Listener("transport_receiver")) as listener:
        for topic, images in zip(topics, receipts, strict=True):

            def take(image: Image, images: Receipts = images) -> None:
                images.append(Receipt.of(image))

            listener.node.create_subscription(Image, topic, take, qos)
        listener.spin(_SECONDS_TO_FIRST, until=lambda: all(receipts))
        listener.spin(warm_up)
        for images in receipts:
            images.clear()
        took, shares = listener.watch(seconds, pids)
    found = figures(receipts, took)
    for pid, share in zip(pids, shares, strict=True):
        found |= {"cpu_share": round(share, 3), "memory_mb": round(usage(pid)[1], 1)}
    connection.send(found)


def figures(receipts: list[Receipts], seconds: float) -> dict[str, object]:
    """Images sent and received, and median and 95th percentile of their ages.

    sent_hz, which may be less than requested, and received_hz are per camera, the latter as a
    mean. None marks a figure that needs more images.
    """
    images = [image for received in receipts for image in received]
    ages = [image.age for image in images]
    numbers = [[image.number for image in received] for received in receipts if received]
    first, last = min(images, default=None), max(images, default=None)
    sent_hz = None
    if first and last and last.number > first.number:
        sent_hz = round(1e9 * (last.number - first.number) / (last.stamp - first.stamp), 2)
    return {
        "sent": sum(max(seen) - min(seen) + 1 for seen in numbers),
        "received": len(images),
        "received_by_camera": [len(received) for received in receipts],
        "sent_hz": sent_hz,
        "received_hz": round(len(images) / len(receipts) / seconds, 2),
        **(spread(ages) if ages else {"median_ms": None, "p95_ms": None}),
    }
