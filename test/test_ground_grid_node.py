"""ground_grid_node as a process of its own, fed over DDS with scenes worked out by hand.

The camera is 800x600 with f = 400 pixels, 2 m high and 2 m ahead of the vehicle's origin, so
row 380 is seen 400 * 2 / 80 = 10 m before the camera, 12 m before the origin.
"""

import math
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import OccupancyGrid
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from ros_bench import LATCHED, RosBench
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header, String

from carla_unet_ros.image_messages import to_image_message
from carla_unet_ros.labels import Uint8, carla_13

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


def curb_metres(grid: OccupancyGrid) -> float:
    """Where, straight ahead of the vehicle's origin, the first occupied cell begins."""
    cells = np.asarray(grid.data, np.int8).reshape(grid.info.height, grid.info.width)
    row = int(-grid.info.origin.position.y / grid.info.resolution)
    occupied = np.flatnonzero(cells[row] == 100)
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

        def told() -> dict | None:
            statuses = [entry for array in self.diagnostics for entry in array.status]
            return next(
                (
                    {value.key: value.value for value in entry.values}
                    for entry in statuses
                    if text in entry.message and entry.level == entry.WARN
                ),
                None,
            )

        return self.until(told, labels, info, **how)


def set_parameter(bench: RosBench, name: str, value: Any) -> SetParametersResult:
    request = SetParameters.Request()
    request.parameters = [Parameter(name, value=value).to_parameter_msg()]
    return bench.call(SetParameters, "/ground_grid/set_parameters", request).results[0]


def test_a_grid_has_the_labels_time_the_vehicles_frame_and_the_curb(bench: RosBench):
    bench.start("ground_grid_node")
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


def test_extent_and_pose_are_parameters(bench: RosBench):
    place = {"camera_height": 1.0, "camera_x": 0.5, "camera_pitch": 10.0}
    reach = {"cell_size": 0.1, "ahead": 15.0, "behind": 5.0, "left": 4.0, "right": 6.0}
    bench.start("ground_grid_node", **place, **reach)
    scene = Scene(bench)
    scene.want_the_grid()
    # Row 380 is atan(80 / 400) below the camera's axis, and that is 10 degrees down.
    metres = 0.5 + 1.0 / math.tan(math.atan(0.2) + math.radians(10))
    scene.until_curb_at(metres, curb(), camera_info())
    info = scene.grids[-1].info
    assert (info.width, info.height) == (200, 100)
    assert (info.origin.position.x, info.origin.position.y) == (-5.0, -6.0)


def test_another_calibration_makes_another_table(bench: RosBench):
    node = bench.start("ground_grid_node")
    scene = Scene(bench)
    scene.want_the_grid()
    scene.until_curb_at(12.0, curb(), camera_info())
    # A lens twice as long: the same row is seen at 800 * 2 / 80 = 20 m before the camera.
    scene.until_curb_at(22.0, curb(), camera_info(focal=800.0))
    # Another size: row 240 of 400 is 40 rows below the middle, 200 * 2 / 40 = 10 m.
    scene.until_curb_at(12.0, curb(240, 400, 400), camera_info(200.0, 400, 400))
    assert node.printed.count("table computed") == 3


@pytest.mark.parametrize(("fov", "metres"), [(90.0, 12.0), (60.0, 19.3)])
def test_a_wrong_focal_length_is_refused_and_the_field_of_view_can_be_named(
    bench: RosBench, fov: float, metres: float
):
    """CARLA 0.9.16's own interface takes the tangent of degrees as if they were radians."""
    bench.start("ground_grid_node")
    scene = Scene(bench)
    scene.want_the_grid()
    wrong = camera_info(800 / (2 * math.tan(fov) * math.pi / 360))
    scene.until_problem("or its field of view as camera_fov", curb(), wrong)
    assert not scene.grids
    assert set_parameter(bench, "camera_fov", fov).successful
    # Row 380 is 80 rows below the middle; at 60 degrees f is 400 / tan(30 degrees) = 693 pixels.
    scene.until_curb_at(metres, curb(), wrong)


def test_nothing_is_listened_to_while_nobody_wants_the_grid(bench: RosBench):
    bench.start("ground_grid_node")
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
    bench.start("ground_grid_node")
    scene = Scene(bench)
    scene.want_the_grid()
    scene.until_curb_at(12.0, curb(), camera_info(), own=True)


def test_without_a_legend_ids_mean_nothing(bench: RosBench):
    bench.start("ground_grid_node")
    scene = Scene(bench, legend=False)
    scene.want_the_grid()
    scene.until_problem("waiting for what the class ids mean", curb(), camera_info())
    assert not scene.grids
    scene.legend.publish(String(data=carla_13().to_json()))
    scene.until_curb_at(12.0, curb(), camera_info())


def test_the_drivable_classes_are_chosen_by_name_while_the_node_runs(bench: RosBench):
    bench.start("ground_grid_node", drivable_classes=["Motorway"])
    scene = Scene(bench)
    scene.want_the_grid()
    scene.until_problem("has no class 'Motorway'; it has None/Unlabeled", curb(), camera_info())
    assert set_parameter(bench, "drivable_classes", ["Roads"]).successful
    scene.until_curb_at(12.0, curb(), camera_info())
    assert set_parameter(bench, "drivable_classes", ["Roads", "Sidewalks"]).successful
    scene.until_curb_at(math.inf, curb(), camera_info())


