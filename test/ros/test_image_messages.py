# SPDX-License-Identifier: Apache-2.0
"""Messages to frames and back: encodings, row padding, byte order, and what is refused."""

import builtins
from array import array
from typing import Any

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from carla_unet_ros.labels import Uint8
from carla_unet_ros.pictures import encode
from carla_unet_ros.ros.image_messages import (
    BadFrame,
    checked_jpeg,
    frame_size,
    label_ids,
    to_bgra,
    to_image_message,
    to_semantic,
)

# Two rows of two pixels; B, G, R.
PIXELS = np.array([[[10, 20, 30], [40, 50, 60]], [[70, 80, 90], [100, 110, 120]]], np.uint8)
OPAQUE = np.full((2, 2, 1), 255, np.uint8)
BGRA = np.concatenate([PIXELS, OPAQUE], axis=2)


def message(image: Uint8, encoding: str, padding: int = 0) -> Image:
    """A message whose rows end in bytes that mean nothing."""
    tight = to_image_message(image, encoding, Header(frame_id="camera"))
    rows = np.frombuffer(tight.data, np.uint8).reshape(tight.height, tight.step)
    rows = np.hstack([rows, np.full((tight.height, padding), 77, np.uint8)])
    tight.step += padding
    tight.data = rows.tobytes()
    return tight


@pytest.mark.parametrize("padding", [0, 1, 5])
@pytest.mark.parametrize(
    ("encoding", "image"),
    [
        ("bgra8", BGRA),
        ("bgr8", PIXELS),
        ("rgb8", PIXELS[..., ::-1]),
        ("rgba8", BGRA[..., [2, 1, 0, 3]]),
    ],
)
@pytest.mark.parametrize("big_endian", [0, 1])
def test_every_encoding_gives_the_same_frame(
    encoding: str, image: Uint8, padding: int, big_endian: int
) -> None:
    sent = message(image, encoding, padding)
    sent.is_bigendian = big_endian  # single bytes have no order
    np.testing.assert_array_equal(to_bgra(sent), BGRA)


def test_mono8_becomes_grey() -> None:
    found = to_bgra(message(PIXELS[..., 0], "mono8", padding=3))
    expected = np.dstack([PIXELS[..., 0]] * 3 + [OPAQUE[..., 0]])
    np.testing.assert_array_equal(found, expected)


def test_bgra8_is_a_view_on_the_message() -> None:
    sent = message(BGRA, "bgra8")
    assert np.shares_memory(to_bgra(sent), np.frombuffer(sent.data, np.uint8))


def test_messages_have_tight_rows_and_the_given_header() -> None:
    header = Header(frame_id="ego_vehicle/rgb_front")
    sent = to_image_message(PIXELS[:, ::-1], "bgr8", header)
    assert (sent.height, sent.width, sent.step, sent.encoding) == (2, 2, 6, "bgr8")
    assert sent.header == header
    assert bytes(sent.data) == PIXELS[:, ::-1].tobytes()


