"""The camera's process of transport.py: frames stamped with the wall clock as they are sent.

QoS is that of CARLA's bridge: reliable, keep last 10, volatile. Frames are numbered in frame_id,
so who receives some of them can tell how many were sent.
"""

import argparse
import time
from collections.abc import Iterator
from functools import partial

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from carla_unet_ros.image_messages import to_image_message


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("topics", nargs="+", help="one image topic for each camera")
    parser.add_argument("--width", type=int, default=800)
    parser.add_argument("--height", type=int, default=600)
    parser.add_argument("--rate", type=float, default=20.0)
    options = parser.parse_args()
    rclpy.init(args=[])
    node = Node("transport_camera")
    cameras = [node.create_publisher(Image, topic, 10) for topic in options.topics]
    pixels = np.random.default_rng(0).integers(
        0, 256, (options.height, options.width, 4), dtype=np.uint8
    )
    frame = to_image_message(pixels, "bgra8", Header())
    node.create_timer(1 / options.rate, partial(send, cameras, frame, iter(range(10**9))))
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def send(cameras: list[Publisher], frame: Image, numbers: Iterator[int]) -> None:
    """One frame from every camera, as in one tick of the simulation."""
    number = next(numbers)
    for camera in cameras:
        frame.header.frame_id = str(number)
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)
        frame.header.stamp.sec, frame.header.stamp.nanosec = seconds, nanoseconds
        camera.publish(frame)


if __name__ == "__main__":
    main()
