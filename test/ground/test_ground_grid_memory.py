# SPDX-License-Identifier: Apache-2.0
"""ground_grid_node that remembers, as a process of its own: its motion comes from odometry."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ground_scene import (
    CAMERA,
    ROAD,
    SIDEWALK,
    Scene,
    camera_info,
    curb,
    curb_metres,
    near,
    set_parameter,
)
from nav_msgs.msg import OccupancyGrid, Odometry
from ros_bench import RosBench
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from carla_unet_ros.camera_model import Calibration
from carla_unet_ros.ground.ground_grid import CameraPose, Extent, GroundGrid, class_weights
from carla_unet_ros.labels import IGNORE, Uint8
from carla_unet_ros.ros.image_messages import to_image_message

NOTHING = np.full((600, 800), IGNORE, np.uint8)


class Drive(Scene):
    """A scene that also sends odometry, of the stamp of the labels, and confidence."""

    def __init__(self, bench: RosBench, confidence: int | None = None) -> None:
        super().__init__(bench)
        self.x = self.yaw = 0.0
        self.confidence = confidence
        create = bench.node.create_publisher
        self.odometry = create(Odometry, "/carla/ego_vehicle/odometry", 10)
        if confidence is not None:
            self.confidences = create(Image, f"{CAMERA}/segmentation/confidence", 5)
        self.classes = bench.collect(Image, f"{CAMERA}/segmentation/ground_classes")
        self.want_the_grid()
        bench.until(self.odometry.get_subscription_count)

    def send(self, labels: Uint8, *arguments: Any, **how: Any) -> Header:
        message = Odometry()
        seconds, nanoseconds = divmod((self.sent + 1) * 50_000_000, 10**9)
        message.header.stamp.sec, message.header.stamp.nanosec = seconds, nanoseconds
        message.pose.pose.position.x = self.x
        turn = message.pose.pose.orientation
        turn.z, turn.w = math.sin(self.yaw / 2), math.cos(self.yaw / 2)
        self.odometry.publish(message)
        header = super().send(labels, *arguments, **how)
        if self.confidence is not None:
            sure = np.full(labels.shape, self.confidence, np.uint8)
            self.confidences.publish(to_image_message(sure, "mono8", header))
        return header

    def has_curb(self, metres: float) -> Callable[[], bool]:
        return lambda: bool(self.grids) and curb_metres(self.grids[-1], 60) == near(metres)


def cells(grid: OccupancyGrid) -> np.ndarray:
    return np.asarray(grid.data, np.int8).reshape(grid.info.height, grid.info.width)


def test_ground_that_is_out_of_sight_is_remembered_where_it_is(bench: RosBench):
    bench.start("ground.ground_grid_node", behind=10.0)
    scene = Drive(bench)
    scene.until(scene.has_curb(12.0), curb(), camera_info())
    scene.x = 2.0
    scene.until(scene.has_curb(10.0), NOTHING, camera_info())
    scene.x = 4.0
    scene.until(scene.has_curb(8.0), NOTHING, camera_info())
    grid, classes = scene.grids[-1], scene.classes[-1]
    assert grid.header.frame_id == classes.header.frame_id == "ego_vehicle"
    assert (classes.height, classes.width, classes.encoding) == (200, 250, "mono8")
    found = np.asarray(classes.data, np.uint8).reshape(200, 250)
    # 10 m behind the origin, 20 m to the right: 6 m and 9 m ahead of it.
    assert found[100, 80] == ROAD and found[100, 95] == SIDEWALK
    bench.until(lambda: scene.value("memory") == "3 s, motion from /carla/ego_vehicle/odometry")


def test_memory_0_is_the_grid_of_one_frame_bit_for_bit(bench: RosBench):
    bench.start("ground.ground_grid_node", memory=0.0)
    scene = Scene(bench)
    odometry = bench.node.create_publisher(Odometry, "/carla/ego_vehicle/odometry", 10)
    labels = np.random.default_rng(0).integers(0, 13, (600, 800), np.uint8)
    labels[:, 100:500] = ROAD
    scene.want_the_grid()
    scene.until(lambda: scene.grids, labels, camera_info())
    camera = Calibration(800, 600, 400.0, 400.0, 400.0, 300.0)
    table = GroundGrid(Extent(), camera, CameraPose.from_angles(2.0, 0.0, 2.0))
    assert (cells(scene.grids[-1]) == table.occupancy(labels, class_weights([6, 7]))).all()
    assert not odometry.get_subscription_count()


def test_memory_is_cleared_and_that_is_said(bench: RosBench):
    node = bench.start("ground.ground_grid_node", behind=10.0, memory=60.0)
    scene = Drive(bench)

    def forgotten(why: str) -> None:
        scene.until(lambda: why in node.printed, NOTHING, camera_info())
        scene.until(lambda: set(scene.grids[-1].data) == {-1}, NOTHING, camera_info())
        scene.until(scene.has_curb(12.0), curb(), camera_info())

    scene.until(scene.has_curb(12.0), curb(), camera_info())
    scene.x = 500.0
    forgotten("the remembered ground is cleared: the vehicle's pose jumped (500.0 m)")
    scene.sent = 0
    forgotten("the remembered ground is cleared: time starts again")
    scene.until(scene.has_curb(22.0), curb(), camera_info(800.0))
    assert "the remembered ground is cleared: the camera has changed" in node.printed


def test_what_the_model_doubts_is_not_remembered(bench: RosBench):
    bench.start("ground.ground_grid_node")
    scene = Drive(bench, confidence=100)
    bench.until(scene.confidences.get_subscription_count)
    scene.until(lambda: len(scene.grids) > 4, curb(), camera_info())
    assert set(scene.grids[-1].data) == {-1}
    scene.confidence = 250
    scene.until(scene.has_curb(12.0), curb(), camera_info())


def test_costs_and_connection_may_be_changed_while_it_runs(bench: RosBench):
    bench.start("ground.ground_grid_node", class_costs=["Street=10"])
    scene = Drive(bench)
    scene.until_problem("has no class 'Street'", curb(), camera_info())
    assert set_parameter(bench, "class_costs", ["Sidewalks=60", "Walls=90"]).successful
    wall = curb()
    wall[400:430] = 11  # 6.2 to 8 m before the camera, over the whole width
    scene.until(lambda: 90 in scene.grids[-1].data if scene.grids else False, wall, camera_info())
    scene.until(lambda: cells(scene.grids[-1])[100, 53] == 100, wall, camera_info())
    assert set_parameter(bench, "connected_only", False).successful
    scene.until(lambda: cells(scene.grids[-1])[100, 53] == 0, wall, camera_info())
    refused = set_parameter(bench, "class_costs", ["Walls"])
    assert not refused.successful and "expected NAME=COST" in refused.reason


@pytest.mark.parametrize("yaw", [0.0, 2.0])
def test_the_heading_of_odometry_counts(bench: RosBench, yaw: float):
    bench.start("ground.ground_grid_node", memory=60.0, connected_only=False)
    scene = Drive(bench)
    scene.yaw = yaw
    half = np.full((600, 800), ROAD, np.uint8)
    half[:, :400] = SIDEWALK  # to the left

    def has(cost: int, angle: float) -> bool:
        """Whether the cell 15 m away at this angle to the left has this cost."""
        row = math.floor((15 * math.sin(angle) + 20) / 0.2)
        column = math.floor(15 * math.cos(angle) / 0.2)
        return bool(scene.grids) and cells(scene.grids[-1])[row, column] == cost

    scene.until(lambda: has(60, 0.15) and has(0, -0.15), half, camera_info())
    scene.yaw = yaw + 0.3  # left: what was straight ahead is to the right now
    scene.until(lambda: has(60, -0.15) and has(0, -0.45), NOTHING, camera_info())