def test_the_pitch_is_tuned_while_the_node_runs(bench: RosBench):
    bench.start("ground_grid_node")
    scene = Scene(bench)
    scene.want_the_grid()
    scene.until_curb_at(12.0, curb(), camera_info())
    assert set_parameter(bench, "camera_pitch", 5.0).successful
    metres = 2 + 2 / math.tan(math.atan(0.2) + math.radians(5))
    scene.until_curb_at(metres, curb(), camera_info())
    refused = set_parameter(bench, "cell_size", 0.5)
    assert not refused.successful and refused.reason


def test_bad_input_is_counted_and_survived(bench: RosBench):
    node = bench.start("ground_grid_node")
    scene = Scene(bench)
    scene.want_the_grid()
    scene.until_problem("waiting for the camera's geometry", curb(), None)
    distorted = camera_info()
    distorted.d = [0.1, 0.0, 0.0, 0.0, 0.0]
    scene.until_problem("has the distortion [0.1", curb(), distorted)
    scene.until_problem("expected a calibrated camera", curb(), CameraInfo(width=800, height=600))
    scene.until_problem("labels are 400x300, the camera is", curb(150, 300, 400), camera_info())
    colours = np.zeros((600, 800, 3), np.uint8)
    values = scene.until_problem("expected mono8", colours, camera_info(), encoding="bgr8")
    assert int(values["label images skipped"]) > 0 and values["grids out"] == "0"
    scene.legend.publish(String(data="{}"))
    scene.until_problem("legend is unreadable", curb(), camera_info())
    scene.legend.publish(String(data=carla_13().to_json()))
    scene.until_curb_at(12.0, curb(), camera_info())
    assert "so far" in node.printed


# A tf2_ros of the same names, fed by a topic of one transform instead of by tf2_msgs, which the
# pip wheels of ROS 2 lack.
TF2_ROS = """
from geometry_msgs.msg import TransformStamped

class TransformException(Exception):
    pass

class Buffer:
    transform = None

    def lookup_transform(self, target_frame, source_frame, time):
        known = self.transform
        if known is None or (known.header.frame_id, known.child_frame_id) != (
            target_frame, source_frame
        ):
            raise TransformException(f'"{source_frame}" does not exist')
        return known

class TransformListener:
    def __init__(self, buffer, node):
        self.node = node
        self.subscription = node.create_subscription(
            TransformStamped, "/one_tf", lambda found: setattr(buffer, "transform", found), 1
        )

    def unregister(self):
        self.node.destroy_subscription(self.subscription)
"""


@pytest.fixture
def fake_tf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "tf2_ros.py").write_text(TF2_ROS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"), prepend=":")


def mounted(height: float, frame: str = "ego_vehicle/rgb_front") -> TransformStamped:
    """The bridge's transform of a level camera: optical axes, x = 2 m."""
    transform = TransformStamped(child_frame_id=frame)
    transform.header.frame_id = "ego_vehicle"
    place, turn = transform.transform.translation, transform.transform.rotation
    place.x, place.z = 2.0, height
    turn.x, turn.y, turn.z, turn.w = -0.5, 0.5, -0.5, 0.5
    return transform


@pytest.mark.usefixtures("fake_tf")
def test_the_pose_comes_from_tf_as_soon_as_tf_knows_it(bench: RosBench):
    node = bench.start("ground_grid_node", camera_height=1.0)
    scene = Scene(bench)
    scene.want_the_grid()
    # Half as high, half as far from the camera: 2 + 400 * 1 / 80.
    scene.until_curb_at(7.0, curb(), camera_info())
    assert "pose comes from parameters: TF has no ego_vehicle/rgb_front" in node.printed
    tf = bench.node.create_publisher(TransformStamped, "/one_tf", 1)
    bench.until(tf.get_subscription_count)
    tf.publish(mounted(2.0))
    scene.until_curb_at(12.0, curb(), camera_info())
    assert "pose comes from TF: ego_vehicle/rgb_front in ego_vehicle, optical" in node.printed
    tf.publish(mounted(3.0))
    scene.until_curb_at(17.0, curb(), camera_info())


@pytest.mark.usefixtures("fake_tf")
def test_where_only_tf_will_do_its_shortcomings_are_told(bench: RosBench):
    bench.start("ground_grid_node", pose_source="tf", camera_axes="body")
    scene = Scene(bench)
    scene.want_the_grid()
    scene.until_problem("TF has no ego_vehicle/rgb_front in ego_vehicle", curb(), camera_info())
    tf = bench.node.create_publisher(TransformStamped, "/one_tf", 1)
    bench.until(tf.get_subscription_count)
    tf.publish(mounted(2.0))
    scene.until_problem("lies on its side: set camera_axes", curb(), camera_info())
    assert set_parameter(bench, "camera_axes", "optical").successful
    scene.until_curb_at(12.0, curb(), camera_info())


@pytest.mark.usefixtures("ros_domain")
@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        ("pose_source:=tf", "tf2_ros cannot be imported"),
        ("cell_size:=0.01", "cells; expected 1 to 4 million"),
        ("ahead:=-1.0", "ahead"),
        ("pose_source:=map", "expected one of auto, tf, parameters"),
    ],
)
def test_parameters_that_cannot_be_end_in_a_sentence(parameter: str, text: str):
    if parameter == "pose_source:=tf" and find_spec("tf2_ros"):
        pytest.skip("tf2_ros is installed here")
    command = [sys.executable, "-m", "carla_unet_ros.ground_grid_node", "--ros-args", "-p"]
    ended = subprocess.run([*command, parameter], capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert text in ended.stderr and "Traceback" not in ended.stderr
