# SPDX-License-Identifier: Apache-2.0
"""A camera over a curb, for the tests of ground_grid_node: what it sees, worked out by hand.

The camera is 800x600 with f = 400 pixels, 2 m high and 2 m ahead of the vehicle's origin, so
row 380 is seen 400 * 2 / 80 = 10 m before the camera, 12 m before the origin.
"""

import math
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import OccupancyGrid
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from ros_bench import LATCHED, RosBench
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header, String

from carla_unet_ros.labels import Uint8, carla_13
from carla_unet_ros.ros.image_messages import to_image_message

CAMERA = "/carla/ego_vehicle/rgb_front"
GRID = f"{CAMERA}/segmentation/ground_grid"
ROAD, SIDEWALK = carla_13().ids(["Roads", "Sidewalks"])


def curb(row: int = 380, height: int = 600, width: int = 800) -> Uint8:
    """Road up to this row from below, sidewalk above it."""
    labels = np.full((height, width), ROAD, np.uint8)
    labels[:row] = SIDEWALK
    return labels


def camera_info(focal: float = 400.0, width: int = 800, height: int = 600) -> CameraInfo:
    k = [focal, 0.0, width / 2, 0.0, focal, height / 2, 0.0, 0.0, 1.0]
    return CameraInfo(width=width, height=height, k=k, d=[0.0] * 5, distortion_model="plumb_bob")


def curb_metres(grid: OccupancyGrid, cost: int = 100) -> float:
    """Where, straight ahead of the vehicle's origin, the first cell of this cost begins."""
    cells = np.asarray(grid.data, np.int8).reshape(grid.info.height, grid.info.width)
    row = int(-grid.info.origin.position.y / grid.info.resolution)
    occupied = np.flatnonzero(cells[row] == cost)
    if not occupied.size:
        return math.inf
    return float(occupied[0] * grid.info.resolution + grid.info.origin.position.x)


def near(metres: float) -> Any:
    """Within one cell of 0.2 m."""
    return pytest.approx(metres, abs=0.21)


class Scene:
    """Stands for the camera and segmentation_node, and wants the grid."""

    def __init__(self, bench: RosBench, legend: bool = True) -> None:
        publisher = bench.node.create_publisher
        self.bench = bench
        self.labels = publisher(Image, f"{CAMERA}/segmentation/labels", 5)
        self.relayed = publisher(CameraInfo, f"{CAMERA}/segmentation/camera_info", 5)
        self.own = publisher(CameraInfo, f"{CAMERA}/camera_info", 5)
        self.legend = publisher(String, f"{CAMERA}/segmentation/legend", LATCHED)
        if legend:
            self.legend.publish(String(data=carla_13().to_json()))
        self.grids: list[OccupancyGrid] = []
        self.diagnostics = bench.collect(DiagnosticArray, "/diagnostics")
        self.sent = 0

    def want_the_grid(self) -> Any:
        return self.bench.node.create_subscription(OccupancyGrid, GRID, self.grids.append, 10)

    def send(
        self, labels: Uint8, info: CameraInfo | None, encoding: str = "mono8", own: bool = False
    ) -> Header:
        header = Header(frame_id="ego_vehicle/rgb_front")
        self.sent += 1
        header.stamp.sec, header.stamp.nanosec = divmod(self.sent * 50_000_000, 10**9)
        if info is not None:
            info.header = header
            (self.own if own else self.relayed).publish(info)
        self.labels.publish(to_image_message(labels, encoding, header))
        return header

    def until(self, condition: Any, labels: Uint8, info: CameraInfo | None, **how: Any) -> Any:
        """Sends the same picture again and again until the condition holds."""

        def attempt() -> Any:
            self.send(labels, info, **how)
            self.bench.executor.spin_once(0.1)
            return condition()

        return self.bench.until(attempt)

    def until_curb_at(self, metres: float, labels: Uint8, info: CameraInfo, **how: Any) -> None:
        self.until(
            lambda: self.grids and curb_metres(self.grids[-1]) == near(metres), labels, info, **how
        )

    def until_problem(self, text: str, labels: Uint8, info: CameraInfo | None, **how: Any) -> dict:
        """Sends until /diagnostics tells of this problem; gives its values."""
        return self.until(lambda: self.has_problem(text), labels, info, **how)

    def value(self, key: str) -> str:
        """The newest value of this key on /diagnostics; "" before any."""
        statuses = [entry for array in self.diagnostics for entry in array.status]
        values = [value.value for entry in statuses for value in entry.values if value.key == key]
        return values[-1] if values else ""

    def has_problem(self, text: str) -> dict | None:
        """The values of the first status that tells of this problem."""
        statuses = [entry for array in self.diagnostics for entry in array.status]
        return next(
            (
                {value.key: value.value for value in entry.values}
                for entry in statuses
                if text in entry.message and entry.level == entry.WARN
            ),
            None,
        )


def set_parameter(bench: RosBench, name: str, value: Any) -> SetParametersResult:
    request = SetParameters.Request()
    request.parameters = [Parameter(name, value=value).to_parameter_msg()]
    return bench.call(SetParameters, "/ground_grid/set_parameters", request).results[0]
