# SPDX-License-Identifier: Apache-2.0
"""The camera process: sends frames stamped with the wall clock; node.overhead uses it, too.

QoS is that of CARLA's bridge: reliable, keep last 10, volatile. frame_id holds the frame's number,
so a receiver of some frames can tell how many were sent.
"""

import argparse
import itertools
import sys
import time

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from carla_unet_ros.ros.image_messages import to_image_message
from carla_unet_ros.ros.main import run


class TransportCamera(Node):
    """Publishes the frames. options: topics, subscribe, width, height, rate."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__("transport_camera")
        self._cameras = [self.create_publisher(Image, topic, 10) for topic in options.topics]
        for topic in options.subscribe:
            self.create_subscription(Image, topic, lambda _: None, 10)
        size = options.height, options.width, 4
        pixels = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
        self._frame = to_image_message(pixels, "bgra8", Header())
        self._numbers = itertools.count()
        self.create_timer(1 / options.rate, self._send)

    def _send(self) -> None:
        """Sends one frame from every camera, as in one tick of the simulation."""
        header = self._frame.header
        header.frame_id = str(next(self._numbers))
        for camera in self._cameras:
            header.stamp.sec, header.stamp.nanosec = divmod(time.time_ns(), 10**9)
            camera.publish(self._frame)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("topics", nargs="+", help="one image topic for each camera")
    parser.add_argument("--subscribe", nargs="*", default=[], help="image topics it takes")
    parser.add_argument("--width", type=int, default=800)
    parser.add_argument("--height", type=int, default=600)
    parser.add_argument("--rate", type=float, default=20.0)
    options = parser.parse_args()
    return run(lambda: TransportCamera(options), [])


if __name__ == "__main__":
    sys.exit(main())
