# SPDX-License-Identifier: Apache-2.0
"""Recordings that are damaged, cut short or edited: the whole of them, or a sentence."""

import os
import sqlite3
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from bag_writing import LABELS, RGB, Recorded, write_bag

from carla_unet_ros.errors import InputError
from carla_unet_ros.ros.image_messages import BadFrame
from carla_unet_ros.training.bags.damage import BagError
from carla_unet_ros.training.bags.reading import Bag
from carla_unet_ros.training.recover_bag import recover

pytestmark = pytest.mark.once

COUNT = 40
KINDS = [
    ("SQLITE3", ""),
    ("SQLITE3", "FILE"),
    ("SQLITE3", "MESSAGE"),
    ("MCAP", ""),
    ("MCAP", "FILE"),
    ("MCAP", "MESSAGE"),
    ("MCAP", "STORAGE"),
]


def noise(number: int) -> np.ndarray:
    """An image that takes its whole 40 KB in a compressed bag, too."""
    return np.random.default_rng(number).integers(0, 256, (100, 100, 4), dtype=np.uint8)


def record(path: Path, storage: str = "SQLITE3", compression: str = "") -> Path:
    images = [
        Recorded(topic, number, noise(number))
        for number in range(COUNT)
        for topic in (RGB, LABELS)
    ]
    return write_bag(path, images, storage, compression)


def data_file(bag: Path) -> Path:
    (file,) = (file for file in bag.iterdir() if file.name != "metadata.yaml")
    return file


def read(path: Path) -> Counter[str]:
    """How many images of each topic came whole."""
    with Bag(path) as bag:
        came = Counter({RGB: 0, LABELS: 0})
        for message in bag.messages([RGB, LABELS]):
            bag.decode(message)
            came[message.topic] += 1
        assert bag.why_lost(came) == ""
        return came


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def whole(request, tmp_path_factory) -> Path:
    """A whole recording of one kind; do not change it."""
    return record(tmp_path_factory.mktemp("bags") / "bag", *request.param)


def changed(whole: Path, tmp_path: Path, content: bytes) -> Path:
    """A copy of a bag whose data file has this content."""
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "metadata.yaml").write_bytes((whole / "metadata.yaml").read_bytes())
    (copy / data_file(whole).name).write_bytes(content)
    return copy


def test_a_whole_bag_gives_what_it_promises(whole: Path):
    assert read(whole) == {RGB: COUNT, LABELS: COUNT}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_bag_that_was_cut_short_is_a_sentence(whole: Path, tmp_path: Path, share: float):
    content = data_file(whole).read_bytes()
    bag = changed(whole, tmp_path, content[: int(share * len(content))])
    with pytest.raises(BagError, match=data_file(whole).name):
        read(bag)


def test_flipped_bytes_end_in_a_sentence_or_in_damaged_messages(whole: Path, tmp_path: Path):
    content = bytearray(data_file(whole).read_bytes())
    for place in np.random.default_rng(0).integers(0, len(content), 200):
        content[place] ^= 0xFF
    try:
        read(changed(whole, tmp_path, bytes(content)))
    except (BagError, BadFrame) as error:
        assert "damaged" in str(error) or data_file(whole).name in str(error)


def test_chunks_before_the_damage_are_read(tmp_path: Path):
    bag = record(tmp_path / "bag", "MCAP", "STORAGE")
    content = bytearray(data_file(bag).read_bytes())
    # Far enough before the end to spare the index.
    middle = len(content) // 2
    content[middle : middle + len(content) // 4] = bytes(len(content) // 4)
    data_file(bag).write_bytes(content)
    came = 0
    with Bag(bag) as opened, pytest.raises(BagError, match=r"bag\.mcap is damaged") as told:
        for _ in opened.messages([RGB, LABELS]):
            came += 1
    assert COUNT / 4 < came < 1.5 * COUNT
    assert f"after {came} messages" in str(told.value)


def test_messages_before_the_damage_are_read(tmp_path: Path):
    bag = record(tmp_path / "bag", "SQLITE3", "MESSAGE")
    damage_message(bag, 8)
    with Bag(bag) as opened:
        messages = opened.messages([RGB, LABELS])
        assert [next(messages).topic for _ in range(7)] == [RGB, LABELS] * 3 + [RGB]
        with pytest.raises(BagError, match=r"bag\.db3 is damaged after 7 messages"):
            next(messages)


def test_a_damaged_message_leaves_the_others_readable(tmp_path: Path):
    bag = record(tmp_path / "bag")
    damage_message(bag, 3)
    with Bag(bag) as opened:
        first, second, third, *_ = opened.messages([RGB, LABELS])
        for message in (first, second):
            opened.decode(message)
        with pytest.raises(BadFrame, match="the message is damaged"):
            opened.decode(third)


@pytest.mark.parametrize("storage", ["SQLITE3", "MCAP"])
def test_hand_edited_qos_loses_no_message(tmp_path: Path, storage: str):
    bag = record(tmp_path / "bag", storage)
    metadata = bag / "metadata.yaml"
    edited = metadata.read_text().replace(
        "offered_qos_profiles: []",
        "offered_qos_profiles: [{history: 1, depth: 10, reliability: 1, durability: 2, "
        "deadline: {sec: 0, nsec: 0}, lifespan: {sec: 0, nsec: 0}, liveliness: 1, "
        "liveliness_lease_duration: {sec: 0, nsec: 0}, "
        "avoid_ros_namespace_conventions: false}]",
    )
    assert edited != metadata.read_text()
    metadata.write_text(edited)
    assert read(bag) == {RGB: COUNT, LABELS: COUNT}


def test_fewer_messages_than_promised_are_told(tmp_path: Path):
    bag = record(tmp_path / "bag")
    metadata = bag / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace("message_count: 40", "message_count: 50", 1))
    with Bag(bag) as opened:
        lost = opened.why_lost(
            Counter(message.topic for message in opened.messages([RGB, LABELS]))
        )
    assert lost == f"metadata.yaml of {bag} promises 50 images on {RGB}, but 40 came"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "metadata"),
        ("a: [", "metadata.yaml"),
        ("rosbag2_bagfile_information: {version: 99}", "version 99"),
        ("rosbag2_bagfile_information: 3", "metadata"),
    ],
)
def test_damaged_metadata_leaves_the_file_itself(tmp_path: Path, text: str, found: str):
    bag = record(tmp_path / "bag", "MCAP")
    (bag / "metadata.yaml").write_text(text)
    with pytest.raises(BagError, match=found) as told:
        read(bag)
    assert f"{data_file(bag)} can be read by itself" in str(told.value)
    assert read(data_file(bag)) == {RGB: COUNT, LABELS: COUNT}


