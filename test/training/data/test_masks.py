# SPDX-License-Identifier: Apache-2.0
"""Mask files: raw tags whichever way they are held, or a sentence that names the file."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import carla_label_set
from carla_unet_ros.pictures import encode, palette_indices
from carla_unet_ros.training.data.masks import read_tags

SET = carla_label_set("0.9.13")
TAGS = np.array([[0, 7, 10, 1], [22, 5, 6, 255]], np.uint8)
LABELLED = np.where(TAGS == 255, 8, TAGS).astype(np.uint8)


def png_with_palette(indices: np.ndarray, palette: np.ndarray, depth: int = 8) -> bytes:
    """A PNG of colour type 3 (PNG specification, 11.2): `palette` uint8 [N, 3] in R, G, B."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    height, width = indices.shape
    bits = ((indices[..., None] >> np.arange(depth)[::-1]) & 1).reshape(height, -1)
    rows = b"".join(b"\0" + np.packbits(row.astype(np.uint8)).tobytes() for row in bits)
    header = struct.pack(">IIBBBBB", width, height, depth, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", palette.tobytes()), (b"IDAT", zlib.compress(rows)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in (*chunks, (b"IEND", b"")))


def read(tmp_path: Path, content: bytes) -> list[list[int]]:
    path = tmp_path / "mask.png"
    path.write_bytes(content)
    return read_tags(path, SET).tolist()


def test_one_channel_holds_raw_tags(tmp_path: Path) -> None:
    assert read(tmp_path, encode(TAGS)) == TAGS.tolist()


@pytest.mark.parametrize("channels", [3, 4])
def test_grey_tags_are_read_from_colour_files(tmp_path: Path, channels: int) -> None:
    image = np.repeat(TAGS[..., None], channels, axis=2)
    if channels == 4:
        image[..., 3] = 255
    assert read(tmp_path, encode(image)) == TAGS.tolist()


def test_tags_in_red_and_colours_of_the_palette_are_read(tmp_path: Path) -> None:
    in_red = np.zeros((*LABELLED.shape, 3), np.uint8)
    in_red[..., 2] = LABELLED
    assert read(tmp_path, encode(in_red)) == LABELLED.tolist()
    assert read(tmp_path, encode(SET.palette_bgr[LABELLED])) == LABELLED.tolist()


def test_an_instance_mask_has_its_tag_in_red(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (*LABELLED.shape, 3), np.uint8)
    image[..., 2] = LABELLED
    assert read(tmp_path, encode(image)) == LABELLED.tolist()


@pytest.mark.parametrize("depth", [8, 4])
def test_a_palette_of_somebodys_own_names_classes_by_its_index(tmp_path: Path, depth: int) -> None:
    indices = np.array([[0, 7, 10], [1, 5, 6]], np.uint8)
    palette = np.random.default_rng(1).integers(100, 255, (2**depth, 3), np.uint8)
    content = png_with_palette(indices, palette, depth)
    assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) is not None
    assert read(tmp_path, content) == indices.tolist()


def test_a_palette_of_carlas_colours_is_read_by_its_colours(tmp_path: Path) -> None:
    """Index 0 is the road's colour here: the colour counts."""
    palette = np.array([SET.classes[7].colour, SET.classes[10].colour], np.uint8)
    assert read(tmp_path, png_with_palette(np.array([[0, 1]], np.uint8), palette)) == [[7, 10]]


def test_only_pngs_with_a_palette_have_indices() -> None:
    assert palette_indices(encode(TAGS)) is None
    assert palette_indices(b"") is None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (encode(TAGS + np.uint8(30)), r"mask\.png: tag 3\d is unknown to carla 0\.9\.10-0\.9\.13"),
        (encode(np.full((2, 2, 3), (3, 2, 200), np.uint8)), r"colour \[200, 2, 3\] .*--tags"),
        (encode(TAGS.astype(np.uint16)), r"holds uint16; expected 8 bits"),
        (encode(TAGS, jpeg=100), r"is a JPEG, whose loss"),
    ],
    ids=["tag", "colour", "16 bits", "jpeg"],
)
def test_what_is_no_mask_is_refused_by_name(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why):
        read(tmp_path, content)
