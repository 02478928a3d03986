# SPDX-License-Identifier: Apache-2.0
"""Where the vehicle is in a fixed frame: from TF, else from its odometry.

CARLA's bridge sends both: TF map -> ego_vehicle, and /carla/ego_vehicle/odometry. CARLA's own
ROS 2 interface sends neither.
"""

import math
from collections import deque
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

from carla_unet_ros.ground.ground_memory import Place
from carla_unet_ros.ground.transforms import NoTransformError, Transforms, to_seconds
from carla_unet_ros.ros.camera_topics import check_topic
from carla_unet_ros.ros.parameters import NodeParameter, ParameterTable

_LATE = 0.2
_KEPT = 100
_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)


class MotionParameters(ParameterTable):
    fixed_frame = NodeParameter(
        "map", "TF frame in which the vehicle moves, for the memory", constant=True
    )
    odometry_topic = NodeParameter(
        "/carla/ego_vehicle/odometry",
        "nav_msgs/Odometry that tells how the vehicle moves where TF has no fixed_frame",
        check=check_topic,
        constant=True,
    )


class VehicleMotion:
    """source: where the last place came from, in words; "" where nothing tells it."""

    def __init__(
        self, node: Node, transforms: Transforms, parameters: MotionParameters, vehicle_frame: str
    ) -> None:
        self._node = node
        self._transforms = transforms
        self._fixed_frame, self._vehicle_frame = parameters.fixed_frame, vehicle_frame
        self._topic = parameters.odometry_topic
        self._odometry: deque[tuple[float, Place]] = deque(maxlen=_KEPT)
        self.source = ""

    def subscribe(self) -> Subscription:
        return self._node.create_subscription(Odometry, self._topic, self._on_odometry, _QOS)

    def forget(self) -> None:
        self._odometry.clear()

    def place(self, stamp: Time) -> Place | None:
        """The vehicle's place at this time, or within 0.2 s of it; None where nothing tells it."""
        if (place := self._from_tf(stamp)) is not None:
            self.source = f"TF from {self._fixed_frame}"
        elif (place := self._from_odometry(to_seconds(stamp))) is not None:
            self.source = self._topic
        else:
            self.source = ""
        return place

    def _on_odometry(self, message: Odometry) -> None:
        seconds = to_seconds(message.header.stamp)
        pose = message.pose.pose
        place = _place(pose.position, pose.orientation)
        if all(map(math.isfinite, place)) and not (
            self._odometry and seconds <= self._odometry[-1][0]
        ):
            self._odometry.append((seconds, place))

    def _from_tf(self, stamp: Time) -> Place | None:
        for when in (stamp, None):
            try:
                found = self._transforms.lookup(self._fixed_frame, self._vehicle_frame, when)
            except NoTransformError:
                continue
            if abs(to_seconds(found.header.stamp) - to_seconds(stamp)) <= _LATE:
                return _place(found.transform.translation, found.transform.rotation)
        return None

    def _from_odometry(self, seconds: float) -> Place | None:
        """Between the two messages around this time."""
        times = np.array([entry[0] for entry in self._odometry])
        if not times.size or not times[0] - _LATE <= seconds <= times[-1] + _LATE:
            return None
        columns = np.array([entry[1] for entry in self._odometry]).T
        columns[2] = np.unwrap(columns[2])
        return Place(*(float(np.interp(seconds, times, column)) for column in columns))


def _place(position: Any, turn: Any) -> Place:
    """The place on the plane; the heading of a quaternion x, y, z, w about the vertical axis."""
    sine = 2 * (turn.w * turn.z + turn.x * turn.y)
    cosine = 1 - 2 * (turn.y * turn.y + turn.z * turn.z)
    return Place(position.x, position.y, math.atan2(sine, cosine))
