# SPDX-License-Identifier: Apache-2.0
"""Files of a data set, damaged in any way: frames, masks, lists, boxes and bags."""

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import bag_writing
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import mutated

from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import IGNORE, carla_13, carla_label_set
from carla_unet_ros.pictures import read_colours
from carla_unet_ros.training.data.frame_names import read_list
from carla_unet_ros.training.data.masks import read_tags
from carla_unet_ros.training.labelling.boxes import read_boxes

TAGS = np.arange(48, dtype=np.uint8).reshape(6, 8) % 13
MASKS = [
    cv2.imencode(".png", image)[1].tobytes()
    for image in (TAGS, carla_13().palette_bgr[TAGS], np.dstack([TAGS] * 3), TAGS.astype("u2"))
]
FRAMES = [
    cv2.imencode(suffix, carla_13().palette_bgr[TAGS])[1].tobytes()
    for suffix in (".jpg", ".png", ".bmp")
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data") / "file.png"


@given(content=mutated(*MASKS, *FRAMES))
def test_a_mask_is_read_or_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    labels = carla_label_set("0.8.x")
    try:
        tags = read_tags(file, labels)
    except InputError:
        return
    assert tags.dtype == np.uint8
    assert set(np.unique(tags)) <= {*range(len(labels)), IGNORE}


@given(content=mutated(*FRAMES, *MASKS) | st.binary(max_size=64))
def test_a_frame_is_read_or_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    try:
        frame = read_colours(file)
    except InputError:
        return
    assert frame.ndim == 3
    assert frame.shape[2] == 3


@given(content=mutated("000\n001.png\n# a comment\nrgb/stra\u00dfe\n".encode()) | st.binary())
def test_a_list_is_read_or_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    try:
        names = read_list(file)
    except InputError:
        return
    assert names
    assert len(set(names)) == len(names)


BOXES = b"name,what,x,y,width,height\n000,person,0.5,0.5,0.1,0.2\n001,car,0.1,0.9,1e-3,.5\n"


@given(content=mutated(BOXES) | st.binary())
def test_boxes_are_read_or_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    try:
        boxes = read_boxes(file)
    except InputError:
        return
    for box in (box for found in boxes.values() for box in found):
        left, top, right, bottom = box.pixels(600, 800)
        assert 0 <= left <= right <= 800
        assert 0 <= top <= bottom <= 600


@pytest.fixture(scope="module", params=["SQLITE3", "MCAP"])
def bag_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The storage file of a bag with two pairs."""
    frames = carla_13().palette_bgr[TAGS]
    images = np.dstack([frames, np.full_like(TAGS, 255)])
    entries = [
        bag_writing.Recorded(topic, stamp, images)
        for stamp in (1, 2)
        for topic in (bag_writing.RGB, bag_writing.LABELS)
    ]
    folder = tmp_path_factory.mktemp("bag") / "bag"
    bag_writing.write_bag(folder, entries, request.param)
    (storage,) = (path for path in folder.iterdir() if path.suffix in (".db3", ".mcap"))
    return storage


@given(st.data())
def test_a_bag_gives_its_pairs_or_is_refused(bag_file: Path, data: st.DataObject) -> None:
    """An error of the command is a sentence and status 1; all else would be a traceback."""
    from carla_unet_ros.training import from_bag

    damaged = bag_file.parent.parent / f"damaged{bag_file.suffix}"
    damaged.write_bytes(data.draw(mutated(bag_file.read_bytes())))
    out = damaged.with_name("out")
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        status = from_bag.main([str(damaged), "--out", str(out)])
    assert status in (0, 1), said.getvalue()
    for folder in ("rgb", "label"):
        for path in (out / folder).glob("*"):
            path.unlink()