def test_an_unknown_storage_in_the_metadata_leaves_the_file_itself(tmp_path: Path):
    bag = record(tmp_path / "bag", "MCAP")
    metadata = bag / "metadata.yaml"
    metadata.write_text(
        metadata.read_text().replace("storage_identifier: mcap", "storage_identifier: ''")
    )
    with pytest.raises(BagError, match=r"bag\.mcap can be read by itself"):
        read(bag)


def test_advice_fits_the_failure(tmp_path: Path):
    bag = record(tmp_path / "bag", "MCAP")
    (bag / "metadata.yaml").unlink()
    assert "ros2 bag reindex" in refusal(bag) and f"{bag / 'bag.mcap'} itself" in refusal(bag)
    compressed = data_file(record(tmp_path / "zstd", "MCAP", "FILE"))
    assert f"zstd -d {compressed}" in refusal(compressed)
    old = tmp_path / "old.bag"
    old.write_bytes(b"#ROSBAG V2.0\n")
    assert f"rosbags-convert --src {old}" in refusal(old)
    missing = refusal(tmp_path / "none")
    assert "does not exist" in missing and "`" not in missing
    (tmp_path / "empty").mkdir()
    assert "holds no metadata.yaml" in refusal(tmp_path / "empty")
    os.mkfifo(tmp_path / "pipe.mcap")
    assert "it is no regular file" in refusal(tmp_path / "pipe.mcap")
    for text in map(refusal, (old, compressed, tmp_path / "none", tmp_path / "empty")):
        assert "reindex" not in text


def test_messages_in_a_write_ahead_log_are_not_passed_over(tmp_path: Path):
    file = data_file(record(tmp_path / "bag"))
    file.with_name(f"{file.name}-wal").write_bytes(b"pages")
    assert "wal_checkpoint" in refusal(file)


@pytest.mark.parametrize("name", ["drive#1", "50%20", "where?"])
def test_a_name_that_sqlite_cannot_open_is_not_called_damage(tmp_path: Path, name: str):
    told = refusal(record(tmp_path / "sqlite").rename(tmp_path / name))
    assert "SQLite cannot open a name with" in told and "recover_bag" not in told
    mcap = record(tmp_path / "mcap", "MCAP").rename(tmp_path / f"{name}_mcap")
    assert read(mcap) == {RGB: COUNT, LABELS: COUNT}


def test_a_page_that_is_broken_is_told_and_all_that_is_not_on_it_can_be_saved(tmp_path: Path):
    """Each page in turn, of 4096 bytes, which 13 of these messages fit on."""
    images = [
        Recorded(topic, number, noise(number)[:8, :8])
        for number in range(40)
        for topic in (RGB, LABELS)
    ]
    bag = write_bag(tmp_path / "bag", images)
    content = data_file(bag).read_bytes()
    told: list[tuple[int, int]] = []
    for page in range(0, len(content), 4096):
        broken = bytearray(content)
        broken[page : page + 4096] = bytes(4096)
        data_file(bag).write_bytes(broken)
        try:
            assert read(bag) == {RGB: 40, LABELS: 40}
        except BagError as error:
            assert f"recover_bag {data_file(bag)} --out whole.db3` saves" in str(error)
            try:
                told.append(recover(data_file(bag), tmp_path / "whole.db3"))
            except InputError as nothing:
                assert "nothing can be saved" in str(nothing) or "no recording" in str(nothing)
                continue
            assert read_all(tmp_path / "whole.db3") == told[-1][0]
    assert (80, 0) in told  # of the index alone
    assert min(saved for saved, _ in told if saved) >= 67


def read_all(path: Path) -> int:
    """How many images of a bag come whole."""
    with Bag(path) as bag:
        return sum(bag.decode(message) is not None for message in bag.messages([RGB, LABELS]))


def damage_message(bag: Path, number: int) -> None:
    """Replaces a message, counted from 1, of an sqlite3 bag by five bytes."""
    with sqlite3.connect(data_file(bag)) as database:
        database.execute("UPDATE messages SET data = x'0001000000' WHERE id = ?", (number,))


def refusal(path: Path) -> str:
    with pytest.raises(BagError, match="cannot be read as a rosbag2 recording") as told:
        Bag(path)
    return str(told.value)
