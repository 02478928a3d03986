# SPDX-License-Identifier: Apache-2.0
"""Picture files: read as they lie on disk, or refused in a sentence."""

import os
import resource
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from carla_unet_ros.pictures import (
    PictureError,
    declared_size,
    decode_colours,
    encode,
    read_colours,
    read_mask,
    write_picture,
)

FRAME = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
TAGS = np.arange(24, dtype=np.uint8).reshape(4, 6)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def exif(jpeg: bytes, orientation: int) -> bytes:
    """The same JPEG with an EXIF block that names this orientation (EXIF 2.3, tag 0x0112)."""
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + struct.pack(
        ">HHI", orientation, 0, 0
    )
    block = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


def png_that_declares(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    nothing = chunk(b"IDAT", zlib.compress(b"\0"))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + nothing + chunk(b"IEND", b"")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_picture(tmp_path / "frame.png", FRAME)
    write_picture(tmp_path / "tags.png", TAGS)
    assert (read_colours(tmp_path / "frame.png") == FRAME).all()
    assert (read_mask(tmp_path / "tags.png") == TAGS).all()
    assert names_in(tmp_path) == ["frame.png", "tags.png"]


def test_a_name_that_is_no_utf_8_is_a_name_as_any_other(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"stra\xdfe.png")
    write_picture(path, TAGS)
    assert (read_mask(path) == TAGS).all()
    path.write_bytes(b"")
    with pytest.raises(PictureError, match=r"stra\\xdfe\.png is empty") as refusal:
        read_mask(path)
    str(refusal.value).encode()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_in_exif_turns_no_frame(orientation: int) -> None:
    jpeg = encode(FRAME, jpeg=95)
    assert (decode_colours(exif(jpeg, orientation), "it") == decode_colours(jpeg, "it")).all()


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("jpeg", [90, None], ids=["jpeg", "png"])
def test_a_file_cut_short_is_refused(share: float, jpeg: int | None, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    content = encode(noise, jpeg)
    (tmp_path / "cut").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(PictureError, match=r"cut is (damaged or )?cut short"):
        read_colours(tmp_path / "cut")


def test_a_thumbnail_in_exif_does_not_hide_that_a_jpeg_is_cut_short() -> None:
    jpeg = encode(FRAME, jpeg=90)
    thumbnail = b"\xff\xe1" + struct.pack(">H", len(jpeg) + 2) + jpeg
    whole = jpeg[:2] + thumbnail + jpeg[2:]
    assert decode_colours(whole, "it").shape == FRAME.shape
    with pytest.raises(PictureError, match="cut short"):
        decode_colours(whole[:-2], "it")


def test_padding_behind_a_jpeg_does_no_harm() -> None:
    assert decode_colours(encode(FRAME, jpeg=90) + bytes(5000), "it").shape == FRAME.shape


def test_a_mask_that_is_a_jpeg_inside_is_refused_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "mask.png").write_bytes(encode(TAGS, jpeg=100))
    with pytest.raises(PictureError, match=r"mask\.png is a JPEG, whose loss"):
        read_mask(tmp_path / "mask.png")


def test_sizes_are_read_from_the_headers_alone() -> None:
    assert declared_size(encode(TAGS)) == (6, 4)
    assert declared_size(exif(encode(FRAME, jpeg=90), 6)) == (6, 4)
    assert declared_size(cv2.imencode(".bmp", FRAME)[1].tobytes()) == (6, 4)
    assert declared_size(b"RIFF....WEBP") is None
    assert declared_size(b"") is None


def test_a_bomb_costs_no_memory() -> None:
    jpeg = bytearray(encode(FRAME, jpeg=90))
    place = jpeg.index(b"\xff\xc0")
    jpeg[place + 5 : place + 9] = struct.pack(">HH", 32000, 32000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for content in (bytes(jpeg), png_that_declares(32000, 32000)):
        with pytest.raises(PictureError, match=r"bomb declares 32000x32000 pixels; expected 1 to"):
            decode_colours(content, "bomb")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"GIF89a" + bytes(100), "no picture that can be read: expected PNG, JPEG, BMP"),
        (png_that_declares(0, 4), "declares 0x4 pixels"),
        (png_that_declares(6, 4), "damaged or cut short"),
        (b"\xff\xd8\xff" + bytes(100), "no picture that can be read"),
    ],
)
def test_what_is_no_picture_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(PictureError, match=why):
        decode_colours(content, "it")


def test_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    for name in ("nothing.png", "."):
        with pytest.raises(PictureError, match="is no file; expected a picture"):
            read_colours(tmp_path / name)


def test_an_array_that_is_no_picture_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"float64 \(2, 2, 7\)"):
        write_picture(tmp_path / "x.png", np.zeros((2, 2, 7)))
    assert not names_in(tmp_path)
