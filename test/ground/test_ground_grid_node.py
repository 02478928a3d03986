# SPDX-License-Identifier: Apache-2.0
"""ground_grid_node as a process of its own, fed over DDS with scenes worked out by hand.

Its transform from TF: test_ground_grid_tf.py.
"""

import math
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from ground_scene import (
    CAMERA,
    GRID,
    Scene,
    camera_info,
    curb,
    set_parameter,
)
from nav_msgs.msg import OccupancyGrid
from rclpy.qos import ReliabilityPolicy
from ros_bench import Diagnostics, RosBench
from sensor_msgs.msg import CameraInfo, CompressedImage
from std_msgs.msg import String

from carla_unet_ros.labels import carla_13


def test_a_grid_has_the_labels_time_the_vehicles_frame_and_the_curb(bench: RosBench):
    bench.start("ground.ground_grid_node")
    scene = Scene(bench)
    scene.want_the_grid()
    scene.until_curb_at(12.0, curb(), camera_info())
    grid = scene.grids[-1]
    assert grid.header.frame_id == "ego_vehicle"
    stamp = grid.header.stamp.sec * 10**9 + grid.header.stamp.nanosec
    assert stamp % 50_000_000 == 0 and 0 < stamp <= scene.sent * 50_000_000
    assert (grid.info.width, grid.info.height) == (200, 200)
    assert grid.info.resolution == pytest.approx(0.2)
    origin = grid.info.origin
    assert (origin.position.x, origin.position.y, origin.orientation.w) == (0.0, -20.0, 1.0)
    assert set(grid.data) == {-1, 0, 100}


def test_the_qos_of_the_grid_can_be_overridden(bench: RosBench):
    bench.start(
        "ground.ground_grid_node",
        **{f"qos_overrides.{GRID}.publisher.reliability": "best_effort"},
    )
    (publisher,) = bench.until(lambda: bench.node.get_publishers_info_by_topic(GRID))
    assert publisher.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT


def test_extent_and_pose_are_parameters(bench: RosBench):
    place = {"camera_height": 1.0, "camera_x": 0.5, "camera_pitch": 10.0}
    reach = {"cell_size": 0.1, "ahead": 15.0, "behind": 5.0, "left": 4.0, "right": 6.0}
    bench.start("ground.ground_grid_node", **place, **reach)
    scene = Scene(bench)
    scene.want_the_grid()
    # Row 380 is atan(80 / 400) below the camera's axis, and that is 10 degrees down.
    metres = 0.5 + 1.0 / math.tan(math.atan(0.2) + math.radians(10))
    scene.until_curb_at(metres, curb(), camera_info())
    info = scene.grids[-1].info
    assert (info.width, info.height) == (200, 100)
    assert (info.origin.position.x, info.origin.position.y) == (-5.0, -6.0)


def test_another_calibration_makes_another_table(bench: RosBench):
    node = bench.start("ground.ground_grid_node")
    scene = Scene(bench)
    scene.want_the_grid()
    scene.until_curb_at(12.0, curb(), camera_info())
    # A lens twice as long: the same row is seen at 800 * 2 / 80 = 20 m before the camera.
    scene.until_curb_at(22.0, curb(), camera_info(focal=800.0))
    # Another size: row 240 of 400 is 40 rows below the middle, 200 * 2 / 40 = 10 m.
    scene.until_curb_at(12.0, curb(240, 400, 400), camera_info(200.0, 400, 400))
    assert node.printed.count("table computed") == 3


# At 58 degrees the wrong focal length looks plausible. At 60 degrees f is 400 / tan(30 degrees) =
# 693 pixels, at 58 degrees 722, and row 380 is 80 rows below the middle.
@pytest.mark.parametrize(("fov", "metres"), [(90.0, 12.0), (60.0, 19.3), (58.0, 20.0)])
def test_a_wrong_focal_length_is_refused_and_the_field_of_view_can_be_named(
    bench: RosBench, fov: float, metres: float
):
    """CARLA 0.9.16's own interface takes the tangent of degrees as if they were radians."""
    bench.start("ground.ground_grid_node")
    scene = Scene(bench)
    scene.want_the_grid()
    wrong = camera_info(800 / (2 * math.tan(fov) * math.pi / 360))
    scene.until_problem(f"set camera_fov to {fov:g}", curb(), wrong)
    assert not scene.grids
    assert set_parameter(bench, "camera_fov", fov).successful
    scene.until_curb_at(metres, curb(), wrong)


def test_nothing_is_listened_to_while_nobody_wants_the_grid(bench: RosBench):
    bench.start("ground.ground_grid_node")
    scene = Scene(bench)
    topics = (scene.labels, scene.relayed, scene.own, scene.legend)
    bench.until(lambda: bench.node.count_publishers(GRID))
    assert [topic.get_subscription_count() for topic in topics] == [0, 0, 0, 0]
    wish = scene.want_the_grid()
    bench.until(lambda: all(topic.get_subscription_count() for topic in topics))
    scene.until_curb_at(12.0, curb(), camera_info())
    bench.node.destroy_subscription(wish)
    bench.until(lambda: not any(topic.get_subscription_count() for topic in topics))
    scene.grids.clear()
    scene.want_the_grid()
    scene.until_curb_at(12.0, curb(), camera_info())


