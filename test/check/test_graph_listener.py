# SPDX-License-Identifier: Apache-2.0
"""The check over real DDS: the stand-in camera, and publishers that are wrong in one way each."""

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import TransformStamped
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_bench import Camera, RosBench
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import String

from carla_unet_ros.check.causes import Cause
from carla_unet_ros.check.findings import Finding
from carla_unet_ros.check.graph_listener import GraphListener
from carla_unet_ros.check.inspection import Expected, inspect
from carla_unet_ros.labels import carla_label_set

FRAMES = "/carla/ego_vehicle/rgb_front/image"
TRUTH = "/carla/ego_vehicle/semantic_segmentation_front/image"
BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
GREY = np.full((48, 64, 4), 90, np.uint8)


class Check:
    """The check, run again and again on what has come so far."""

    def __init__(self, bench: RosBench, image: str = FRAMES) -> None:
        self._bench = bench
        self.listener = GraphListener(bench.node, image, TRUTH, ReliabilityPolicy.RELIABLE)
        self._expected = Expected("0.9.13", "ego_vehicle", "optical", 0.1)

    def lines(self) -> dict[str, Finding]:
        self.listener.look()
        seen = self.listener.read("0.9.13")
        return {line.subject: line for line in inspect(seen, self._expected)}

    def until(self, subject: str, cause: Cause | None, send: Callable[[], Any] = bool) -> Finding:
        """Sends and checks until the subject has this cause; gives its line."""

        def found() -> Finding | None:
            send()
            line = self.lines().get(subject)
            return line if line and line.cause is cause else None

        return self._bench.until(found)


def test_with_the_stand_in_camera_all_is_well(bench: RosBench):
    bench.start("stand_in.camera_node", width=160, height=120)
    check = Check(bench)
    # The last of them needs images of both cameras, of one stamp.
    check.until("pairs", None)
    bench.until(lambda: all(line.cause is None for line in check.lines().values()))
    lines = check.lines()
    assert {"domain", "/clock", "frames", "camera_info", "calibration"} <= lines.keys()
    assert {"truth", "likeness", "pairs", "tags", "TF", "nodes"} <= lines.keys()
    assert lines["frame"].detail == "160x120 bgra8, frame 'ego_vehicle/rgb_front'"
    assert "a field of view of 90.0 degrees" in lines["calibration"].detail
    assert "palette colours of CARLA 0.9.13" in lines["tags"].detail
    # Messages may come before the name of the node that sends them.
    bench.until(lambda: "/camera" in check.lines()["frames"].detail)


def test_frames_under_another_name_are_named(bench: RosBench):
    bench.start("stand_in.camera_node", width=64, height=48, role_name="hero")
    check = Check(bench)
    line = check.until("frames", Cause.NOBODY)
    bench.until(lambda: "/carla/hero/rgb_front/image" in check.lines()["frames"].detail)
    assert line.detail.startswith(FRAMES)


def test_a_topic_of_another_type_is_told(bench: RosBench):
    bench.node.create_publisher(String, FRAMES, 1)
    line = Check(bench).until("frames", Cause.OTHER_TYPE)
    assert "/bench sends std_msgs/msg/String; expected sensor_msgs/msg/Image" in line.detail


def test_best_effort_frames_do_not_fit_a_reliable_reader_and_are_heard_all_the_same(
    bench: RosBench,
):
    camera = Camera(bench, FRAMES, BEST_EFFORT)
    check = Check(bench)
    line = check.until("frames", Cause.OTHER_QOS, lambda: camera.send(GREY))
    assert "Best effort publisher and reliable subscription" in line.detail
    bench.until(lambda: camera.send(GREY) and check.listener.seen.frames.arrivals)


def test_a_publisher_that_sends_nothing_is_told(bench: RosBench):
    bench.node.create_publisher(Image, FRAMES, 1)
    bench.node.create_publisher(Clock, "/clock", 1)
    check = Check(bench)
    check.until("frames", Cause.NOTHING_COMES)
    check.until("/clock", Cause.NOTHING_COMES)


def test_an_image_that_cannot_be_read_is_told(bench: RosBench):
    frames = bench.node.create_publisher(Image, FRAMES, 1)
    broken = Image(width=64, height=48, encoding="bgra8", step=256, data=[0] * 10)
    line = Check(bench).until("frame", Cause.UNREADABLE, lambda: frames.publish(broken))
    assert "the image holds 10 bytes" in line.detail


