# SPDX-License-Identifier: Apache-2.0
"""camera_node -> bag -> carla_unet_from_bag -> carla_unet_evaluate scores as the live evaluation.

What is recorded is what came over DDS, byte by byte, as `ros2 bag record` does it.
"""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from bag_writing import LABELS, RGB, TYPES
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.serialization import deserialize_message
from ros_bench import RosBench
from rosbags.rosbag2 import Writer
from sensor_msgs.msg import Image

from carla_unet_ros.labels import carla_13, carla_label_set, mapping
from carla_unet_ros.training import evaluate, from_bag
from carla_unet_ros.training.data.folders import write_pair

pytestmark = pytest.mark.once

WINDOW = 20
# More than the window holds: which of them it holds makes a difference.
_PICTURES = 50


class Recorder:
    """Image topics kept as serialized messages, and written as a bag."""

    def __init__(self, bench: RosBench, *topics: str) -> None:
        self._messages: list[tuple[str, bytes]] = []
        self._topics = topics
        for topic in topics:
            bench.node.create_subscription(Image, topic, self._keeper(topic), 100, raw=True)

    @property
    def pairs(self) -> int:
        """How many messages came on the topic that has fewest."""
        counts = Counter(topic for topic, _ in self._messages)
        return min(counts[topic] for topic in self._topics)

    def stamps(self, topic: str) -> set[int]:
        images: list[Image] = [
            deserialize_message(raw, Image) for name, raw in self._messages if name == topic
        ]
        return {_nanoseconds(image) for image in images}

    def write(self, path: Path) -> Path:
        kind = "sensor_msgs/msg/Image"
        with Writer(path, version=9) as writer:
            connections = {
                topic: writer.add_connection(topic, kind, typestore=TYPES)
                for topic in dict(self._messages)
            }
            for place, (topic, raw) in enumerate(self._messages):
                writer.write(connections[topic], 10**18 + place, raw)
        return path

    def _keeper(self, topic: str):
        return lambda raw: self._messages.append((topic, bytes(raw)))


@pytest.mark.parametrize(("truth", "tags"), [("palette", "0.9.13"), ("raw", "0.9.16")])
def test_a_recorded_drive_scores_as_it_did_live(
    bench: RosBench, tiny_model_path: Path, tmp_path: Path, truth: str, tags: str
):
    bench.start("segmentation.segmentation_node", model=tiny_model_path, engine="openvino")
    evaluation = bench.start("evaluation.evaluation_node", tags=tags, window=WINDOW)
    recorder = Recorder(bench, RGB, LABELS)
    labels = bench.collect(Image, "/carla/ego_vehicle/rgb_front/segmentation/labels", 100)
    figures = bench.collect(DiagnosticArray, "/evaluation/iou")
    bench.until(lambda: "scoring tiny" in evaluation.printed)
    camera = bench.start(
        "stand_in.camera_node",
        source=_painted_drive(tmp_path / "drive", tags),
        truth=truth,
        tags=tags,
        rate=5.0,  # slow enough for every queue on a busy machine
    )
    # Each reader meets the camera in its own time; the window is of the last pairs.
    bench.until(lambda: min(len(labels), recorder.pairs) >= WINDOW + 10)
    camera.interrupt()
    live = bench.until(lambda: _settled(figures))

    common = recorder.stamps(RGB) & recorder.stamps(LABELS)
    scored = sorted(common.intersection(map(_nanoseconds, labels)))[-WINDOW:]
    out = tmp_path / "pairs"
    bag = recorder.write(tmp_path / "bag")
    assert from_bag.main([str(bag), "--out", str(out), "--tags", tags]) == 0
    names = tmp_path / "scored.txt"
    names.write_text("".join(f"{s // 10**9:010d}_{s % 10**9:09d}\n" for s in scored))
    options = ["--data", str(out), "--tags", tags, "--list", str(names)]
    options += ["--model", str(tiny_model_path), "--engine", "openvino"]
    assert evaluate.main([*options, "--json", str(tmp_path / "figures.json")]) == 0
    figures_of_bag = json.loads((tmp_path / "figures.json").read_text())
    assert figures_of_bag["frames"] == WINDOW
    assert 0.3 < live < 0.8
    assert figures_of_bag["mean_iou"] == pytest.approx(live, abs=0.001)


def _painted_drive(folder: Path, tags: str) -> Path:
    """Pairs whose frames are painted in the classes' colours, ever more of them in wrong ones.

    So each picture has a score of its own, and a frame paired with another's labels would show.
    """
    random = np.random.default_rng(0)
    tag_of_class = mapping(carla_13(), carla_label_set(tags))
    for number in range(_PICTURES):
        ids = random.integers(0, len(carla_13()), (48, 64), np.uint8)
        seen = np.where(random.random(ids.shape) < 0.5 * number / _PICTURES, (ids + 1) % 13, ids)
        write_pair(folder, f"{number:03d}", carla_13().palette_bgr[seen], tag_of_class[ids])
    return folder


def _settled(figures: list[DiagnosticArray]) -> float | None:
    """The last pairs' mean IoU, once two messages in a row tell of as many pairs."""
    told = [[_values(status) for status in array.status] for array in figures[-2:]]
    if len(told) < 2 or any(len(statuses) < 3 for statuses in told):
        return None
    (node_before, *_), (node, last_pairs, _) = told
    if node_before["pairs"] != node["pairs"] or int(node["pairs"]) < WINDOW:
        return None
    return float(last_pairs["mean IoU"])


def _values(status: DiagnosticStatus) -> dict[str, str]:
    return {value.key: value.value for value in status.values}


def _nanoseconds(message: Image) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
