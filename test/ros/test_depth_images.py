# SPDX-License-Identifier: Apache-2.0
"""Depth images of CARLA's bridge and of its own interface, with numbers worked out by hand."""

import numpy as np
import pytest
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from carla_unet_ros.ros.depth_images import (
    decode_depth,
    encode_depth,
    to_coded_message,
    to_depth,
    to_depth_message,
)
from carla_unet_ros.ros.image_messages import BadFrame

METRES = np.array([[0.25, 7.5, 999.0], [1.0, 20.0, 300.0]], np.float32)
STEP = 1000 / (256**3 - 1)


def test_the_code_counts_red_first_then_green_then_blue() -> None:
    bgra = np.array([[[0, 0, 1, 255], [0, 1, 0, 0], [1, 0, 0, 255], [255, 255, 255, 255]]], "u1")
    assert decode_depth(bgra)[0] == pytest.approx([STEP, 256 * STEP, 65536 * STEP, 1000])


def test_the_code_is_exact_to_a_step_and_ends_at_a_kilometre() -> None:
    assert np.abs(decode_depth(encode_depth(METRES)) - METRES).max() < STEP
    assert encode_depth(np.array([[5000.0, np.inf]], np.float32)).tolist() == [[[255] * 4] * 2]


def test_metres_and_code_give_the_same_depth() -> None:
    header = Header(frame_id="depth")
    metres, coded = to_depth_message(METRES, header), to_coded_message(METRES, header)
    assert (metres.encoding, metres.step, coded.encoding, coded.step) == ("32FC1", 12, "bgra8", 12)
    assert metres.header == coded.header == header
    assert (to_depth(metres) == METRES).all()
    np.testing.assert_allclose(to_depth(coded), METRES, atol=STEP)


@pytest.mark.parametrize("big_endian", [0, 1])
def test_row_padding_and_byte_order_are_honoured(big_endian: int) -> None:
    message = Image(height=2, width=3, encoding="32FC1", step=16, is_bigendian=big_endian)
    padded = np.full((2, 4), 77, np.float32)
    padded[:, :3] = METRES
    message.data = padded.astype(">f4" if big_endian else "<f4").tobytes()
    assert (to_depth(message) == METRES).all()


def test_other_encodings_are_refused_with_the_two_that_are_read() -> None:
    message = to_depth_message(METRES, Header())
    message.encoding = "16UC1"
    with pytest.raises(BadFrame, match=r"is 16UC1; expected 32FC1 .* or bgra8"):
        to_depth(message)
    message.encoding, message.height = "32FC1", 20
    with pytest.raises(BadFrame, match="need"):
        to_depth(message)
