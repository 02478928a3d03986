# SPDX-License-Identifier: Apache-2.0
"""The Segmenter on OpenVINO: labels known in advance, any size, and errors that are sentences."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_model import painted

from carla_unet_ros.engines import open_engine
from carla_unet_ros.model_file import SHIPPED_INT8_MODEL, read_model
from carla_unet_ros.segmenter import (
    Segmentation,
    Segmenter,
    hide_uncertain,
    least_confidence,
    shipped_model,
)
from carla_unet_ros.stand_in.drive import Drive


@pytest.fixture
def segmenter(tiny_model_path: Path) -> Segmenter:
    return Segmenter(tiny_model_path, "openvino")


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (70, 400), (600, 800)])
def test_every_size_gets_its_labels(segmenter: Segmenter, height: int, width: int) -> None:
    labels = np.random.default_rng(0).integers(0, 13, (height, width), np.uint8)
    result = segmenter.segment(painted(labels))
    np.testing.assert_array_equal(result.labels, labels)
    assert result.confidence.shape == (height, width)
    assert result.confidence.min() > 128


def test_sizes_may_alternate(segmenter: Segmenter) -> None:
    for height, width in [(4, 6), (6, 4)] * 3:
        labels = np.full((height, width), 7, np.uint8)
        np.testing.assert_array_equal(segmenter.segment(painted(labels)).labels, labels)


def test_results_belong_to_the_caller(segmenter: Segmenter) -> None:
    first = segmenter.segment(painted(np.full((4, 4), 7, np.uint8)))
    segmenter.segment(painted(np.full((4, 4), 9, np.uint8)))
    assert (first.labels == 7).all()


def test_views_with_gaps_are_read_right(segmenter: Segmenter) -> None:
    labels = np.random.default_rng(1).integers(0, 13, (8, 20), np.uint8)
    np.testing.assert_array_equal(
        segmenter.segment(painted(labels)[:, ::2]).labels, labels[:, ::2]
    )


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.float32),
        np.zeros((0, 4, 4), np.uint8),
    ],
)
def test_what_is_no_camera_frame_is_refused(segmenter: Segmenter, frame: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        segmenter.segment(frame)


def test_timings_are_of_the_frames_seen(segmenter: Segmenter) -> None:
    assert np.isnan(segmenter.engine_milliseconds()[0])
    for _ in range(3):
        segmenter.segment(painted(np.zeros((4, 4), np.uint8)))
    median, p95 = segmenter.engine_milliseconds()
    assert 0 < median <= p95


def test_engine_says_what_it_is_and_why(tiny_model_path: Path) -> None:
    said: list[str] = []
    engine = open_engine(read_model(tiny_model_path), "openvino", log=said.append)
    assert engine.name.startswith("OpenVINO 20")
    assert engine.reason in said[-1]


def test_closing_twice_does_no_harm(segmenter: Segmenter) -> None:
    segmenter.close()
    segmenter.close()


TWO_ENGINES = """
import gc, os, signal, sys
from carla_unet_ros.segmenter import Segmenter

engines = [Segmenter(sys.argv[1], "openvino") for _ in range(2)]
while engines:
    engines.pop(0).close()
    gc.collect()
signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGUSR1)
"""


def test_a_signal_after_two_engines_ended_is_handled(tiny_model_path: Path) -> None:
    """The first one to be made ends first."""
    command = [sys.executable, "-c", TWO_ENGINES, str(tiny_model_path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "handled\n")


def test_openvinos_form_of_the_shipped_model_is_int8() -> None:
    assert shipped_model("openvino") == SHIPPED_INT8_MODEL


def test_without_a_model_the_shipped_one_drives() -> None:
    segmenter = Segmenter(engine="openvino")
    assert segmenter.model.path == SHIPPED_INT8_MODEL
    assert segmenter.engine.name.endswith("int8")
    scene = Drive(seed=1).frame(0)
    assert (segmenter.segment(scene.frame).labels == scene.labels).mean() > 0.8
    segmenter.close()


@pytest.mark.parametrize(("share", "least"), [(0.0, 0), (0.001, 1), (0.6, 153), (1.0, 255)])
def test_a_probability_is_reached_at_a_value_of_the_confidence_image(
    share: float, least: int
) -> None:
    assert least_confidence(share) == least


def test_labels_below_the_least_confidence_are_unknown() -> None:
    found = Segmentation(np.full((1, 4), 7, np.uint8), np.array([[0, 9, 10, 255]], np.uint8))
    hide_uncertain(found, 10)
    assert found.labels.tolist() == [[255, 255, 7, 7]]
    hide_uncertain(found, 255)
    assert found.labels.tolist() == [[255, 255, 255, 7]]
