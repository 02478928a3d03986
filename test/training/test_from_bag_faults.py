# SPDX-License-Identifier: Apache-2.0
"""Recordings that are damaged, unclear or cannot be used: what is kept, and what is told."""

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from bag_drives import (
    HEIGHT,
    OLD,
    WIDTH,
    convert,
    drive,
    frame,
    palette,
    read,
)
from bag_writing import LABELS, RGB, Calibrated, Recorded, write_bag

from carla_unet_ros.labels import carla_13
from carla_unet_ros.training.data.folders import PairFolder
from carla_unet_ros.training.from_bag import main


def test_the_reason_is_told_where_no_label_image_can_be_read(tmp_path: Path, capsys):
    images = [
        image._replace(encoding="32FC1") if image.topic == LABELS else image for image in drive(3)
    ]
    bag = write_bag(tmp_path / "bag", images)
    assert main([str(bag), "--out", str(tmp_path / "out"), "--tags", "0.9.16"]) == 1
    told = capsys.readouterr().err
    assert f"no label image of {LABELS} can be read: " in told
    assert "32FC1" in told and "black" not in told


def test_stamps_that_nobody_sets_pair_nothing_and_are_told(tmp_path: Path, capsys):
    images = [image._replace(stamp=0) for image in drive(4)]
    out = tmp_path / "out"
    assert main([str(write_bag(tmp_path / "bag", images)), "--out", str(out)]) == 1
    report = json.loads((out / "report.json").read_text())
    assert report["left_out"] == {"frame whose stamp occurs more than once in a topic": 4}
    assert "its publisher sets no stamps" in capsys.readouterr().out


def test_pairs_before_the_damage_are_kept_and_the_damage_is_told(tmp_path: Path, capsys):
    bag = write_bag(tmp_path / "bag", drive(4), compression="MESSAGE")
    with sqlite3.connect(bag / "bag.db3") as database:
        database.execute("UPDATE messages SET data = x'00' WHERE id = 6")
    out = tmp_path / "out"
    assert main([str(bag), "--out", str(out)]) == 1
    told = capsys.readouterr().err
    assert f"{bag / 'bag.db3'} is damaged after 5 messages" in told
    assert f"{out} holds the 2 pairs before that" in told
    report = json.loads((out / "report.json").read_text())
    assert report["kept"] == 2 and "is damaged after 5 messages" in report["damage"]
    assert len(PairFolder(out, report["tags"], carla_13())) == 2


def test_a_damaged_message_costs_its_pair_alone(tmp_path: Path):
    bag = write_bag(tmp_path / "bag", drive(4))
    with sqlite3.connect(bag / "bag.db3") as database:
        database.execute("UPDATE messages SET data = x'00' WHERE id = 6")
    report = convert(bag, tmp_path / "out")
    assert (report["kept"], report["lost"]) == (3, "")
    assert report["left_out"] == {
        "message that is damaged": 1,
        "frame without a label image of its stamp": 1,
    }


def test_pairs_that_cannot_be_used_are_counted_with_an_example(tmp_path: Path):
    images = drive(5)
    images[0] = images[0]._replace(image=frame(0)[:-4])
    images[3] = images[3]._replace(image=frame(0))  # noise where palette colours should be
    images[4] = images[4]._replace(encoding="no_such_encoding")
    bag = write_bag(tmp_path / "bag", images)
    report = convert(bag, tmp_path / "out", "--tags", "0.9.16")
    assert report["kept"] == 2
    assert report["left_out"] == {
        "frame and labels of different size": 1,
        "pixels of no known class": 1,
        "unreadable image": 1,
    }
    assert "40x20 and 40x24" in report["first"]["frame and labels of different size"]
    assert len(list((tmp_path / "out" / "rgb").iterdir())) == 2
    assert len(list((tmp_path / "out" / "label").iterdir())) == 2


def test_an_unclear_version_is_refused_and_can_be_named(tmp_path: Path, capsys):
    road = np.full((HEIGHT, WIDTH), OLD.ids(["Roads"])[0], np.uint8)
    images = [Recorded(RGB, 0, frame(0)), Recorded(LABELS, 0, palette(road, OLD))]
    bag = write_bag(tmp_path / "bag", images)
    assert main([str(bag), "--out", str(tmp_path / "out")]) == 1
    assert "--tags 0.9.10-0.9.13 or --tags 0.9.14" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert convert(bag, tmp_path / "out", "--tags", "0.9.13")["kept"] == 1
    assert (read(tmp_path / "out/label/0000000000_000000000.png") == 7).all()


def test_bags_that_cannot_be_used_end_in_a_sentence(tmp_path: Path, capsys):
    bag = write_bag(tmp_path / "bag", [Recorded("/other/image", 0, frame(0))])
    out = str(tmp_path / "out")
    assert main([str(bag), "--out", out]) == 1
    assert f"no images on {RGB}; it has /other/image (1)" in capsys.readouterr().err
    assert main([str(tmp_path / "missing"), "--out", out]) == 1
    assert "cannot be read as a rosbag2 recording" in capsys.readouterr().err
    (bag / "metadata.yaml").unlink()
    assert main([str(bag), "--out", out]) == 1
    assert "ros2 bag reindex" in capsys.readouterr().err
    database = next(bag.glob("*.db3"))
    database.write_bytes(database.read_bytes()[:700])
    assert main([str(database), "--out", out]) == 1
    assert "carla_unet_from_bag:" in capsys.readouterr().err


def test_cameras_of_another_field_of_view_are_no_pair(tmp_path: Path, capsys):
    rgb, semantic = (topic.replace("/image", "/camera_info") for topic in (RGB, LABELS))
    same = [Calibrated(rgb, 20.0), Calibrated(semantic, 20.0), *drive(2)]
    assert convert(write_bag(tmp_path / "same", same), tmp_path / "out")["kept"] == 2
    other = [Calibrated(rgb, 20.0), Calibrated(semantic, 35.0), *drive(2)]
    bag = write_bag(tmp_path / "other", other)
    assert main([str(bag), "--out", str(tmp_path / "none")]) == 1
    assert "the cameras differ" in capsys.readouterr().err


def test_a_folder_that_holds_pairs_is_not_mixed_with_others(tmp_path: Path, capsys):
    bag = write_bag(tmp_path / "bag", drive(1))
    convert(bag, tmp_path / "out")
    assert main([str(bag), "--out", str(tmp_path / "out")]) == 1
    assert "is not empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ("--every", "0"),
        ("--jpeg", "0"),
        ("--val-share", "1"),
        ("--gap", "-1"),
        ("--min-seconds", "1e300"),
    ],
)
def test_options_out_of_range_are_refused(tmp_path: Path, options: tuple[str, str]):
    with pytest.raises(SystemExit) as stop:
        main([str(tmp_path), "--out", str(tmp_path / "out"), *options])
    assert stop.value.code == 2
