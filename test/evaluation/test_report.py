# SPDX-License-Identifier: Apache-2.0
"""How the report of an evaluation is written."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy")

from carla_unet_ros.evaluation.free_space import FreeSpaceScores
from carla_unet_ros.evaluation.live_scores import LiveScores
from carla_unet_ros.evaluation.report import LiveFigures, write_report
from carla_unet_ros.evaluation.truth_reader import TruthReader
from carla_unet_ros.evaluation.worst_frames import ScoredFrame, WorstFrames
from carla_unet_ros.labels import carla_13, carla_label_set
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.ros.stamp_matcher import StampMatcher


def test_a_report_does_not_write_through_symbolic_links(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "report", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.write_text("mine")
    for name in ("report.json", "worst.png"):
        (folder / name).symlink_to(elsewhere)
    tags = carla_label_set("0.9.13")
    legend = Legend(carla_13(), carla_13(), "tiny", "none")
    pairs, free_space = StampMatcher("labels", "truth"), FreeSpaceScores(1)
    figures = LiveFigures(tags, pairs, TruthReader(tags), free_space)
    figures.scores = LiveScores(legend, tags, 1)
    worst = WorstFrames()
    classes = np.zeros((6, 8), np.uint8)
    worst.offer(ScoredFrame(1, 0, 0.5, classes, classes))
    write_report(folder, figures, worst)
    assert elsewhere.read_text() == "mine"
    assert json.loads((folder / "report.json").read_text())["frames"] == 0
    assert cv2.imread(str(folder / "worst.png")) is not None
