# SPDX-License-Identifier: Apache-2.0
"""The stand-in camera over DDS, as a process of its own: all that CARLA's bridge sends."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import DescribeParameters, ListParameters
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from ros_bench import RosBench
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image

from carla_unet_ros.labels import carla_13, carla_label_set, mapping
from carla_unet_ros.ros.depth_images import to_depth
from carla_unet_ros.stand_in.camera_node import BRIDGE_QOS, Parameters
from carla_unet_ros.stand_in.camera_source import DriveSource
from carla_unet_ros.stand_in.drive import Drive

RGB = "/carla/ego_vehicle/rgb_front"
TRUTH = "/carla/ego_vehicle/semantic_segmentation_front"
DEPTH = "/carla/ego_vehicle/depth_front"
WIDTH, HEIGHT = 160, 120
SIZE = {"width": WIDTH, "height": HEIGHT}
TICK = 50_000_000


class Heard:
    """All messages of the camera's topics."""

    def __init__(self, bench: RosBench, camera: str = RGB, truth: str = TRUTH) -> None:
        self.bench = bench
        self.frames = bench.collect(Image, f"{camera}/image")
        self.infos = bench.collect(CameraInfo, f"{camera}/camera_info")
        self.truths = bench.collect(Image, f"{truth}/image")
        self.truth_infos = bench.collect(CameraInfo, f"{truth}/camera_info")
        self.clocks = bench.collect(Clock, "/clock")

    def ticks(self, count: int) -> list[tuple[int, Image, Image]]:
        """(number, frame, truth) of this many ticks of which both came, in 50 ms steps."""

        def common() -> list[tuple[int, Image, Image]]:
            truths = {nanoseconds(message): message for message in self.truths}
            return [
                (nanoseconds(frame) // TICK, frame, truths[nanoseconds(frame)])
                for frame in self.frames
                if nanoseconds(frame) in truths
            ]

        return self.bench.until(lambda: found if len(found := common()) >= count else None)


def nanoseconds(message: Any) -> int:
    stamp = message.clock if isinstance(message, Clock) else message.header.stamp
    return stamp.sec * 10**9 + stamp.nanosec


def bgra(message: Image) -> np.ndarray:
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 4)


def test_frames_and_truth_are_the_drives(bench: RosBench):
    heard = Heard(bench)
    bench.start("stand_in.camera_node", seed=4, **SIZE)
    drive = Drive(WIDTH, HEIGHT, seed=4)
    tags = carla_label_set("0.9.13")
    for number, frame, truth in heard.ticks(3)[:3]:
        scene = drive.frame(number)
        assert (bgra(frame) == scene.frame).all()
        ids = mapping(carla_13(), tags)[scene.labels]
        assert (bgra(truth)[..., :3] == tags.palette_bgr[ids]).all()
        assert (bgra(truth)[..., 3] == 255).all()


def test_headers_and_layout_are_the_bridges(bench: RosBench):
    heard = Heard(bench)
    bench.start("stand_in.camera_node", **SIZE)
    _, frame, truth = heard.ticks(1)[0]
    assert frame.header.frame_id == "ego_vehicle/rgb_front"
    assert truth.header.frame_id == "ego_vehicle/semantic_segmentation_front"
    for message in (frame, truth):
        assert (message.width, message.height, message.step) == (WIDTH, HEIGHT, 4 * WIDTH)
        assert (message.encoding, message.is_bigendian) == ("bgra8", 0)


def test_camera_info_comes_with_the_stamp_of_the_image(bench: RosBench):
    heard = Heard(bench)
    bench.start("stand_in.camera_node", **SIZE)
    cameras = (heard.frames, heard.infos), (heard.truths, heard.truth_infos)
    for images, infos in cameras:

        def of_one_header(images: list[Any] = images, infos: list[Any] = infos) -> list[Any]:
            headers = [image.header for image in images]
            return [info for info in infos if info.header in headers]

        info = bench.until(of_one_header)[0]
        assert (info.width, info.height) == (WIDTH, HEIGHT)
        assert (info.distortion_model, list(info.d)) == ("plumb_bob", [0.0] * 5)
        # 90 degrees: the focal length is half the width.
        assert info.k.tolist() == pytest.approx([80, 0, 80, 0, 80, 60, 0, 0, 1])
        assert info.p.tolist() == pytest.approx([80, 0, 80, 0, 0, 80, 60, 0, 0, 0, 1, 0])
        assert info.r.tolist() == [1, 0, 0, 0, 1, 0, 0, 0, 1]


