# SPDX-License-Identifier: Apache-2.0
"""A planner in its smallest form: steers towards the middle of the free ground ahead.

    in    /carla/ego_vehicle/rgb_front/segmentation/ground_grid   nav_msgs/OccupancyGrid
    out   /carla/ego_vehicle/twist                                geometry_msgs/Twist

The bridge's carla_twist_to_control turns the Twist into throttle and steering. Run it beside
segmentation_node and ground_grid_node: python3 follow_road.py
"""

from contextlib import suppress

import numpy as np
import rclpy
from geometry_msgs.msg import Twist
from nav_msgs.msg import OccupancyGrid
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

GRID = "/carla/ego_vehicle/rgb_front/segmentation/ground_grid"
LOOK_AHEAD, SPEED, STEERING = 12.0, 2.0, 0.15  # m, throttle as the bridge takes it, rad a metre


def steer(grid: OccupancyGrid) -> Twist:
    """Drives towards the widest free gap LOOK_AHEAD metres ahead; stops where there is none."""
    info = grid.info
    cells = np.asarray(grid.data, np.int8).reshape(info.height, info.width)
    column = int((LOOK_AHEAD - info.origin.position.x) / info.resolution)
    # A row of ones between zeros: +1 where a gap begins, -1 behind where it ends.
    steps = np.diff((cells[:, column] == 0).astype(int), prepend=0, append=0)
    gaps = np.stack((np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)), axis=1)
    twist = Twist()
    if gaps.size:
        begin, end = max(gaps, key=lambda gap: gap[1] - gap[0])
        left = info.origin.position.y + (begin + end) / 2 * info.resolution
        twist.linear.x, twist.angular.z = SPEED, STEERING * left
    return twist


class FollowRoad(Node):
    def __init__(self) -> None:
        super().__init__("follow_road")
        self.grids = 0
        self.control = self.create_publisher(Twist, "/carla/ego_vehicle/twist", 1)
        self.create_subscription(OccupancyGrid, GRID, self.on_grid, 1)
        self.create_timer(0.5, self.stop_without_grids)

    def on_grid(self, grid: OccupancyGrid) -> None:
        self.grids += 1
        self.control.publish(steer(grid))

    def stop_without_grids(self) -> None:
        if not self.grids:
            self.control.publish(Twist())
        self.grids = 0


if __name__ == "__main__":
    rclpy.init()
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(FollowRoad())
