# SPDX-License-Identifier: Apache-2.0
"""carla_unet_label: frames in, pairs to train on out; what is kept, told and refused."""

import json
import sqlite3
from pathlib import Path

import cv2
import numpy as np
import painted_pairs
import pytest
import tiny_model
from bag_writing import RGB, Recorded, write_bag

from carla_unet_ros.labels import IGNORE, carla_13
from carla_unet_ros.training.data.folders import PairFolder
from carla_unet_ros.training.label import main

FRAMES = 4


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_model.write(tmp_path / "tiny.onnx")


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Pictures painted in palette colours, without their labels."""
    folder = painted_pairs.write(tmp_path / "pairs", FRAMES) / "rgb"
    return folder.rename(tmp_path / "frames")


def run(frames: Path, out: Path, model: Path, *more: str) -> int:
    return main(
        [
            "--frames",
            str(frames),
            "--out",
            str(out),
            "--models",
            str(model),
            "--engine",
            "openvino",
        ]
        + list(more)
    )


def test_what_is_sure_is_labelled_and_can_be_trained_on(frames, model, tmp_path) -> None:
    out = tmp_path / "out"
    assert run(frames, out, model, "--keep", "1", "--least", "0.1") == 0
    pairs = PairFolder(out, "0.8.x", carla_13())
    assert len(pairs) == FRAMES
    for index in range(FRAMES):
        labels = pairs.read(index).labels
        assert (labels == painted_pairs.painted_labels(index)).mean() > 0.98
    assert (out / "train.txt").read_text().split() == ["000", "001", "002", "003"]


def test_what_is_below_its_threshold_is_255(model, tmp_path) -> None:
    """The last 16 of 64 rows have a colour halfway between road and sidewalk: 0.5 for each."""
    folder = tmp_path / "frames"
    folder.mkdir()
    road, sidewalk = (carla_13().palette_bgr[i].astype(int) for i in (7, 8))
    frame = np.tile(road, (64, 96, 1))
    frame[48:] = (road + sidewalk) // 2
    cv2.imwrite(str(folder / "a.png"), frame)
    out = tmp_path / "out"
    assert run(folder, out, model, "--least", "0.8") == 0
    labels = PairFolder(out, "0.8.x", carla_13()).read(0).labels
    assert (labels[48:] == IGNORE).all()
    assert (labels[:48] == 7).all()
    report = json.loads((out / "report.json").read_text())
    assert report["unsure"] == 0.25
    assert report["kept"]["Roads"] == 0.75


def test_classes_that_models_draw_badly_stay_255(frames, model, tmp_path) -> None:
    out = tmp_path / "out"
    every = ("--keep", "1", "--least", "0.1")
    assert run(frames, out, model, *every, "--unsure", "Roads", "Poles") == 0
    painted = painted_pairs.painted_labels(0)
    roads = painted == carla_13().ids(["Roads"])[0]
    labels = PairFolder(out, "0.8.x", carla_13()).read(0).labels
    assert roads.any()
    assert (labels[roads] == IGNORE).mean() > 0.98
    assert (labels[~roads] == painted[~roads]).mean() > 0.98


def test_an_unsure_class_that_is_none_is_refused(frames, model, tmp_path, capsys) -> None:
    assert run(frames, tmp_path / "out", model, "--unsure", "Polls") == 1
    assert "has no class 'Polls'; it has" in capsys.readouterr().err
    assert not list((tmp_path / "out" / "label").glob("*.png"))


def test_the_report_says_by_class_what_was_kept(frames, model, tmp_path, capsys) -> None:
    assert run(frames, tmp_path / "out", model) == 0
    printed = capsys.readouterr().out
    assert "4 frames labelled" in printed
    assert all(name in printed for name in carla_13().names)
    assert "--tags ... 0.8.x --unsplit" in printed
    assert list((tmp_path / "out" / "pictures").iterdir())


def test_a_run_that_was_broken_off_labels_only_what_is_missing(frames, model, tmp_path) -> None:
    out = tmp_path / "out"
    assert run(frames, out, model) == 0
    first = out / "label" / "000.png"
    written = first.stat().st_mtime_ns
    (out / "rgb" / "002.jpg").rename(part := out / "rgb" / "002.jpg.0123abcd.part")
    assert run(frames, out, model) == 0
    assert not part.exists()
    assert first.stat().st_mtime_ns == written
    assert (out / "rgb" / "002.jpg").exists()
    assert json.loads((out / "report.json").read_text())["frames"] == 1


def test_an_unreadable_picture_is_left_out_and_told(frames, model, tmp_path, capsys) -> None:
    (frames / "broken.png").write_bytes(b"no picture")
    assert run(frames, tmp_path / "out", model) == 0
    assert "left out 1" in capsys.readouterr().out
    assert not (tmp_path / "out" / "rgb" / "broken.jpg").exists()


def test_a_bag_is_labelled_by_its_camera_topic(model, tmp_path) -> None:
    painted = [painted_pairs.painted_labels(index) for index in range(3)]
    alpha = np.full((*painted[0].shape, 1), 255, np.uint8)
    bag = write_bag(
        tmp_path / "bag",
        [
            Recorded(RGB, 10**9 + index, np.concatenate((carla_13().palette_bgr[ids], alpha), 2))
            for index, ids in enumerate(painted)
        ],
    )
    out = tmp_path / "out"
    assert run(bag, out, model, "--topic", RGB, "--keep", "1", "--least", "0.1") == 0
    pairs = PairFolder(out, "0.8.x", carla_13())
    assert pairs.names == ["000000", "000001", "000002"]
    assert (pairs.read(1).labels == painted[1]).mean() > 0.98


def test_boxes_cut_things_out(model, tmp_path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    road = carla_13().ids(["Roads"])[0]
    frame = carla_13().palette_bgr[np.full((96, 128), road, np.uint8)].copy()
    frame[30:70, 60:74] = (20, 40, 200)
    cv2.imwrite(str(folder / "a.png"), frame)
    boxes = tmp_path / "boxes.csv"
    boxes.write_text(
        f"name,what,x,y,width,height\na,person,{67 / 128},{50 / 96},{16 / 128},{42 / 96}\n"
    )
    assert run(folder, tmp_path / "out", model, "--boxes", str(boxes)) == 0
    labels = PairFolder(tmp_path / "out", "0.8.x", carla_13()).read(0).labels
    assert (labels[34:66, 63:71] == carla_13().ids(["Pedestrians"])[0]).all()


def test_every_n_th_frame_and_a_list_choose(frames, model, tmp_path) -> None:
    chosen = tmp_path / "names.txt"
    chosen.write_text("001\n002\n003\n")
    assert run(frames, tmp_path / "out", model, "--list", str(chosen), "--every", "2") == 0
    assert (tmp_path / "out" / "train.txt").read_text().split() == ["001", "003"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "nowhere", "is no folder; expected a folder of pictures, or"),
        (lambda folder: _empty(folder), "holds no frames"),
        (lambda folder: _text(folder), "cannot be read as a rosbag2 recording"),
    ],
)
def test_what_holds_no_frames_is_refused(make, said, model, tmp_path, capsys) -> None:
    assert run(make(tmp_path), tmp_path / "out", model) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out" / "rgb").exists()


def test_a_listed_frame_that_is_not_there_is_refused(frames, model, tmp_path, capsys) -> None:
    (tmp_path / "names.txt").write_text("999\n")
    assert run(frames, tmp_path / "out", model, "--list", str(tmp_path / "names.txt")) == 1
    assert "'999'" in capsys.readouterr().err


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def _text(folder: Path) -> Path:
    (folder / "text.mcap").write_text("no bag")
    return folder / "text.mcap"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"Roads": 300}', "[" * 100_000])
def test_thresholds_that_are_damaged_are_refused(text, frames, model, tmp_path, capsys) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thresholds.json").write_text(text)
    assert run(frames, tmp_path / "out", model) == 1
    assert "thresholds.json does not hold a threshold" in capsys.readouterr().err


def test_frames_before_the_damage_of_a_bag_are_labelled(model, tmp_path, capsys) -> None:
    images = [Recorded(RGB, index, np.full((48, 64, 4), index, np.uint8)) for index in range(4)]
    bag = write_bag(tmp_path / "bag", images, compression="MESSAGE")
    with sqlite3.connect(bag / "bag.db3") as database:
        database.execute("UPDATE messages SET data = x'00' WHERE id = 4")
    out = tmp_path / "out"
    assert run(bag, out, model, "--topic", RGB) == 0
    report = json.loads((out / "report.json").read_text())
    assert report["frames"] == 3
    assert f"{bag / 'bag.db3'} is damaged after 3 messages" in report["source_problem"]
    assert "frames are missing" in capsys.readouterr().out


def test_a_damaged_message_of_a_bag_is_left_out(model, tmp_path) -> None:
    images = [Recorded(RGB, index, np.full((48, 64, 4), index, np.uint8)) for index in range(3)]
    bag = write_bag(tmp_path / "bag", images)
    with sqlite3.connect(bag / "bag.db3") as database:
        database.execute("UPDATE messages SET data = x'00' WHERE id = 2")
    out = tmp_path / "out"
    assert run(bag, out, model, "--topic", RGB) == 0
    assert json.loads((out / "report.json").read_text())["frames"] == 2
    assert not (out / "rgb" / "000001.jpg").exists()
