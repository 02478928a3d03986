# SPDX-License-Identifier: Apache-2.0
"""The evaluation node over DDS, beside a real segmentation node.

The model gives each pixel the class of the nearest palette colour, so what it answers, and with
that every score, is known in advance.
"""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from pytest import approx
from ros_bench import LATCHED, Camera, Diagnostics, Process, RosBench, refusal, scene
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header, String

from carla_unet_ros.evaluation.evaluation_node import EvaluationNode, Parameters
from carla_unet_ros.labels import Uint8, carla_13, carla_label_set
from carla_unet_ros.labels.legend import Legend

CAMERA = "/carla/ego_vehicle/rgb_front"
TRUTH = "/carla/ego_vehicle/semantic_segmentation_front"
NODE, LAST, ALL = "/evaluation", "/evaluation: last pairs", "/evaluation: all pairs"
BRIDGE = carla_label_set("0.9.13")
ROADS, VEHICLES, VEGETATION = carla_13().ids(["Roads", "Vehicles", "Vegetation"])


def painted(ids: Uint8, palette_bgr: Uint8) -> Uint8:
    """A BGRA image of these classes."""
    return np.dstack([palette_bgr[ids], np.full(ids.shape, 255, np.uint8)])


class Drive:
    """Both cameras, and both nodes ready for them."""

    def __init__(self, bench: RosBench, model: Path, **parameters: object) -> None:
        bench.start("segmentation.segmentation_node", model=model, engine="openvino")
        self.process: Process = bench.start("evaluation.evaluation_node", **parameters)
        self.bench = bench
        self.iou = Diagnostics(bench, "/evaluation/iou")
        self.camera = Camera(bench, f"{CAMERA}/image")
        self.truth = Camera(bench, f"{TRUTH}/image")
        readers = 2 if parameters.get("report") else 1
        bench.until(lambda: self.camera.images.get_subscription_count() == readers)
        bench.until(lambda: self.truth.listened_to and "scoring tiny" in self.process.printed)

    def pair(self, seen: Uint8, truth: Uint8 | None) -> Header:
        """One tick: the camera sees these classes, the semantic camera sends this image."""
        header = self.camera.send(painted(seen, carla_13().palette_bgr))
        if truth is not None:
            self.truth.send(truth, header=header)
        return header

    def pairs(self, count: int) -> None:
        self.bench.until(lambda: self.iou.value(NODE, "pairs") == str(count))


def half(first: int, second: int) -> Uint8:
    """Classes uint8 [4, 4]: left half, right half."""
    return np.repeat(np.array([[first, first, second, second]], np.uint8), 4, axis=0)


