# SPDX-License-Identifier: Apache-2.0
"""The free ground that evaluation_node scores, over DDS. The test sends labels and truth itself.

The camera looks straight down, as in test_free_space.py: each pixel sees one cell.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pytest import approx
from ros_bench import LATCHED, Diagnostics, RosBench
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header, String

from carla_unet_ros.labels import Uint8, carla_13
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.ros.image_messages import to_image_message
from carla_unet_ros.stand_in.camera_node import painted, truth_colours

CAMERA = "/carla/ego_vehicle/rgb_front"
TRUTH = "/carla/ego_vehicle/semantic_segmentation_front"
NODE, LAST, ALL = "/evaluation", "/evaluation: last pairs", "/evaluation: all pairs"
ROAD, CAR = carla_13().ids(["Roads", "Vehicles"])
DOWN: dict[str, object] = {
    "pose_source": "parameters",
    "camera_x": 0.0,
    "camera_pitch": 90.0,
    "camera_fov": 90.0,
    "cell_size": 1.0,
    "ahead": 2.0,
    "behind": 2.0,
    "left": 2.0,
    "right": 2.0,
}
ALL_ROAD, HALF_ROAD = (
    np.tile(np.array(classes, np.uint8), (4, 1)) for classes in (4 * [ROAD], 2 * [ROAD, CAR])
)


class Sender:
    """Stands for the cameras and segmentation_node."""

    def __init__(self, bench: RosBench) -> None:
        publisher = bench.node.create_publisher
        self.bench, self.tick = bench, 0
        self.labels = publisher(Image, f"{CAMERA}/segmentation/labels", 10)
        self.truth = publisher(Image, f"{TRUTH}/image", 10)
        self.info = publisher(CameraInfo, f"{CAMERA}/camera_info", 10)
        self.legend = publisher(String, f"{CAMERA}/segmentation/legend", LATCHED)
        legend = Legend(carla_13(), carla_13(), "tiny", "none")
        self.legend.publish(String(data=legend.to_json()))

    def until(self, condition: Callable[[], Any], labels: Uint8, info: bool = True) -> None:
        """Sends road everywhere as truth and these labels, tick after tick, until it holds."""

        def attempt() -> Any:
            self.tick += 1
            header = Header(frame_id="ego_vehicle/rgb_front")
            header.stamp.sec, header.stamp.nanosec = divmod(self.tick * 50_000_000, 10**9)
            if info:
                self.info.publish(CameraInfo(header=header, width=4, height=4))
            colours = truth_colours(carla_13(), "palette")
            self.truth.publish(to_image_message(painted(ALL_ROAD, colours), "bgra8", header))
            self.labels.publish(to_image_message(labels, "mono8", header))
            self.bench.spin(0.1)
            return condition()

        self.bench.until(attempt)


def test_free_space_is_scored_where_the_geometry_is_known_and_again_after_a_restart(
    bench: RosBench, tmp_path: Path
) -> None:
    sender = Sender(bench)
    process = bench.start("evaluation.evaluation_node", report=tmp_path, **DOWN)
    iou = Diagnostics(bench, "/evaluation/iou")

    def reason() -> str:
        return iou.value(NODE, "free space")

    sender.until(lambda: reason() == "no camera_info of the camera has come", HALF_ROAD, False)
    assert iou.value(ALL, "free space IoU") == ""
    assert iou.value(ALL, "mean IoU") == "0.5000"
    sender.until(lambda: reason() == "scored", HALF_ROAD)
    # The truth has 16 free cells, the labels 8 of them.
    assert iou.value(LAST, "free space IoU") == iou.value(ALL, "free space IoU") == "0.5000"
    assert "free space IoU 0.500 over the last pairs" in iou.message(NODE)
    sender.tick = 0
    # All pairs of the new time are perfect. The older ones would keep the sum below 1.
    sender.until(lambda: iou.value(ALL, "free space IoU") == "1.0000", ALL_ROAD)
    assert "time starts again" in process.printed
    assert float(iou.value(ALL, "mean IoU")) < 1

    assert process.interrupt() == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["free_space_iou"] == approx(1.0)
    assert 0 < report["free_space_frames"] < report["frames"]
    assert report["free_space_problem"] == ""


def test_a_camera_that_sees_no_ground_is_the_reason_for_no_score(bench: RosBench) -> None:
    sender = Sender(bench)
    bench.start("evaluation.evaluation_node", **DOWN | {"camera_pitch": -90.0})
    iou = Diagnostics(bench, "/evaluation/iou")
    reason = "sees no ground inside the grid"
    sender.until(lambda: reason in iou.value(NODE, "free space"), HALF_ROAD)
    assert iou.value(ALL, "mean IoU") == "0.5000"
    assert iou.value(ALL, "free space IoU") == ""
