"""What the segmentation node costs beside its engine, per frame, in milliseconds.

    python benchmarks/node_overhead.py [--width 800 --height 600] [--frames 100]

A camera process publishes bgra8 frames and takes the outputs as another process would; here the
frame is taken from the middleware and goes through the node's own CameraStream, with an engine
that answers at once. CPU time of the thread, so a busy machine does not blur it much.
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
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from carla_unet_ros.camera_stream import CameraStream
from carla_unet_ros.camera_topics import CameraTopics
from carla_unet_ros.frame_clock import FrameClock
from carla_unet_ros.frame_memory import keep_freed_memory
from carla_unet_ros.image_messages import to_image_message
from carla_unet_ros.labels import Uint8, carla_13
from carla_unet_ros.legend import Legend
from carla_unet_ros.segmenter import Segmentation, Segmenter

CAMERA = CameraTopics("/overhead/image")
OUTPUTS = ("labels", "confidence", "overlay")
PERIOD = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", type=int, default=800)
    parser.add_argument("--height", type=int, default=600)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument(
        "--return-memory",
        action="store_true",
        help="leave malloc as it is, to see what keeping the memory of frames is worth",
    )
    parser.add_argument("--camera", nargs="*", choices=OUTPUTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    size = options.height, options.width
    if options.camera is not None:
        run_camera(size, options.camera)
        return
    if not options.return_memory:
        keep_freed_memory()
    print(f"{options.width}x{options.height} bgra8, {options.frames} frames, median CPU ms")
    for count in range(1, len(OUTPUTS) + 1):
        take, work = measure(size, OUTPUTS[:count], options.frames)
        wanted = ", ".join(OUTPUTS[:count])
        print(f"take {take:5.2f} + convert and publish {work:5.2f} = {take + work:5.2f}  {wanted}")


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
        with subscription.handle:
            taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
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


if __name__ == "__main__":
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("ROS_DOMAIN_ID", "101")
    main()