def test_scores_are_those_worked_out_by_hand(
    bench: RosBench, tiny_model_path: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "report"
    drive = Drive(bench, tiny_model_path, window=1, report=folder)
    seen = half(ROADS, VEHICLES)
    # Half the road is vehicles in the labels: roads 8 / 16 pixels.
    drive.pair(seen, painted(half(ROADS, ROADS), BRIDGE.palette_bgr))
    drive.pairs(1)
    assert drive.iou.value(LAST, "Roads") == "0.5000"
    assert drive.iou.value(LAST, "Vehicles") == "0.0000"  # seen, and not there
    assert drive.iou.value(LAST, "mean IoU") == "0.5000"  # over the classes of the truth
    drive.pair(seen, painted(seen, BRIDGE.palette_bgr))
    drive.pairs(2)
    assert drive.iou.value(LAST, "mean IoU") == "1.0000"
    # Roads 16 hits of 24, vehicles 8 of 16.
    assert float(drive.iou.value(ALL, "Roads")) == approx(16 / 24, abs=1e-4)
    assert float(drive.iou.value(ALL, "Vehicles")) == approx(8 / 16, abs=1e-4)
    assert drive.iou.value(ALL, "Walls") == ""
    assert drive.iou.message(NODE).startswith("mean IoU 1.000 over the last 1 pairs, 0.583 over")

    assert drive.process.interrupt() == 0
    report = json.loads((folder / "report.json").read_text())
    assert report["mean_iou"] == approx((16 / 24 + 8 / 16) / 2)
    assert report["pixel_accuracy"] == approx(24 / 32)
    assert report["iou"]["Walls"] is None
    assert (report["frames"], report["truth"], report["model"]) == (2, "palette", "tiny")
    assert report["worst"][0]["mean_iou"] == approx(0.5)
    picture = cv2.imread(str(folder / "worst.png"))
    assert picture is not None
    left, right = picture[240, 100].tolist(), picture[240, 400].tolist()
    assert [left, right] == carla_13().palette_bgr[[ROADS, VEHICLES]].tolist()


def test_a_report_that_cannot_be_written_is_no_success(bench: RosBench, tmp_path: Path) -> None:
    process = bench.start("evaluation.evaluation_node", report=tmp_path / "report")
    iou = Diagnostics(bench, "/evaluation/iou")
    bench.until(lambda: iou(NODE))
    (tmp_path / "report").rmdir()
    (tmp_path / "report").touch()
    assert process.interrupt() == 1
    assert process.printed.splitlines()[-1].startswith("evaluation_node.py: ")
    assert "report" in process.printed and "Traceback" not in process.printed
    bench.processes.clear()


def test_only_equal_stamps_are_compared(bench: RosBench, tiny_model_path: Path) -> None:
    drive = Drive(bench, tiny_model_path)
    seen = half(ROADS, VEHICLES)
    truth = painted(seen, BRIDGE.palette_bgr)
    lonely = drive.camera.header()
    lonely.stamp.nanosec += 1
    drive.truth.send(truth, header=lonely)
    drive.pair(seen, truth)
    drive.pairs(1)
    assert drive.iou.value(NODE, "unpaired truth") == "1"
    assert drive.iou.value(NODE, "unpaired labels") == "0"
    assert drive.iou.value(ALL, "mean IoU") == "1.0000"


def test_raw_tags_of_carlas_own_interface_are_read(bench: RosBench, tiny_model_path: Path) -> None:
    drive = Drive(bench, tiny_model_path, tags="0.9.16")
    native = carla_label_set("0.9.16")
    roads, truck, unknown = *native.ids(["Roads", "Truck"]), 99
    raw = np.zeros((4, 4, 4), np.uint8)
    raw[..., 2] = half(roads, truck)
    raw[0, 0, 2] = unknown
    drive.pair(half(ROADS, VEHICLES), raw)
    drive.pairs(1)
    assert drive.iou.value(NODE, "truth") == "raw"
    assert drive.iou.value(ALL, "mean IoU") == "1.0000"  # a truck is a vehicle
    assert "6% of the truth has no tag of CARLA 0.9.14-0.9.16 (tag 99)" in drive.iou.message(NODE)


def test_raw_tags_under_an_old_version_are_doubted(bench: RosBench, tiny_model_path: Path) -> None:
    drive = Drive(bench, tiny_model_path)
    raw = np.zeros((4, 4, 4), np.uint8)
    raw[..., 2] = 1
    drive.pair(half(ROADS, ROADS), raw)
    drive.pairs(1)
    assert "set tags, or truth to raw where this is meant" in drive.iou.message(NODE)


def test_raw_tags_in_mono8_are_read(bench: RosBench, tiny_model_path: Path) -> None:
    drive = Drive(bench, tiny_model_path, tags="0.9.16")
    roads, truck = carla_label_set("0.9.16").ids(["Roads", "Truck"])
    header = drive.pair(half(ROADS, VEHICLES), None)
    drive.truth.send(half(roads, truck), "mono8", header)
    drive.pairs(1)
    assert drive.iou.value(NODE, "truth") == "raw"
    assert drive.iou.value(ALL, "mean IoU") == "1.0000"


def test_truth_that_is_black_is_not_scored_and_told_for_as_long_as_it_lasts(
    bench: RosBench, tiny_model_path: Path
) -> None:
    drive = Drive(bench, tiny_model_path)
    seen = half(ROADS, VEHICLES)
    black = np.zeros((4, 4, 4), np.uint8)
    black[..., 3] = 255
    drive.pair(seen, black)
    bench.until(lambda: drive.iou.value(NODE, "unusable pairs") == "1")
    reports = len(drive.iou.arrays)
    bench.until(lambda: len(drive.iou.arrays) >= reports + 3)
    assert "the truth is black all over" in drive.iou.message(NODE)
    assert drive.iou.value(NODE, "pairs") == "0"
    assert drive.iou.value(ALL, "mean IoU") == ""
    drive.pair(seen, painted(seen, BRIDGE.palette_bgr))
    drive.pairs(1)
    bench.until(lambda: "black" not in drive.iou.message(NODE))
    assert drive.iou.value(ALL, "mean IoU") == "1.0000"


def test_an_unreadable_legend_is_told_until_a_readable_one_comes(bench: RosBench) -> None:
    legends = bench.node.create_publisher(String, f"{CAMERA}/segmentation/legend", LATCHED)
    legends.publish(String(data="{}"))
    process = bench.start("evaluation.evaluation_node")
    iou = Diagnostics(bench, "/evaluation/iou")
    bench.until(lambda: iou.find(NODE, "labels cannot be scored"))
    reports = len(iou.arrays)
    bench.until(lambda: len(iou.arrays) >= reports + 3)
    assert "labels cannot be scored" in iou.message(NODE)
    legend = Legend(carla_13(), carla_13(), "tiny", "none")
    legends.publish(String(data=legend.to_json()))
    bench.until(lambda: "scoring tiny" in process.printed)
    bench.until(lambda: "cannot be scored" not in iou.message(NODE))


def test_nothing_is_scored_after_a_legend_that_cannot_be_read(
    bench: RosBench, tiny_model_path: Path
) -> None:
    drive = Drive(bench, tiny_model_path)
    seen = half(ROADS, VEHICLES)
    truth = painted(seen, BRIDGE.palette_bgr)
    drive.pair(seen, truth)
    drive.pairs(1)
    legends = bench.node.create_publisher(String, f"{CAMERA}/segmentation/legend", LATCHED)
    legends.publish(String(data="{"))
    bench.until(lambda: drive.iou.find(NODE, "labels cannot be scored"))
    labels = bench.collect(Image, f"{CAMERA}/segmentation/labels")
    header = drive.pair(seen, truth)
    bench.until(lambda: any(found.header == header for found in labels))
    reports = len(drive.iou.arrays)
    bench.until(lambda: len(drive.iou.arrays) >= reports + 2)
    assert drive.iou.value(NODE, "pairs") == "1"


def test_a_topic_of_another_type_is_told(bench: RosBench) -> None:
    bench.node.create_publisher(CompressedImage, f"{TRUTH}/image", 10)
    bench.start("evaluation.evaluation_node")
    iou = Diagnostics(bench, "/evaluation/iou")
    sentence = (
        f"{TRUTH}/image carries sensor_msgs/msg/CompressedImage, expected sensor_msgs/msg/Im"
    )
    bench.until(lambda: iou.find(NODE, sentence))


def test_a_semantic_camera_of_another_size_is_told(bench: RosBench, tiny_model_path: Path) -> None:
    drive = Drive(bench, tiny_model_path)
    header = drive.camera.send(scene()[0])
    drive.truth.send(painted(np.full((70, 400), 7, np.uint8), BRIDGE.palette_bgr), header=header)
    bench.until(lambda: drive.iou.value(NODE, "unusable pairs") == "1")
    assert "truth is (70, 400), prediction is (48, 64)" in drive.process.printed
    assert drive.iou.value(NODE, "pairs") == "0"


def test_cameras_of_another_field_of_view_are_told(bench: RosBench, tiny_model_path: Path) -> None:
    drive = Drive(bench, tiny_model_path)
    bench.until(lambda: drive.camera.infos.get_subscription_count() >= 2)
    bench.until(lambda: drive.truth.infos.get_subscription_count() == 1)
    for camera, focal in ((drive.camera, 32.0), (drive.truth, 55.4)):
        camera.infos.publish(CameraInfo(k=[focal, 0.0, 32.0, 0.0, focal, 24.0, 0.0, 0.0, 1.0]))
    sentence = "camera and semantic camera see differently (fx 32.0 and 55.4 pixels)"
    bench.until(lambda: drive.iou.find(NODE, sentence))


@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        (False, "no legend beside /carla/ego_vehicle/rgb_front/segmentation/labels"),
        (True, "no labels on /carla/ego_vehicle/rgb_front/segmentation/labels"),
    ],
)
def test_silence_is_explained(
    bench: RosBench, tiny_model_path: Path, nodes: bool, sentence: str
) -> None:
    if nodes:
        bench.start("segmentation.segmentation_node", model=tiny_model_path, engine="openvino")
    bench.start("evaluation.evaluation_node")
    iou = Diagnostics(bench, "/evaluation/iou")
    bench.until(lambda: sentence in iou.message(NODE))
    status = iou(NODE)
    assert status is not None
    assert status.level == DiagnosticStatus.WARN


@pytest.mark.usefixtures("ros_domain")
@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("tags", "7.1", "no tag table for CARLA '7.1'"),
        ("truth", "colours", "expected one of auto, palette, raw"),
        ("window", 0, "window"),
        ("labels_topic", "a b", "'a b' is no topic name"),
        ("truth_topic", "", "'' is no topic name"),
        ("report", "~nobody_here/report", "~nobody_here/report cannot be found"),
        ("report", "/dev/null", "/dev/null is a file; expected a folder"),
        ("report", "/proc/nowhere", "report folder /proc/nowhere cannot be made"),
    ],
)
def test_a_wrong_parameter_is_refused_with_a_sentence(
    name: str, value: object, sentence: str
) -> None:
    assert sentence in refusal(EvaluationNode, **{name: value})


def test_every_parameter_is_described() -> None:
    assert all(parameter.description for parameter in Parameters.rows())
