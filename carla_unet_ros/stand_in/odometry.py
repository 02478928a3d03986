# SPDX-License-Identifier: Apache-2.0
"""Publishes how the car moves, as CARLA's bridge does: /carla/<role_name>/odometry."""

import math

from builtin_interfaces.msg import Time
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import Header

from carla_unet_ros.stand_in.car_motion import CarMotion


class OdometrySensor:
    """The pose in the frame `map`, the speeds in the frame of the car."""

    def __init__(self, node: Node, role_name: str, qos: QoSProfile) -> None:
        self._car = role_name
        self._publisher = node.create_publisher(Odometry, f"/carla/{role_name}/odometry", qos)

    def publish(self, stamp: Time, motion: CarMotion) -> None:
        header = Header(stamp=stamp, frame_id="map")
        message = Odometry(header=header, child_frame_id=self._car)
        place, turn = message.pose.pose.position, message.pose.pose.orientation
        place.x, place.y, yaw = motion.pose
        turn.z, turn.w = math.sin(yaw / 2), math.cos(yaw / 2)
        speed = message.twist.twist
        speed.linear.x, speed.linear.y, speed.angular.z = motion.ahead, motion.left, motion.turn
        self._publisher.publish(message)
