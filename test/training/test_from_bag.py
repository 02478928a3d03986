# SPDX-License-Identifier: Apache-2.0
"""A recorded drive becomes pairs: what is kept, under which tags, and why the rest is not."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from bag_writing import LABELS, RGB, Calibrated, Recorded, write_bag

from carla_unet_ros.labels import Uint8, carla_13, carla_label_set
from carla_unet_ros.training.data.folders import PairFolder
from carla_unet_ros.training.from_bag import decimate, main

TICK = 50_000_000
NEW = carla_label_set("0.9.16")
OLD = carla_label_set("0.9.13")
HEIGHT, WIDTH = 24, 40


def frame(number: int) -> Uint8:
    return np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)


def tags(number: int, classes: int = 29) -> Uint8:
    """Every class somewhere, another picture for each number."""
    places = np.arange(HEIGHT * WIDTH, dtype=np.int64) + number
    return (places % classes).astype(np.uint8).reshape(HEIGHT, WIDTH)


def palette(ids: Uint8, labels=NEW) -> Uint8:
    alpha = np.full((*ids.shape, 1), 255, np.uint8)
    return np.concatenate((labels.palette_bgr[ids], alpha), axis=2)


def raw_red(ids: Uint8) -> Uint8:
    image = np.zeros((*ids.shape, 4), np.uint8)
    image[..., 2] = ids
    image[..., 3] = 255
    return image


def drive(count: int, labels=NEW) -> list[Recorded]:
    """Frames and palette labels of `count` ticks from 3 s on, in the bridge's order."""
    images = []
    for number in range(count):
        stamp = 3_000_000_000 + number * TICK
        images.append(Recorded(RGB, stamp, frame(number)))
        images.append(Recorded(LABELS, stamp, palette(tags(number, len(labels)), labels)))
    return images