@pytest.mark.parametrize(
    ("image", "encoding"),
    [(PIXELS, "mono8"), (PIXELS, "bgra8"), (PIXELS.astype(np.int32), "bgr8"), (PIXELS, "16UC1")],
)
def test_an_array_that_does_not_fit_its_encoding_is_refused(image: Any, encoding: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        to_image_message(image, encoding, Header())


def test_bayer_patterns_go_through_cv_bridge_with_padding_removed() -> None:
    mosaic = np.full((4, 6), 99, np.uint8)
    padded = message(mosaic, "mono8", padding=10)
    padded.encoding = "bayer_rggb8"
    found = to_bgra(padded)
    assert found.shape == (4, 6, 4)
    assert (found[..., :3] == 99).all()


def test_big_endian_values_are_swapped_before_cv_bridge_sees_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """ROS 2's own cv_bridge converts rgb16, pip's does not: a stand-in shows what it is given."""
    import cv_bridge

    given: list[Image] = []

    def imgmsg_to_cv2(_: Any, packed: Image, encoding: str) -> Any:
        given.append(packed)
        assert encoding == "bgr8"
        return PIXELS

    monkeypatch.setattr(cv_bridge.CvBridge, "imgmsg_to_cv2", imgmsg_to_cv2)
    values = np.arange(12, dtype=">u2").reshape(2, 6)
    sent = Image(height=2, width=2, encoding="rgb16", step=15, is_bigendian=1)
    sent.data = np.hstack([values.view(np.uint8), np.zeros((2, 3), np.uint8)]).tobytes()
    np.testing.assert_array_equal(to_bgra(sent), BGRA)
    assert given[0].step == 12
    assert not given[0].is_bigendian
    assert bytes(given[0].data) == values.astype("<u2").tobytes()


def test_without_cv_bridge_the_five_encodings_still_work(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without_cv_bridge(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "cv_bridge":
            raise ImportError("No module named 'cv_bridge'")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_cv_bridge)
    assert to_bgra(message(BGRA, "bgra8")).shape == (2, 2, 4)
    bayer = message(PIXELS[..., 0], "mono8")
    bayer.encoding = "bayer_rggb8"
    with pytest.raises(BadFrame, match="needs cv_bridge, which cannot be imported"):
        to_bgra(bayer)


def broken(**changes: Any) -> Image:
    sent = message(BGRA, "bgra8")
    for name, value in changes.items():
        setattr(sent, name, value)
    return sent


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        (broken(data=b""), "is empty: it has no data"),
        (broken(data=bytes(15)), "holds 15 bytes; 2 rows of 8 bytes .* need 16"),
        (broken(width=0), "has no size: 0x2"),
        (broken(height=0), "has no size: 2x0"),
        (broken(step=7), "step is 7 bytes; a row of 2x2 bgra8 needs 8"),
        (broken(step=0), "step is 0 bytes"),
        (broken(width=5_000_000), "at most 9 million pixels"),
        (broken(height=4_000_000_000), "at most 9 million pixels"),
        (broken(encoding="nonsense"), "'nonsense' is unknown to cv_bridge; publish one of bgra8"),
        (broken(encoding=""), "'' is unknown to cv_bridge"),
        (broken(encoding="32FC1"), "'32FC1' cannot be made a colour image by cv_bridge; publish"),
    ],
)
def test_a_bad_message_is_refused_with_what_is_wrong(sent: Image, sentence: str) -> None:
    with pytest.raises(BadFrame, match=sentence):
        to_bgra(sent)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_compressed_images_are_decoded(suffix: str) -> None:
    grey = np.full((16, 24, 3), 120, np.uint8)
    sent = CompressedImage(format=f"bgr8; {suffix[1:]} compressed bgr8")
    sent.data = cv2.imencode(suffix, grey)[1].tobytes()
    found = to_bgra(sent)
    assert found.shape == (16, 24, 4)
    assert (found[..., :3] == 120).all()
    assert (found[..., 3] == 255).all()


@pytest.mark.parametrize(
    ("content", "kind", "sentence"),
    [
        (b"", "jpeg", "is empty"),
        (b"no picture at all", "jpeg", "no picture that can be read: expected PNG, JPEG"),
        (b"\x89PNG\r\n\x1a\n", "png", "no picture that can be read"),
        (b"anything", "32FC1; compressedDepth png", "is a depth image"),
    ],
)
def test_a_bad_compressed_image_is_refused(content: bytes, kind: str, sentence: str) -> None:
    with pytest.raises(BadFrame, match=sentence):
        to_bgra(CompressedImage(format=kind, data=content))


def test_label_ids_are_read_at_the_step() -> None:
    ids = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    np.testing.assert_array_equal(label_ids(message(ids, "mono8", padding=4)), ids)
    with pytest.raises(BadFrame, match="expected mono8"):
        label_ids(message(BGRA, "bgra8"))