def test_simulation_time_advances_by_one_frame_however_long_it_takes(bench: RosBench):
    """1000 frames a second cannot be drawn: a camera that skipped would leave gaps each time."""
    heard = Heard(bench)
    bench.start("stand_in.camera_node", rate=1000.0, **SIZE)
    bench.until(
        lambda: (
            len(heard.clocks) >= 30
            and {nanoseconds(f) for f in heard.frames} & {nanoseconds(c) for c in heard.clocks}
        )
    )
    steps = np.diff([nanoseconds(clock) for clock in heard.clocks])
    assert (steps % 1_000_000 == 0).all()
    assert (steps == 1_000_000).mean() > 0.5


def test_qos_is_the_bridges(bench: RosBench):
    Heard(bench)
    bench.start("stand_in.camera_node", **SIZE)
    for topic in (f"{RGB}/image", f"{RGB}/camera_info", f"{TRUTH}/image", "/clock"):

        def found(topic: str = topic) -> list[Any]:
            return bench.node.get_publishers_info_by_topic(topic)

        (publisher,) = bench.until(found)
        assert publisher.qos_profile.reliability == ReliabilityPolicy.RELIABLE
        assert publisher.qos_profile.durability == DurabilityPolicy.VOLATILE
    assert BRIDGE_QOS.depth == 10


def test_raw_truth_is_the_tag_in_the_red_channel(bench: RosBench):
    heard = Heard(bench)
    bench.start("stand_in.camera_node", truth="raw", tags="0.9.16", **SIZE)
    number, _, truth = heard.ticks(1)[0]
    labels = Drive(WIDTH, HEIGHT).frame(number).labels
    ids = mapping(carla_13(), carla_label_set("0.9.16"))[labels]
    assert (bgra(truth)[..., 2] == ids).all()
    assert not bgra(truth)[..., :2].any()
    # Roads are 1 since CARLA 0.9.14, and the drive has them in every frame.
    assert (ids == 1).any()


@pytest.mark.parametrize(("sent", "encoding"), [("metres", "32FC1"), ("coded", "bgra8")])
def test_depth_is_the_drives_as_the_bridge_or_as_carla_itself_sends_it(
    bench: RosBench, sent: str, encoding: str
):
    images = bench.collect(Image, f"{DEPTH}/image")
    infos = bench.collect(CameraInfo, f"{DEPTH}/camera_info")
    bench.start("stand_in.camera_node", seed=4, depth=sent, **SIZE)
    message, info = bench.until(
        lambda: [(image, one) for image in images for one in infos if one.header == image.header]
    )[0]
    assert (message.encoding, message.step) == (encoding, 4 * WIDTH)
    assert message.header.frame_id == "ego_vehicle/depth_front"
    expected = Drive(WIDTH, HEIGHT, seed=4).at(nanoseconds(message) / 1e9, depth=True).depth
    assert expected is not None
    np.testing.assert_allclose(to_depth(message), expected, atol=1e-4)
    assert info.k.tolist() == pytest.approx([80, 0, 80, 0, 80, 60, 0, 0, 1])


def test_odometry_is_the_pose_that_the_frame_of_this_stamp_was_drawn_from(bench: RosBench):
    heard = Heard(bench)
    odometry = bench.collect(Odometry, "/carla/hero/odometry")
    heard.frames = bench.collect(Image, "/carla/hero/rgb_front/image")
    bench.start("stand_in.camera_node", role_name="hero", seed=4, **SIZE)
    message = bench.until(
        lambda: [
            one
            for one in odometry
            if nanoseconds(one) and nanoseconds(one) in map(nanoseconds, heard.frames)
        ]
    )[0]
    assert (message.header.frame_id, message.child_frame_id) == ("map", "hero")
    pose, ahead, left, turn = Drive(WIDTH, HEIGHT, seed=4).motion(nanoseconds(message) / 1e9)
    position, quaternion = message.pose.pose.position, message.pose.pose.orientation
    assert (position.x, position.y, position.z) == (pose.x, pose.y, 0.0)
    # A quaternion of a turn about z alone holds half the angle.
    assert (quaternion.x, quaternion.y) == (0.0, 0.0)
    assert 2 * np.arctan2(quaternion.z, quaternion.w) == pytest.approx(pose.yaw)
    twist = message.twist.twist
    assert (twist.linear.x, twist.linear.y, twist.angular.z) == (ahead, left, turn)


