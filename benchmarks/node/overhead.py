# SPDX-License-Identifier: Apache-2.0
"""Measures the CPU time per frame that the segmentation node needs besides its engine.

    python -m benchmarks.node.overhead [--document]

A camera process publishes bgra8 frames of 800x600 and subscribes to the outputs. This process
takes each frame from the middleware and passes it through the node's own CameraStream, with an
engine that answers at once. It measures thread CPU time, which a busy machine hardly distorts.
"""

import argparse
import os
import subprocess
import sys
import time
from statistics import median
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.subscription import Subscription
from tqdm import tqdm

from benchmarks import reporting
from carla_unet_ros.camera_model import LARGEST_FRAME
from carla_unet_ros.demo.node_processes import free_domain
from carla_unet_ros.labels import carla_13
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.ros.frame_clock import FrameClock
from carla_unet_ros.ros.frame_memory import keep_freed_memory
from carla_unet_ros.ros.rclpy_private import take
from carla_unet_ros.segmentation.camera_stream import CameraStream
from carla_unet_ros.segmentation.engine_preparation import EnginePreparation
from carla_unet_ros.segmentation.frame_dispatcher import FrameDispatcher
from carla_unet_ros.segmenter import Segmentation

CAMERA = CameraTopics("/overhead/image")
OUTPUTS = ("labels", "confidence", "overlay")
PERIOD = 0.05

_HEADS = ("published", "take, ms", "convert and publish, ms", "together, ms")
_EXPLANATION = """\
Median CPU time of the node's thread for a bgra8 frame that another process sent, with an engine
that answers at once: taken from the middleware, turned into these outputs, published."""


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    os.environ |= {
        "ROS_DOMAIN_ID": str(free_domain()),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    keep_freed_memory()
    cases = []
    for count in tqdm(range(1, len(OUTPUTS) + 1), "cases"):
        taking, work = measure(OUTPUTS[:count], options.frames)
        cases.append({"outputs": OUTPUTS[:count], "take_ms": taking, "work_ms": work})
    results = {**reporting.conditions("node.overhead", argv), "cases": cases}
    reporting.finish(results, "overhead", section(results), options)
    return 0


def section(results: dict[str, Any]) -> str:
    """The section of docs/performance.md: one row for each choice of outputs."""
    rows = [
        [", ".join(case["outputs"]), case["take_ms"], case["work_ms"],
         case["take_ms"] + case["work_ms"]] for case in results["cases"]
    ]  # fmt: skip
    return (
        f"## The node beside its engine\n\n{reporting.origin(results)}.\n{_EXPLANATION}\n\n"
        f"{reporting.table(_HEADS, rows)}"
    )


def measure(outputs: tuple[str, ...], frames: int) -> tuple[float, float]:
    """Median CPU ms of taking a frame and of its processing by the stream."""
    wanted = [CAMERA.output(output) for output in outputs]
    command = ["-m", "benchmarks.transport.camera", CAMERA.image, "--subscribe", *wanted]
    camera = subprocess.Popen([sys.executable, *command], cwd=reporting.ROOT)
    rclpy.init()
    node = Node("overhead")
    legend = Legend(carla_13(), carla_13(), "none", "none")
    stream = CameraStream(
        node, CAMERA, "reliable", instant_engine(), LARGEST_FRAME, legend, FrameClock(node),
        FrameDispatcher(node), opacity=lambda: 0.5,
    )  # fmt: skip
    stream.activate()
    try:
        return timed(image_subscription(node, wanted), frames)
    finally:
        camera.terminate()
        camera.wait()
        node.destroy_node()
        rclpy.shutdown()


def image_subscription(node: Node, wanted: list[str]) -> Subscription:
    """The stream's subscription, once the camera process subscribes to all outputs."""
    while not all(node.count_subscribers(topic) for topic in wanted):
        rclpy.spin_once(node, timeout_sec=0.1)
    while True:
        rclpy.spin_once(node, timeout_sec=0.1)
        for subscription in node.subscriptions:
            if subscription.topic_name == CAMERA.image:
                return subscription


def timed(subscription: Subscription, frames: int) -> tuple[float, float]:
    takes: list[float] = []
    works: list[float] = []
    callback = cast(Any, subscription.callback)
    while len(works) < frames:
        start = time.thread_time()
        taken = take(subscription)
        between = time.thread_time()
        if taken is None:
            time.sleep(PERIOD / 10)
            continue
        callback(*taken)
        takes.append(between - start)
        works.append(time.thread_time() - between)
    return 1000 * median(takes), 1000 * median(works)


def instant_engine() -> EnginePreparation:
    ids = np.random.default_rng(0).integers(0, len(carla_13()), (600, 800), np.uint8)
    segmenter = SimpleNamespace(segment=lambda _: Segmentation(ids, ids))
    preparation = SimpleNamespace(segmenter=segmenter, is_ready=lambda _: True)
    return cast(EnginePreparation, preparation)


def _parser() -> argparse.ArgumentParser:
    parser = reporting.parser_of(__doc__, "overhead")
    parser.prog = "python -m benchmarks.node.overhead"
    parser.add_argument(
        "--frames", type=reporting.positive, default=100, help="timed for each case (100)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
