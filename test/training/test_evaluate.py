# SPDX-License-Identifier: Apache-2.0
"""Evaluation of a model file on a folder, with a model whose labels are known in advance."""

import json
import os
from pathlib import Path

import numpy as np
import painted_pairs
import pytest

from carla_unet_ros.labels import IGNORE, carla_13
from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.training import evaluate
from carla_unet_ros.training.data.folders import PairFolder, write_pair


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Frames in palette colours, which the tiny model labels without a mistake."""
    return painted_pairs.write(tmp_path / "pairs", 4)


def run(folder: Path, model: Path, *more: str) -> int:
    options = ["--data", str(folder), "--tags", "0.8.x", "--model", str(model)]
    return evaluate.main([*options, "--engine", "openvino", *more])


def test_json_has_the_promised_keys(folder: Path, tiny_model_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores" / "out.json"
    assert run(folder, tiny_model_path, "--json", str(out)) == 0
    figures = json.loads(out.read_text())
    assert {"mean_iou", "pixel_accuracy", "iou", "frames", "median_ms", "model", "engine"} <= set(
        figures
    )
    assert figures["frames"] == 4
    assert figures["mean_iou"] == 1
    assert figures["pixel_accuracy"] == 1
    assert figures["model"] == "tiny"
    assert "OpenVINO" in figures["engine"]
    assert figures["median_ms"] > 0
    assert figures["iou"]["Roads"] == 1
    assert list(figures["iou"]) == list(carla_13().names)
    assert None in figures["iou"].values()


def test_wrong_labels_cost_what_they_must(tmp_path: Path, tiny_model_path: Path) -> None:
    """8 pixels, 2 of them called road (7) where the truth says sidewalk (8).

    Road: 4 hits, 2 false: 4/6. Sidewalk: 2 hits, 2 missed: 2/4.
    """
    painted = np.array([[7, 7, 7, 7], [8, 8, 7, 7]], np.uint8)
    truth = np.array([[7, 7, 7, 7], [8, 8, 8, 8]], np.uint8)
    write_pair(tmp_path, "a", carla_13().palette_bgr[painted], truth)
    source = PairFolder(tmp_path, "0.8.x", carla_13())
    result = evaluate.evaluate(Segmenter(tiny_model_path, "openvino"), source, progress=False)
    figures = result.figures()
    assert figures["iou"]["Roads"] == pytest.approx(4 / 6)
    assert figures["iou"]["Sidewalks"] == pytest.approx(2 / 4)
    assert figures["mean_iou"] == pytest.approx((4 / 6 + 2 / 4) / 2)
    assert figures["pixel_accuracy"] == pytest.approx(6 / 8)
    below = evaluate.evaluate(Segmenter(tiny_model_path, "openvino"), source, 1, progress=False)
    assert below.figures()["mean_iou"] == 1


def test_list_limits_the_frames(folder: Path, tiny_model_path: Path, tmp_path: Path) -> None:
    (folder / "val.txt").write_text("001\n003\n")
    out = tmp_path / "out.json"
    assert run(folder, tiny_model_path, "--list", "val.txt", "--json", str(out)) == 0
    assert json.loads(out.read_text())["frames"] == 2


def test_pictures_show_frame_truth_prediction_and_errors(
    folder: Path, tiny_model_path: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    pictures = tmp_path / "pictures"
    assert run(folder, tiny_model_path, "--pictures", str(pictures), "--picture-count", "2") == 0
    assert {path.name for path in pictures.iterdir()} == {
        *("000.png", "003.png", "confusion_matrix.png"),
    }


def test_panel_paints_errors_red_and_unlabelled_grey() -> None:
    frame = np.full((1, 3, 3), 100, np.uint8)
    truth = np.array([[7, 7, IGNORE]], np.uint8)
    prediction = np.array([[7, 8, 8]], np.uint8)
    errors = evaluate.panel(frame, truth, prediction, carla_13())[:, 9:]
    assert errors.tolist() == [[[30, 30, 30], [60, 60, 255], [128, 128, 128]]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--model", "none.onnx"], "none.onnx cannot be read"),
        (["--list", "none.txt"], "none.txt cannot be read"),
        (["--ignore-bottom", "9999"], "no pixel was scored"),
        (["--json", "/dev/null/out.json"], "/dev/null"),
        (["--json", "/tmp"], "/tmp is a folder; expected the name of a file"),
        (["--pictures", "/dev/null/pictures"], "/dev/null is a file; expected a folder"),
    ],
)
def test_errors_are_sentences(
    folder: Path,
    tiny_model_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: list[str],
    message: str,
) -> None:
    assert run(folder, tiny_model_path, *change) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize("option", ["--ignore-bottom", "--picture-count"])
@pytest.mark.usefixtures("wide_terminal")
def test_counts_below_0_are_refused(
    folder: Path, tiny_model_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(folder, tiny_model_path, f"{option}=-5")
    assert f"{option} -5: expected at least 0" in capsys.readouterr().err


def test_unknown_tags_are_refused_before_the_work(folder: Path, tiny_model_path: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(folder, tiny_model_path, "--tags", "0.1")


def test_pictures_of_any_name_are_written(tmp_path: Path, tiny_model_path: Path) -> None:
    """Such as one of an old Windows, which is no UTF-8."""
    pytest.importorskip("matplotlib")
    folder = painted_pairs.write(tmp_path / "pairs", 1)
    name = os.fsdecode(b"stra\xdfe")
    for sub_folder in ("rgb", "label"):
        (folder / sub_folder / "000.png").rename(folder / sub_folder / f"{name}.png")
    assert run(folder, tiny_model_path, "--pictures", str(tmp_path / "pictures")) == 0
    assert (tmp_path / "pictures" / f"{name}.png").is_file()
