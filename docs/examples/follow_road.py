# SPDX-License-Identifier: Apache-2.0
"""A small planner: keeps its lane on the free ground ahead, and slows down for what it knows.

    in    /carla/ego_vehicle/rgb_front/segmentation/ground_grid   nav_msgs/OccupancyGrid
    out   /carla/ego_vehicle/twist                                geometry_msgs/Twist

The bridge's carla_twist_to_control turns the Twist into throttle and steering. Run it beside
segmentation_node and ground_grid_node: python3 follow_road.py --ros-args -p use_sim_time:=true
"""

from contextlib import suppress

import numpy as np
import rclpy
from geometry_msgs.msg import Twist
from nav_msgs.msg import OccupancyGrid
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

GRID = "/carla/ego_vehicle/rgb_front/segmentation/ground_grid"
SPEED, STEERING = 2.0, 0.15  # throttle as the bridge takes it; rad per metre to the left
NEAR, FAR = 6.0, 12.0  # m ahead: where the corridor begins, and where it steers to
HALF_WIDTH, FREE_BELOW = 1.2, 50  # m kept free to each side; cells of a lower cost are free
STOP, SLOW = 8.0, 25.0  # m of free way ahead at which it stands, and drives at full speed
OLDEST = 0.5  # s: it drives the more slowly the older the grid, and stands at this age


def steer(grid: OccupancyGrid, age: float) -> Twist:
    """Speed and steering for a grid of this age in seconds; zeros where it must stop."""
    info, twist = grid.info, Twist()
    size, origin = info.resolution, info.origin.position
    first, last = ((metres - origin.x) / size if size > 0 else -1 for metres in (NEAR, FAR))
    whole = 0 < len(grid.data) == info.width * info.height
    if not whole or not 0 <= first < last < info.width:
        return twist  # malformed, or too short to steer by
    cells = np.asarray(grid.data, np.int8).reshape(info.height, info.width)
    free = (cells >= 0) & (cells < FREE_BELOW)
    left = origin.y + (np.arange(info.height) + 0.5) * size
    # Metres of free way ahead of each row, for a car of this width.
    reach = HALF_WIDTH / size
    blocked = np.cumsum(np.pad(~free[:, int(first) :], ((1, 0), (0, 0))), axis=0)
    above = np.minimum(np.arange(info.height) + int(reach) + 1, info.height)
    below = np.maximum(np.arange(info.height) - int(reach), 0)
    clear = (blocked[above] - blocked[below]) == 0
    way = NEAR + np.where(clear.all(1), clear.shape[1], clear.argmin(1)) * size
    way[: int(reach)] = way[max(info.height - int(reach), 0) :] = 0  # the grid's edge cuts it off
    # Keeps its lane: of the ways that are long enough, the one that turns least.
    turns = np.where(way > FAR, np.abs(left), np.inf)
    goal = turns.argmin() if way.max() > FAR else way.argmax()
    fresh = np.clip(1 - age / OLDEST, 0, 1)
    speed = SPEED * fresh * np.clip((way[goal] - STOP) / (SLOW - STOP), 0, 1)
    if speed > 0:
        twist.linear.x, twist.angular.z = float(speed), float(STEERING * left[goal])
    return twist


class FollowRoad(Node):
    def __init__(self) -> None:
        super().__init__("follow_road")
        self.grid: OccupancyGrid | None = None
        self.arrived = 0.0
        self.steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.control = self.create_publisher(Twist, "/carla/ego_vehicle/twist", 1)
        self.create_subscription(OccupancyGrid, GRID, self.on_grid, 1)
        self.create_timer(0.05, self.drive, clock=self.steady)

    def on_grid(self, grid: OccupancyGrid) -> None:
        self.grid, self.arrived = grid, self.steady.now().nanoseconds / 1e9

    def drive(self) -> None:
        """Also while nothing comes, so that it stops then."""
        if self.grid is None:
            self.control.publish(Twist())
            return
        stamp = self.grid.header.stamp
        of_labels = self.get_clock().now().nanoseconds / 1e9 - (stamp.sec + stamp.nanosec / 1e9)
        since = self.steady.now().nanoseconds / 1e9 - self.arrived
        # Without use_sim_time clock and stamp count different times.
        self.control.publish(steer(self.grid, max(since, of_labels if of_labels < 60 else 0)))


if __name__ == "__main__":
    rclpy.init()
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(FollowRoad())
