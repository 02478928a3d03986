# SPDX-License-Identifier: Apache-2.0
"""The camera process: sends frames stamped with the wall clock; node.overhead uses it, too.

QoS is that of CARLA's bridge: reliable, keep last 10, volatile. frame_id holds the frame's number,
so a receiver of some frames can tell how many were sent.
"""

import itertools
import time
from collections.abc import Sequence

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from carla_unet_ros.camera_model import Size
from carla_unet_ros.ros.image_messages import to_image_message
from carla_unet_ros.ros.main import run


def send_frames(
    connection: object, topics: Sequence[str], size: Size, rate: float, taken: Sequence[str] = ()
) -> None:
    """Publishes `rate` frames a second on each topic; subscribes to the image topics `taken`."""
    del connection
    pixels = np.random.default_rng(0).integers(0, 256, (size.height, size.width, 4), np.uint8)
    frame = to_image_message(pixels, "bgra8", Header())
    numbers = itertools.count()

    def camera_node() -> Node:
        node = Node("transport_camera")
        cameras = [node.create_publisher(Image, topic, 10) for topic in topics]
        for topic in taken:
            node.create_subscription(Image, topic, lambda _: None, 10)

        def send() -> None:
            """Sends one frame from every camera, as in one tick of the simulation."""
            frame.header.frame_id = str(next(numbers))
            for camera in cameras:
                frame.header.stamp.sec, frame.header.stamp.nanosec = divmod(time.time_ns(), 10**9)
                camera.publish(frame)

        node.create_timer(1 / rate, send)
        return node

    run(camera_node, [])
