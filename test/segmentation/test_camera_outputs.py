# SPDX-License-Identifier: Apache-2.0
"""What is made and published of a frame: what somebody subscribes to, labels first."""

import copy
from typing import Any, cast

import numpy as np
import pytest
from rclpy.logging import RcutilsLogger
from rclpy.node import Node
from recording_node import RecordingNode
from ros_bench import RosBench
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from carla_unet_ros.labels import Uint8, carla_13
from carla_unet_ros.labels.legend import Legend, labels_to_publish
from carla_unet_ros.pictures import declared_size, decode_unchanged
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.segmentation import camera_outputs, image_output
from carla_unet_ros.segmentation.camera_outputs import CameraOutputs
from carla_unet_ros.segmenter import Segmentation

TOPICS = CameraTopics("/front/image")
LEGEND = Legend(carla_13(), carla_13(), "tiny", "OpenVINO")
FRAME = np.zeros((3, 4, 4), np.uint8)
FOUND = Segmentation(np.full((3, 4), 7, np.uint8), np.full((3, 4), 255, np.uint8))
HEADER = Header(frame_id="of the frame")


def calibration(width: int = 4, height: int = 3) -> CameraInfo:
    return CameraInfo(header=Header(frame_id="of the message"), width=width, height=height)


class Recorded:
    """A camera's outputs on a node that records them, and what they say to the log."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *subscribed: str, legend: Legend = LEGEND
    ) -> None:
        self.node = RecordingNode()
        self.warnings: list[str] = []
        self.outputs = CameraOutputs(
            cast(Node, self.node), TOPICS, legend, cast(RcutilsLogger, self), lambda: 0.5, print
        )
        for name in subscribed:
            self.node.publishers[TOPICS.output(name)].subscribers = 1
        for module, make in (
            (image_output, "to_image_message"),
            (image_output, "to_compressed_message"),
            (camera_outputs, "draw_overlay"),
        ):
            monkeypatch.setattr(module, make, self._recorder(getattr(module, make), make))

    def warning(self, text: str, **_: Any) -> None:
        self.warnings.append(text)

    def publish(self, info: CameraInfo | None) -> list[str]:
        """What was made and published of one frame, in this order."""
        found = Segmentation(FOUND.labels.copy(), FOUND.confidence.copy())
        self.outputs.publish(HEADER, FRAME, found, info)
        return [event.replace("/front/segmentation/", "") for event in self.node.events]

    def sent(self, name: str) -> Any:
        (message,) = self.node.publishers[TOPICS.output(name)].messages
        return message

    def _recorder(self, real: Any, make: str) -> Any:
        def recorded(*arguments: Any) -> Uint8 | Image:
            self.node.events.append(make)
            return real(*arguments)

        return recorded


def test_labels_go_out_before_anything_else_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = Recorded(monkeypatch, "labels", "confidence", "overlay", "camera_info")
    assert recorded.publish(calibration()) == [
        "to_image_message",
        "published labels",
        "to_image_message",
        "published confidence",
        "published camera_info",
        "draw_overlay",
        "to_image_message",
        "published overlay",
    ]


@pytest.mark.parametrize(
    ("subscribed", "events"),
    [
        ("labels", ["to_image_message", "published labels"]),
        ("confidence", ["to_image_message", "published confidence"]),
        ("overlay", ["draw_overlay", "to_image_message", "published overlay"]),
        ("camera_info", ["published camera_info"]),
        ("labels/compressed", ["to_compressed_message", "published labels/compressed"]),
        (
            "overlay/compressed",
            ["draw_overlay", "to_compressed_message", "published overlay/compressed"],
        ),
    ],
)
def test_nothing_is_made_that_nobody_subscribes_to(
    monkeypatch: pytest.MonkeyPatch, subscribed: str, events: list[str]
) -> None:
    assert Recorded(monkeypatch).publish(calibration()) == []
    assert Recorded(monkeypatch, subscribed).publish(calibration()) == events


def test_compressed_images_come_last_and_are_made_of_the_same_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = ["labels", "labels/compressed", "overlay", "overlay/compressed"]
    recorded = Recorded(monkeypatch, *both)
    assert recorded.publish(None) == [
        "to_image_message",
        "published labels",
        "draw_overlay",
        "to_image_message",
        "published overlay",
        "to_compressed_message",
        "published labels/compressed",
        "to_compressed_message",
        "published overlay/compressed",
    ]
    labels = recorded.sent("labels/compressed")
    assert (labels.format, labels.header) == ("mono8; png compressed mono8", HEADER)
    assert (decode_unchanged(bytes(labels.data), "labels") == FOUND.labels).all()
    overlay = recorded.sent("overlay/compressed")
    assert overlay.format == "bgr8; jpeg compressed bgr8"
    assert declared_size(bytes(overlay.data)) == (4, 3)


def test_uncertain_pixels_are_published_as_the_unknown_class_and_drawn_white(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    legend = Legend(labels_to_publish(carla_13(), "0.9.15"), carla_13(), "tiny", "it", 0.6)
    recorded = Recorded(monkeypatch, "labels", "overlay", "confidence", legend=legend)
    FOUND.confidence[0, :2] = 152, 153  # 255 x 0.6 = 153
    try:
        recorded.publish(None)
    finally:
        FOUND.confidence[0, :2] = 255
    roads = 1  # in CARLA 0.9.15
    assert list(recorded.sent("labels").data[:3]) == [255, roads, roads]
    assert list(recorded.sent("confidence").data[:3]) == [152, 153, 255]
    assert list(recorded.sent("overlay").data[:3]) == [128, 128, 128]  # half white on black


def test_camera_info_is_relayed_under_the_frames_header_and_stays_as_it_was_received(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorded = Recorded(monkeypatch, "camera_info")
    received = calibration()
    before = copy.deepcopy(received)
    recorded.publish(received)
    relayed = recorded.sent("camera_info")
    assert relayed == CameraInfo(header=HEADER, width=4, height=3)
    assert received == before
    assert relayed is not received


def test_camera_info_of_another_size_is_told_only_where_somebody_wants_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = Recorded(monkeypatch, "labels", "camera_info")
    assert wanted.publish(calibration(40, 30)) == ["to_image_message", "published labels"]
    assert wanted.warnings == ["camera_info is for 40x30, frames are 4x3: not relayed"]
    unwanted = Recorded(monkeypatch, "labels")
    unwanted.publish(calibration(40, 30))
    assert unwanted.warnings == []


def test_a_camera_without_camera_info_has_masks_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorded = Recorded(monkeypatch, "labels", "camera_info")
    assert recorded.publish(None) == ["to_image_message", "published labels"]
    assert recorded.sent("labels").header == HEADER
    assert bytes(recorded.sent("labels").data) == bytes([7] * 12)


def test_nothing_is_wanted_until_somebody_subscribes_to_an_image(bench: RosBench) -> None:
    asked: list[bool] = []
    outputs = CameraOutputs(
        bench.node,
        TOPICS,
        LEGEND,
        bench.node.get_logger(),
        lambda: 0.5,
        lambda: asked.append(outputs.wanted),
    )
    assert not outputs.wanted
    bench.collect(CameraInfo, TOPICS.output("camera_info"))
    bench.collect(Image, TOPICS.output("overlay"))
    bench.until(lambda: asked)
    assert asked == [True]
    outputs.close()
