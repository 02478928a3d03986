# SPDX-License-Identifier: Apache-2.0
"""A small planner: keeps to the right on the free ground ahead, and slows down for what it knows.

    in    /carla/ego_vehicle/rgb_front/segmentation/ground_grid   nav_msgs/OccupancyGrid
    out   /carla/ego_vehicle/twist                                geometry_msgs/Twist

It compares many lanes, curves y = slope x + bend x^2 that begin at the car, and steers along the
best of them by pure pursuit (Coulter, CMU-RI-TR-92-01). The bridge's carla_twist_to_control turns
the Twist into throttle and steering. Run it beside segmentation_node and ground_grid_node:
python3 follow_road.py --ros-args -p use_sim_time:=true
"""

from contextlib import suppress

import cv2
import numpy as np
import rclpy
from geometry_msgs.msg import Twist
from nav_msgs.msg import OccupancyGrid
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

GRID = "/carla/ego_vehicle/rgb_front/segmentation/ground_grid"
SPEED = 2.0  # throttle on a free road, as the bridge takes it
WHEELBASE = 2.9  # m
FRONT = 2.4  # m ahead: the bumper
NEAR = 7.0  # m ahead: so far the camera cannot see the ground
AIM = 9.0  # m ahead: the point to steer to
FAR = 13.0  # m: how long a lane must be; a longer one is no better
NARROW, HALF_WIDTH = 1.4, 1.5  # m kept free to each side, up to NEAR and beyond
FREE_BELOW = 50  # cells of a lower cost are free
SURE_FROM, SURE_TO = 4.0, 12.0  # m ahead: a cell in which somebody walks gets unsure first, so
SURE_BELOW = 20  # here only cells of a lower cost are free
KEEP_RIGHT = 2.2  # m to what is on the right: wanted
OPEN = 4.0  # m to what is on the right: from there on it is all the same
STOP, SLOW = 8.0, 22.0  # m of free way at which it stands, and drives at full speed
OLDEST = 0.5  # s: it drives the more slowly the older the grid, and stands at this age
# What a lane costs; a metre beside KEEP_RIGHT costs 1.
SHORT = 0.15  # for each metre that it is shorter than FAR
ASIDE = 0.5  # for each square metre to the side at AIM
BENT = 30.0  # for each 1/m of bend

X = np.arange(FRONT, 25.0, 0.6)
SLOPES, BENDS = np.meshgrid(np.linspace(-0.4, 0.4, 33), 0.03 * np.linspace(-1, 1, 15) ** 3)
LANES = SLOPES.reshape(-1, 1) * X + BENDS.reshape(-1, 1) * X**2
SIDES = (SLOPES * AIM + BENDS * AIM**2).ravel()


def find_lane(cells: np.ndarray, size: float, left: float, ahead: float) -> tuple[float, float]:
    """The best lane: metres of free way on it, and to its left side at AIM.

    left, ahead: metres from the car to the first row and column of the cells
    """
    rows, columns = cells.shape
    x = (np.arange(columns) + 0.5) * size + ahead
    below = np.where((x > SURE_FROM) & (x < SURE_TO), SURE_BELOW, FREE_BELOW)
    # Unknown ground is not free, but before the first that is known, which the camera cannot see.
    unseen = np.logical_and.accumulate(cells < 0, axis=1) & (x < NEAR)
    free = (cells < below) & ((cells >= 0) | unseen)
    clearance = cv2.distanceTransform(free.astype(np.uint8), cv2.DIST_L2, 5) * size
    row = np.arange(rows)[:, None]
    to_right = size * (row - np.maximum.accumulate(np.where(free, -1, row), axis=0))
    # What the cells say at the points of the lanes; outside of the grid nothing is free.
    row, column = ((LANES - left) // size).astype(int), ((X - ahead) // size).astype(int)
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    points = np.where(inside, row, 0), np.where(inside, column, 0)
    clear = inside & (clearance[points] > np.where(X < NEAR, NARROW, HALF_WIDTH))
    way = np.where(clear.all(axis=1), SLOW, X[clear.argmin(axis=1)])
    beside = np.abs(np.minimum(to_right[points], OPEN) - KEEP_RIGHT)
    cost = beside[:, (X > NEAR) & (X < FAR)].mean(axis=1) - SHORT * np.minimum(way, FAR)
    best = np.argmin(cost + ASIDE * SIDES**2 + BENT * np.abs(BENDS.ravel()))
    return float(way[best]), float(SIDES[best])


def steer(grid: OccupancyGrid, age: float) -> Twist:
    """Throttle and steering for a grid of this age in seconds; zeros where it must stop."""
    info, origin, twist = grid.info, grid.info.origin.position, Twist()
    whole = 0 < len(grid.data) == info.width * info.height
    if not (whole and info.resolution > 0 and np.isfinite((origin.x, origin.y)).all()):
        return twist  # malformed
    cells = np.asarray(grid.data, np.int8).reshape(info.height, info.width)
    way, side = find_lane(cells, info.resolution, origin.y, origin.x)
    fresh = np.clip(1 - age / OLDEST, 0, 1)
    speed = SPEED * fresh * np.clip((way - STOP) / (SLOW - STOP), 0, 1)
    if speed > 0:
        twist.linear.x = float(speed)
        twist.angular.z = float(np.arctan(WHEELBASE * 2 * side / (AIM**2 + side**2)))
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