@pytest.mark.parametrize(
    ("encoding", "kind", "big"),
    [("mono8", "u1", 0), ("8UC1", "u1", 0), ("mono16", "<u2", 0), ("16UC1", ">u2", 1)],
)
def test_tags_of_one_channel_are_read_as_they_are(encoding: str, kind: str, big: int) -> None:
    tags = np.array([[0, 7, 255], [1, 2, 3]], kind)
    message = Image(
        height=2, width=3, encoding=encoding, step=tags.strides[0], is_bigendian=big,
        data=array("B", tags.tobytes()),
    )  # fmt: skip
    found = to_semantic(message)
    assert found.dtype == np.uint8
    assert found.tolist() == tags.tolist()


def test_a_tag_above_255_is_refused() -> None:
    values = np.array([[0, 300]], "<u2")
    message = Image(height=1, width=2, encoding="16UC1", step=4, data=array("B", values.tobytes()))
    with pytest.raises(BadFrame, match="holds 300; a tag is at most 255"):
        to_semantic(message)


def test_a_grey_png_holds_tags_and_a_coloured_one_colours() -> None:
    tags = np.array([[0, 7], [1, 22]], np.uint8)
    png = CompressedImage(format="mono8; png compressed ", data=encode(tags))
    assert to_semantic(png).tolist() == tags.tolist()
    colours = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    found = to_semantic(CompressedImage(format="bgr8; png compressed bgr8", data=encode(colours)))
    assert found[..., :3].tolist() == colours.tolist()


def test_a_frame_larger_than_the_limit_costs_nothing() -> None:
    frame = np.zeros((3, 4, 4), np.uint8)
    with pytest.raises(BadFrame, match=r"4x3 bgra8; expected at most 1e-05 million pixels"):
        to_bgra(to_image_message(frame, "bgra8", Header()), most_pixels=10)
    with pytest.raises(BadFrame, match=r"declares 4x3 pixels"):
        to_bgra(CompressedImage(format="jpeg", data=encode(frame[..., :3], jpeg=90)), 10)


def test_the_size_of_a_frame_is_known_without_decoding_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compressed = CompressedImage(
        format="jpeg", data=encode(np.zeros((3, 4, 3), np.uint8), jpeg=90)
    )
    monkeypatch.setattr(cv2, "imdecode", None)
    assert frame_size(message(BGRA, "bgra8", padding=5)) == (2, 2)
    assert frame_size(compressed) == (4, 3)
    for too_large in (compressed, message(np.zeros((3, 4, 3), np.uint8), "bgr8")):
        with pytest.raises(BadFrame, match=r"expected (at most|1 to) 1e-05 million"):
            frame_size(too_large, most_pixels=10)


def test_a_jpeg_is_checked_before_a_browser_gets_it() -> None:
    jpeg = encode(np.zeros((3, 4, 3), np.uint8), jpeg=90)
    assert checked_jpeg(CompressedImage(format="", data=jpeg)) == jpeg
    png = encode(np.zeros((3, 4, 3), np.uint8))
    assert checked_jpeg(CompressedImage(format="jpeg", data=png)) is None
    assert checked_jpeg(message(BGRA, "bgra8")) is None
    place = jpeg.index(b"\xff\xc0") + 5  # the height and the width, 16 bits each
    bomb = jpeg[:place] + b"\x7d\x00\x7d\x00" + jpeg[place + 4 :]
    for bad, sentence in ((bomb, "declares 32000x32000 pixels"), (jpeg[:-2], "is cut short")):
        with pytest.raises(BadFrame, match=sentence):
            checked_jpeg(CompressedImage(format="jpeg", data=bad))


def test_what_can_be_no_frame_has_no_size() -> None:
    cut = message(BGRA, "bgra8")
    cut.data = cut.data[:-1]
    with pytest.raises(BadFrame, match="holds 15 bytes"):
        frame_size(cut)
    with pytest.raises(BadFrame, match="no picture that can be read"):
        frame_size(CompressedImage(format="jpeg", data=b"text"))


def test_an_encoding_of_a_million_characters_is_cut_in_the_sentence() -> None:
    long = message(BGRA, "bgra8")
    long.encoding = "x" * 1_000_000
    for read in (to_bgra, label_ids):
        with pytest.raises(BadFrame) as problem:
            read(long)
        assert len(str(problem.value)) < 400
