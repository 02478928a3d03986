# SPDX-License-Identifier: Apache-2.0
"""A recorded drive becomes pairs: which frames are kept, and under which tags."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bag_drives import (
    HEIGHT,
    OLD,
    TICK,
    WIDTH,
    convert,
    drive,
    frame,
    palette,
    raw_red,
    read,
    tags,
)
from bag_writing import LABELS, RGB, Recorded, write_bag

from carla_unet_ros.labels import Uint8, carla_13
from carla_unet_ros.training.data.folders import PairFolder
from carla_unet_ros.training.from_bag import decimate


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


def test_frames_of_the_report_add_up(tmp_path: Path):
    images = [*drive(6), *drive(6)[2:6], Recorded(RGB, 1, frame(0))]
    del images[1]  # the labels of tick 0
    report = convert(write_bag(tmp_path / "bag", images), tmp_path / "out", "--every", "2")
    assert report["frames"] == report["kept"] + sum(report["left_out"].values())


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
