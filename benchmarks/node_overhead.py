"""What the segmentation node costs beside its engine, per frame, in milliseconds.

    python benchmarks/node_overhead.py [--out node_overhead.json] [--document]

A camera process publishes bgra8 frames and takes the outputs as another process would; here the
frame is taken from the middleware and goes through the node's own CameraStream, with an engine
that answers at once. CPU time of the thread, so a busy machine does not blur it much.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from statistics import median
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import rclpy
import report
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from tqdm import tqdm

from carla_unet_ros.demo.node_processes import free_domain
from carla_unet_ros.labels import Uint8, carla_13
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.ros.frame_clock import FrameClock
from carla_unet_ros.ros.frame_memory import keep_freed_memory
from carla_unet_ros.ros.image_messages import to_image_message
from carla_unet_ros.ros.rclpy_private import take
from carla_unet_ros.segmentation.camera_stream import CameraStream
from carla_unet_ros.segmentation.frame_dispatcher import FrameDispatcher
from carla_unet_ros.segmenter import Segmentation, Segmenter

CAMERA = CameraTopics("/overhead/image")
OUTPUTS = ("labels", "confidence", "overlay")
PERIOD = 0.05

_HEADS = ("published", "take, ms", "convert and publish, ms", "together, ms")
_EXPLANATION = """\
Median CPU time of the node's thread for a bgra8 frame that another process sent, with an engine
that answers at once: taken from the middleware, turned into these outputs, published."""


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    size = options.height, options.width
    if options.camera is not None:
        run_camera(size, options.camera)
        return 0
    os.environ |= {
        "ROS_DOMAIN_ID": str(free_domain()),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    if not options.return_memory:
        keep_freed_memory()
    results: dict[str, Any] = {**report.conditions("node_overhead", argv), "cases": []}
    for count in tqdm(range(1, len(OUTPUTS) + 1), "cases"):
        take, work = measure(size, OUTPUTS[:count], options.frames)
        results["cases"].append({"outputs": OUTPUTS[:count], "take_ms": take, "work_ms": work})
    options.out.write_text(json.dumps(results, indent=2) + "\n")
    print(table(results))
    if options.document:
        report.write_section("overhead", section(results), options.document)
    return 0


def table(results: dict[str, Any]) -> str:
    """A Markdown table, one row for each choice of outputs."""
    rows = []
    for case in results["cases"]:
        take, work = case["take_ms"], case["work_ms"]
        rows.append([", ".join(case["outputs"]), take, work, take + work])
    return report.table(_HEADS, rows)


def section(results: dict[str, Any]) -> str:
    """What docs/performance.md says."""
    origin = f"{report.origin(results)}.\n{_EXPLANATION}"
    return "\n\n".join(("## The node beside its engine", origin, table(results)))


def run_camera(size: tuple[int, int], outputs: list[str]) -> None:
    """The other process: publishes frames at 20 Hz and subscribes to the outputs."""
    rclpy.init()
    node = Node("overhead_camera")
    publisher = node.create_publisher(Image, CAMERA.image, 10)
    for output in outputs:
        node.create_subscription(Image, CAMERA.output(output), lambda _: None, 10)
    frame = to_image_message(random_frame(size), "bgra8", Header(frame_id="camera"))
    node.create_timer(PERIOD, lambda: publisher.publish(frame))
    rclpy.spin(node)


def measure(size: tuple[int, int], outputs: tuple[str, ...], frames: int) -> tuple[float, float]:
    """Median CPU ms of taking a frame, and of what the stream does with it."""
    arguments = [f"--height={size[0]}", f"--width={size[1]}", "--camera", *outputs]
    camera = subprocess.Popen([sys.executable, __file__, *arguments], stderr=subprocess.DEVNULL)
    rclpy.init()
    node = Node("overhead")
    stream = CameraStream(
        node,
        CAMERA,
        "reliable",
        instant_segmenter(size),
        Legend(carla_13(), carla_13(), "none", "none"),
        FrameClock(node),
        FrameDispatcher(node),
        opacity=lambda: 0.5,
    )
    stream.activate()
    try:
        subscription = image_subscription(node, len(outputs))
        return timed(subscription, frames)
    finally:
        camera.terminate()
        camera.wait()
        node.destroy_node()
        rclpy.shutdown()


def image_subscription(node: Node, outputs: int) -> Subscription:
    """The stream's own, once the camera process wants all outputs."""
    topics = [CAMERA.output(output) for output in OUTPUTS[:outputs]]
    while not all(node.count_subscribers(topic) for topic in topics):
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


def instant_segmenter(size: tuple[int, int]) -> Segmenter:
    ids = random_frame(size)[..., 0] % len(carla_13())
    return cast(Segmenter, SimpleNamespace(segment=lambda _: Segmentation(ids, ids)))


def random_frame(size: tuple[int, int]) -> Uint8:
    return np.random.default_rng(0).integers(0, 256, (*size, 4), np.uint8)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--width", type=int, default=800, help="of the frames (%(default)s)")
    add("--height", type=int, default=600, help="of the frames (%(default)s)")
    add("--frames", type=int, default=100, help="timed for each case (%(default)s)")
    add("--return-memory", action="store_true",
        help="leave malloc as it is, to see what keeping the memory of frames is "
        "worth")  # fmt: skip
    report.add_options(parser, "overhead")
    add("--camera", nargs="*", choices=OUTPUTS, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