def read(path: Path) -> Uint8:
    """A file as it is, channels and all."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None, path
    return np.asarray(image, np.uint8)


def convert(bag: Path, out: Path, *options: str) -> dict:
    assert main([str(bag), "--out", str(out), *options]) == 0
    return json.loads((out / "report.json").read_text())


@pytest.mark.parametrize("storage", ["SQLITE3", "MCAP"])
def test_a_drive_of_the_bridge_becomes_its_frames_and_raw_tags(tmp_path: Path, storage: str):
    bag = write_bag(tmp_path / "bag", drive(4), storage)
    left = tmp_path / "out" / "rgb" / "0000000003_050000000.png.0123abcd.part"
    left.parent.mkdir(parents=True)
    left.touch()
    report = convert(bag, tmp_path / "out")
    assert not left.exists()
    assert (report["frames"], report["label_images"], report["kept"]) == (4, 4, 4)
    assert report["labels_held"] == "palette colours" and report["left_out"] == {}
    name = "0000000003_050000000"
    written = read(tmp_path / "out" / "rgb" / f"{name}.png")
    assert (written == frame(1)[..., :3]).all()
    label = read(tmp_path / "out" / "label" / f"{name}.png")
    assert label.shape == (HEIGHT, WIDTH) and (label == tags(1)).all()


def test_the_training_reads_what_was_written(tmp_path: Path):
    bag = write_bag(tmp_path / "bag", drive(3, OLD))
    report = convert(bag, tmp_path / "out")
    folder = PairFolder(tmp_path / "out", report["tags"], carla_13())
    assert len(folder) == 3
    pair = folder.read(2)
    assert (pair.frame == frame(2)[..., :3]).all()
    road = OLD.ids(["Roads"])[0]
    assert ((pair.labels == 7) == (tags(2, len(OLD)) == road)).all()


def test_raw_tags_of_carlas_own_interface_are_recognised(tmp_path: Path):
    images = [
        image._replace(image=raw_red(tags(number // 2))) if image.topic == LABELS else image
        for number, image in enumerate(drive(2))
    ]
    report = convert(write_bag(tmp_path / "bag", images), tmp_path / "out")
    assert report["labels_held"] == "raw tags"
    label = read(tmp_path / "out/label/0000000003_050000000.png")
    assert (label == tags(1)).all()


def test_mono8_tags_compressed_frames_and_padded_rows_are_read(tmp_path: Path):
    bag = write_bag(
        tmp_path / "bag",
        [
            Recorded("/front/compressed", TICK, frame(0), suffix=".png"),
            Recorded("/tags", TICK, tags(0), encoding="mono8", padding=8),
        ],
    )
    topics = ("--rgb-topic", "/front/compressed", "--label-topic", "/tags")
    report = convert(bag, tmp_path / "out", *topics)
    assert report["kept"] == 1
    written = read(tmp_path / "out/rgb/0000000000_050000000.png")
    assert (written == frame(0)[..., :3]).all()
    assert (read(tmp_path / "out/label/0000000000_050000000.png") == tags(0)).all()


GREYS: dict[str, Callable[[Uint8], Recorded]] = {
    "8UC1": lambda ids: Recorded(LABELS, TICK, ids, "8UC1"),
    "16UC1": lambda ids: Recorded(LABELS, TICK, ids.astype(np.uint16), "16UC1"),
    "mono8 PNG": lambda ids: Recorded(LABELS, TICK, ids, suffix=".png"),
    "grey bgr8": lambda ids: Recorded(LABELS, TICK, np.dstack([ids] * 3), "bgr8"),
    "grey 8UC3": lambda ids: Recorded(LABELS, TICK, np.dstack([ids] * 3), "8UC3"),
    "tags in red of 8UC3": lambda ids: Recorded(LABELS, TICK, raw_red(ids)[..., :3], "8UC3"),
    "palette in 8UC3": lambda ids: Recorded(LABELS, TICK, palette(ids)[..., :3], "8UC3"),
}


@pytest.mark.parametrize("form", GREYS)
def test_tags_are_read_in_every_form_that_tools_write(tmp_path: Path, form: str):
    bag = write_bag(tmp_path / "bag", [Recorded(RGB, TICK, frame(0)), GREYS[form](tags(0))])
    report = convert(bag, tmp_path / "out", "--tags", "0.9.16")
    assert report["kept"] == 1
    assert report["labels_held"] == ("palette colours" if "palette" in form else "raw tags")
    assert (read(tmp_path / "out/label/0000000000_050000000.png") == tags(0)).all()


def test_the_reason_is_told_where_no_label_image_can_be_read(tmp_path: Path, capsys):
    images = [
        image._replace(encoding="32FC1") if image.topic == LABELS else image for image in drive(3)
    ]
    bag = write_bag(tmp_path / "bag", images)
    assert main([str(bag), "--out", str(tmp_path / "out"), "--tags", "0.9.16"]) == 1
    told = capsys.readouterr().err
    assert f"no label image of {LABELS} can be read: " in told
    assert "32FC1" in told and "black" not in told


def test_drives_in_which_time_starts_again_are_paired_one_by_one(tmp_path: Path):
    again = [
        image._replace(image=frame(90) if image.topic == RGB else palette(tags(5)))
        for image in drive(8)
    ]
    bag = write_bag(tmp_path / "bag", [*drive(8), *again])
    report = convert(bag, tmp_path / "out")
    assert (report["frames"], report["kept"], report["drives"]) == (16, 16, 2)
    assert report["left_out"] == {}
    for name, number in (("", 1), ("drive02_", 5)):
        label = read(tmp_path / f"out/label/{name}0000000003_050000000.png")
        assert (label == tags(number)).all()
    assert (
        read(tmp_path / "out/rgb/drive02_0000000003_050000000.png") == frame(90)[..., :3]
    ).all()


def test_lists_keep_the_order_of_drives(tmp_path: Path):
    bag = write_bag(tmp_path / "bag", [*drive(20), *drive(20)])
    options = ("--val-share", "0.25", "--val-blocks", "1", "--gap", "0.1")
    report = convert(bag, tmp_path / "out", *options)
    # Ten of 40 in the middle: five at the end of the first drive, five at the second's beginning.
    val = (tmp_path / "out/val.txt").read_text().split()
    assert val[0] == "0000000003_750000000" and val[-1] == "drive02_0000000003_200000000"
    assert (report["val"], report["train"]) == (10, 26)


def test_stamps_that_nobody_sets_pair_nothing_and_are_told(tmp_path: Path, capsys):
    images = [image._replace(stamp=0) for image in drive(4)]
    out = tmp_path / "out"
    assert main([str(write_bag(tmp_path / "bag", images)), "--out", str(out)]) == 1
    report = json.loads((out / "report.json").read_text())
    assert report["left_out"] == {"frame whose stamp occurs more than once in a topic": 4}
    assert "its publisher sets no stamps" in capsys.readouterr().out


def test_frames_of_the_report_add_up(tmp_path: Path):
    images = [*drive(6), *drive(6)[2:6], Recorded(RGB, 1, frame(0))]
    del images[1]  # the labels of tick 0
    report = convert(write_bag(tmp_path / "bag", images), tmp_path / "out", "--every", "2")
    assert report["frames"] == report["kept"] + sum(report["left_out"].values())


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


def test_only_equal_stamps_are_pairs_whatever_the_order_in_the_bag(tmp_path: Path):
    images = drive(6)
    del images[2]  # the frame of tick 1
    del images[8]  # the labels of tick 4
    images[0], images[8] = images[8], images[0]  # tick 0's frame comes last
    report = convert(write_bag(tmp_path / "bag", images), tmp_path / "out")
    assert report["pairs"] == report["kept"] == 4
    assert report["left_out"] == {
        "frame without a label image of its stamp": 1,
        "label image without a frame of its stamp": 1,
    }
    assert (read(tmp_path / "out/label/0000000003_000000000.png") == tags(0)).all()


def test_a_stamp_that_occurs_twice_is_left_out(tmp_path: Path):
    images = [*drive(3), Recorded(RGB, 3_000_000_000, frame(9))]
    report = convert(write_bag(tmp_path / "bag", images), tmp_path / "out")
    assert report["kept"] == 2
    assert report["left_out"] == {"frame whose stamp occurs more than once in a topic": 2}


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


def test_decimation_by_count_and_by_time():
    stamps = [number * TICK for number in range(20)]
    assert decimate(stamps, 3, 0.0) == stamps[::3]
    # Half a second is ten ticks of 50 ms.
    assert decimate(stamps, 1, 0.5) == [stamps[0], stamps[10]]
    assert decimate([0, 900_000_000, 1_000_000_000, 1_100_000_000], 1, 1.0) == [0, 1_000_000_000]


def test_lists_are_written_with_a_gap_between_them(tmp_path: Path):
    bag = write_bag(tmp_path / "bag", drive(40))
    options = ("--every", "2", "--val-share", "0.2", "--val-blocks", "1", "--gap", "0.15")
    report = convert(bag, tmp_path / "out", *options)
    # 20 pairs, 0.1 s apart: numbers 8 to 11 for validation, one on each side in neither.
    assert (report["train"], report["val"]) == (14, 4)
    assert report["left_out"] == {"decimation": 20}
    val = (tmp_path / "out" / "val.txt").read_text().split()
    assert val[0] == "0000000003_800000000" and val[-1] == "0000000004_100000000"
    train = (tmp_path / "out" / "train.txt").read_text().split()
    assert "0000000003_700000000" not in train and "0000000003_600000000" in train


def test_jpeg_is_close_and_its_labels_are_exact(tmp_path: Path):
    grey = np.full((HEIGHT, WIDTH, 4), 90, np.uint8)
    images = [Recorded(RGB, 0, grey), Recorded(LABELS, 0, palette(tags(0)))]
    convert(write_bag(tmp_path / "bag", images), tmp_path / "out", "--jpeg", "90")
    written = read(tmp_path / "out/rgb/0000000000_000000000.jpg")
    assert np.abs(written.astype(int) - 90).max() <= 2
    assert (read(tmp_path / "out/label/0000000000_000000000.png") == tags(0)).all()


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