def test_recorded_pairs_have_no_depth_and_the_drive_draws_it_only_when_asked(
    bench: RosBench, tmp_path: Path
):
    write_pairs(tmp_path / "pairs", 1)
    heard = Heard(bench)
    bench.start("stand_in.camera_node", source=tmp_path / "pairs", tags="0.8.x")
    heard.ticks(1)
    assert bench.node.count_publishers(f"{DEPTH}/image") == 0
    drive = DriveSource(Drive(*SIZE.values()), carla_label_set("0.9.13"), 20.0, "drive")
    assert drive.view(0).depth is None
    assert drive.view(0, depth=True).depth is not None


def test_other_role_and_more_cameras(bench: RosBench):
    heard = Heard(bench, "/carla/hero/rgb_front", "/carla/hero/semantic_segmentation_front")
    others = [bench.collect(Image, f"/carla/hero/rgb_{number}/image") for number in (2, 3)]
    bench.start("stand_in.camera_node", role_name="hero", cameras=3, **SIZE)
    bench.until(lambda: heard.frames and all(others))
    stamps = bench.until(
        lambda: set.intersection(
            *({nanoseconds(m) for m in messages} for messages in (heard.frames, *others))
        )
    )
    for number, messages in zip((2, 3), others, strict=True):
        message = next(m for m in messages if nanoseconds(m) in stamps)
        first = next(m for m in heard.frames if nanoseconds(m) == nanoseconds(message))
        assert message.header.frame_id == f"hero/rgb_{number}"
        assert message.data == first.data


def write_pairs(folder: Path, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Frames of one colour each, and masks of one 0.8.x tag each."""
    pairs = []
    for sub in ("rgb", "label"):
        (folder / sub).mkdir(parents=True)
    for number in range(count):
        frame = np.full((20, 30, 3), (10 * number, 50, 200), np.uint8)
        mask = np.full((20, 30), number, np.uint8)
        cv2.imwrite(str(folder / "rgb" / f"{number:03d}.png"), frame)
        cv2.imwrite(str(folder / "label" / f"{number:03d}.png"), mask)
        pairs.append((frame, mask))
    return pairs


def test_a_folder_is_played_in_order_and_again(bench: RosBench, tmp_path: Path):
    pairs = write_pairs(tmp_path / "pairs", 3)
    heard = Heard(bench)
    bench.start("stand_in.camera_node", source=tmp_path / "pairs", tags="0.8.x", fov=60.0)
    palette = carla_label_set("0.8.x").palette_bgr
    for number, frame, truth in heard.ticks(5):
        picture, mask = pairs[number % 3]
        assert (bgra(frame)[..., :3] == picture).all()
        assert (bgra(truth)[..., :3] == palette[mask]).all()
    # tan(30 degrees) = 0.57735: 30 / (2 x 0.57735)
    assert bench.until(lambda: heard.infos)[0].k[0] == pytest.approx(25.98, abs=0.01)


def test_double_ctrl_c_ends_without_noise(bench: RosBench):
    heard = Heard(bench)
    process = bench.start("stand_in.camera_node", **SIZE)
    heard.ticks(1)
    process.popen.send_signal(2)
    assert process.interrupt() == 0
    assert "Traceback" not in process.printed


def test_every_parameter_is_described(bench: RosBench):
    bench.start("stand_in.camera_node", **SIZE)
    names = [parameter.name for parameter in Parameters.rows()]
    listed = bench.call(ListParameters, "/camera/list_parameters", ListParameters.Request())
    assert set(names) <= set(listed.result.names)
    request = DescribeParameters.Request(names=names)
    answer = bench.call(DescribeParameters, "/camera/describe_parameters", request)
    assert all(descriptor.description for descriptor in answer.descriptors)


def test_an_unreadable_frame_on_the_way_is_named_and_left_out(bench: RosBench, tmp_path: Path):
    """Of three pairs the second is damaged: frames 0, 2, 3, 5, ... come."""
    write_pairs(tmp_path, 3)
    (tmp_path / "rgb" / "001.png").write_bytes(b"no picture")
    heard = Heard(bench)
    camera = bench.start("stand_in.camera_node", source=str(tmp_path), tags="0.8.x")
    numbers = [number for number, _, _ in heard.ticks(6)]
    assert {number % 3 for number in numbers} == {0, 2}
    assert f"is left out: {tmp_path}/rgb/001.png is no picture that can be read" in camera.printed


def test_help_tells_topics_and_parameters(capsys: pytest.CaptureFixture[str]):
    from carla_unet_ros.stand_in.camera_node import main

    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert "/carla/<role_name>/<camera>/image" in printed
    assert all(f"  {parameter.name} (default: " in printed for parameter in Parameters.rows())