def test_the_cameras_own_calibration_does_where_none_is_relayed(bench: RosBench):
    bench.start("ground.ground_grid_node")
    scene = Scene(bench)
    scene.want_the_grid()
    scene.until_curb_at(12.0, curb(), camera_info(), own=True)


def test_without_a_legend_ids_mean_nothing(bench: RosBench):
    bench.start("ground.ground_grid_node")
    scene = Scene(bench, legend=False)
    scene.want_the_grid()
    scene.until_problem("waiting for what the class ids mean", curb(), camera_info())
    assert not scene.grids
    scene.legend.publish(String(data=carla_13().to_json()))
    scene.until_curb_at(12.0, curb(), camera_info())


def test_the_drivable_classes_are_chosen_by_name_while_the_node_runs(bench: RosBench):
    bench.start("ground.ground_grid_node", drivable_classes=["Motorway"])
    scene = Scene(bench)
    scene.want_the_grid()
    scene.until_problem("has no class 'Motorway'; it has None/Unlabeled", curb(), camera_info())
    assert set_parameter(bench, "drivable_classes", ["Roads"]).successful
    scene.until_curb_at(12.0, curb(), camera_info())
    assert set_parameter(bench, "drivable_classes", ["Roads", "Sidewalks"]).successful
    scene.until_curb_at(math.inf, curb(), camera_info())
    refused = set_parameter(bench, "drivable_classes", ["Roads", "Street"])
    assert not refused.successful
    assert "drivable_classes: label set 'carla-13' has no class 'Street'" in refused.reason


def test_the_pitch_is_tuned_while_the_node_runs(bench: RosBench):
    bench.start("ground.ground_grid_node")
    scene = Scene(bench)
    scene.want_the_grid()
    scene.until_curb_at(12.0, curb(), camera_info())
    assert set_parameter(bench, "camera_pitch", 5.0).successful
    metres = 2 + 2 / math.tan(math.atan(0.2) + math.radians(5))
    scene.until_curb_at(metres, curb(), camera_info())
    refused = set_parameter(bench, "cell_size", 0.5)
    assert not refused.successful and refused.reason


def test_an_input_of_another_type_is_told(bench: RosBench):
    bench.node.create_publisher(CompressedImage, f"{CAMERA}/segmentation/labels", 10)
    diagnostics = Diagnostics(bench)
    bench.start("ground.ground_grid_node")
    bench.collect(OccupancyGrid, GRID)
    sentence = f"{CAMERA}/segmentation/labels carries sensor_msgs/msg/CompressedImage, expected"
    bench.until(lambda: diagnostics.find("/ground_grid", sentence))


def test_bad_input_is_counted_and_survived(bench: RosBench):
    node = bench.start("ground.ground_grid_node")
    scene = Scene(bench)
    scene.want_the_grid()
    scene.until_problem("waiting for the camera's geometry", curb(), None)
    distorted = camera_info()
    distorted.d = [0.1, 0.0, 0.0, 0.0, 0.0]
    scene.until_problem("has the distortion [0.1", curb(), distorted)
    empty = CameraInfo(width=800, height=600, distortion_model="plumb_bob")
    scene.until_problem("expected a calibrated camera", curb(), empty)
    # These would take minutes and all memory, or a minute.
    for width, height in ((100_000, 100_000), (12_000, 9_000)):
        large = camera_info(400.0, width, height)
        scene.until_problem(f"{width}x{height} pixels, the picture is 800x600", curb(), large)
    colours = np.zeros((600, 800, 3), np.uint8)
    values = scene.until_problem("expected mono8", colours, camera_info(), encoding="bgr8")
    assert int(values["inputs skipped"]) > 0 and values["messages out"] == "0"
    scene.legend.publish(String(data="{}"))
    scene.until_problem("legend is unreadable", curb(), camera_info())
    scene.legend.publish(String(data=carla_13().to_json()))
    scene.until_curb_at(12.0, curb(), camera_info())
    assert "so far" in node.printed


@pytest.mark.usefixtures("ros_domain")
@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        ("pose_source:=tf", "tf2_ros cannot be imported"),
        ("cell_size:=0.01", "cells; expected 1 to 4 million"),
        ("ahead:=-1.0", "ahead"),
        ("odometry_topic:='a b'", "'a b' is no topic name"),
        ("camera:='a b'", "'a b' is no topic name"),
        ("pose_source:=map", "expected one of auto, tf, parameters"),
    ],
)
def test_parameters_that_cannot_be_end_in_a_sentence(parameter: str, text: str):
    if parameter == "pose_source:=tf" and find_spec("tf2_ros"):
        pytest.skip("tf2_ros is installed here")
    command = [sys.executable, "-m", "carla_unet_ros.ground.ground_grid_node", "--ros-args", "-p"]
    ended = subprocess.run([*command, parameter], capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert text in ended.stderr and "Traceback" not in ended.stderr