def test_truth_of_another_size_and_without_common_stamps_is_told(bench: RosBench):
    frames, truth = Camera(bench, FRAMES), Camera(bench, TRUTH)
    labels = carla_label_set("0.9.13")
    image = np.full((24, 32, 4), 255, np.uint8)
    image[..., :3] = labels.palette_bgr[labels.ids(["Roads"])[0]]

    def send() -> None:
        frames.send(GREY)
        header = truth.header()
        header.stamp.nanosec += 7
        truth.send(image, header=header)

    check = Check(bench)
    line = check.until("likeness", Cause.NOT_ALIKE, send)
    assert line.detail == "the frames are 64x48, the truth is 32x24"
    check.until("pairs", Cause.NO_PAIRS, send)
    assert check.lines()["tags"].cause is None
    # A camera_info without a focal length, as a camera has that nobody calibrated.
    assert check.lines()["calibration"].cause is Cause.NO_FOCAL


def test_a_clock_of_another_time_and_one_that_stands_still_are_told(bench: RosBench):
    camera = Camera(bench, FRAMES)
    clock = bench.node.create_publisher(Clock, "/clock", 10)

    def send() -> None:
        camera.send(GREY)
        clock.publish(Clock(clock=Time(sec=7)))

    check = Check(bench)
    check.until("stamps", Cause.OTHER_TIME, send)
    check.until("/clock", Cause.CLOCK_STANDS, send)


def test_compressed_frames_are_read(bench: RosBench):
    frames = bench.node.create_publisher(CompressedImage, f"{FRAMES}/compressed", 1)
    infos = bench.node.create_publisher(CameraInfo, FRAMES.replace("image", "camera_info"), 1)
    broken = CompressedImage(format="jpeg", data=[1, 2, 3])
    check = Check(bench, f"{FRAMES}/compressed")
    check.until("frame", Cause.UNREADABLE, lambda: frames.publish(broken))
    check.until("camera_info", None, lambda: infos.publish(CameraInfo(width=64, height=48)))


def test_reports_of_our_own_nodes_are_shown(bench: RosBench):
    labels = FRAMES.replace("image", "segmentation/labels")
    bench.node.create_publisher(Image, labels, 1)
    diagnostics = bench.node.create_publisher(DiagnosticArray, "/diagnostics", 10)
    status = DiagnosticStatus(level=DiagnosticStatus.WARN, message="no image for 3 s")
    status.name = f"/segmentation: {FRAMES}"
    array = DiagnosticArray(status=[status])
    check = Check(bench)
    line = check.until("segmentation", Cause.NODE_TELLS, lambda: diagnostics.publish(array))
    assert "no image for 3 s" in line.detail


def test_transforms_come_from_tf_where_its_messages_are_installed(
    bench: RosBench, monkeypatch: pytest.MonkeyPatch
):
    """The pip wheels of ROS 2 lack tf2_msgs: a message of another type takes its place on /tf."""
    transform = TransformStamped(child_frame_id="ego_vehicle/rgb_front")
    transform.header.frame_id = "ego_vehicle"
    transform.transform.rotation.w = 1.0
    module = SimpleNamespace(TFMessage=TransformStamped)
    monkeypatch.setitem(sys.modules, "tf2_msgs.msg", module)
    monkeypatch.setitem(sys.modules, "tf2_msgs", SimpleNamespace(msg=module))
    camera = Camera(bench, FRAMES)
    check = Check(bench)
    check.until("TF", Cause.NO_TF, lambda: send_as(camera, "ego_vehicle/rgb_front"))
    check.listener.on_transforms(SimpleNamespace(transforms=[transform]))
    check.until("TF", Cause.OTHER_AXES)
    for topic in ("/tf", "/tf_static"):
        (listening,) = bench.node.get_subscriptions_info_by_topic(topic)
        static = (
            DurabilityPolicy.TRANSIENT_LOCAL if "static" in topic else DurabilityPolicy.VOLATILE
        )
        assert listening.qos_profile.durability == static


def send_as(camera: Camera, frame: str) -> None:
    header = camera.header()
    header.frame_id = frame
    camera.send(GREY, header=header)
