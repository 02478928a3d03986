# SPDX-License-Identifier: Apache-2.0
"""Images and camera_info that anybody may publish: BadFrame or ValueError, or right shapes."""

import math
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import NUMBERS, mutated

from carla_unet_ros.ros.image_messages import BadFrame, label_ids, to_bgra, to_semantic

SIDES = st.sampled_from((0, 1, 2, 3, 4, 8, 65535, 2**32 - 1)) | st.integers(0, 12)
ENCODINGS = st.sampled_from(
    (
        *("bgra8", "bgr8", "rgb8", "rgba8", "mono8", "mono16", "8UC1", "16UC1", "8UC3", "32FC1"),
        *("64FC4", "bayer_rggb8", "bayer_grbg16", "yuv422", "yuv422_yuy2", "nv21", "8UC999", ""),
    )
) | st.text(max_size=6)

IMAGES = st.builds(
    SimpleNamespace,
    height=SIDES,
    width=SIDES,
    step=SIDES | st.integers(0, 100),
    encoding=ENCODINGS,
    is_bigendian=st.integers(0, 255),
    data=st.binary(max_size=512) | st.integers(0, 512).map(bytes),
)

PICTURE = np.arange(6 * 8 * 4, dtype=np.uint8).reshape(6, 8, 4)
PICTURES = [
    cv2.imencode(suffix, image)[1].tobytes()
    for suffix, image in (
        (".png", PICTURE),
        (".png", PICTURE[..., :3]),
        (".png", PICTURE[..., 0]),
        (".png", PICTURE[..., 0].astype(np.uint16)),
        (".jpg", PICTURE[..., :3]),
        (".bmp", PICTURE[..., :3]),
        (".webp", PICTURE[..., :3]),
    )
]

COMPRESSED_IMAGES = st.builds(
    SimpleNamespace,
    format=st.sampled_from(("jpeg", "png", "bgr8; compressedDepth png")) | st.text(max_size=8),
    data=mutated(*PICTURES) | st.binary(max_size=64),
)


@given(IMAGES | COMPRESSED_IMAGES)
def test_a_frame_is_read_or_refused(message: SimpleNamespace) -> None:
    try:
        frame = to_bgra(message)  # type: ignore[arg-type]
    except BadFrame:
        return
    height, width, channels = frame.shape
    assert height and width and channels == 4
    assert frame.dtype == np.uint8


@given(IMAGES | COMPRESSED_IMAGES)
def test_a_semantic_image_is_read_or_refused(message: SimpleNamespace) -> None:
    try:
        tags = to_semantic(message)  # type: ignore[arg-type]
    except BadFrame:
        return
    assert tags.dtype == np.uint8
    assert tags.ndim == 2 or tags.shape[2] == 4


@given(IMAGES)
def test_a_label_image_is_read_or_refused(message: SimpleNamespace) -> None:
    try:
        ids = label_ids(message)  # type: ignore[arg-type]
    except BadFrame:
        return
    assert ids.shape == (message.height, message.width)


PLACES = st.sampled_from((0.0, 1.0, 0.5, 4.0, 8.0, 1e-300, 1e300)) | NUMBERS.filter(
    lambda number: abs(number) < 1e308
).map(float)


@given(
    st.builds(
        SimpleNamespace,
        height=SIDES,
        width=SIDES,
        distortion_model=st.sampled_from(("plumb_bob", "equidistant", "")) | st.text(max_size=4),
        d=st.lists(PLACES, max_size=6),
        k=st.lists(PLACES, min_size=9, max_size=9)
        | st.tuples(PLACES, PLACES, PLACES, PLACES).map(
            lambda four: [four[0], 0.0, four[1], 0.0, four[2], four[3], 0.0, 0.0, 1.0]
        ),
    ),
    st.sampled_from((0.0, 90.0, 179.0, 1e-6)),
)
def test_a_camera_info_is_a_pinhole_of_the_picture_or_refused(
    info: SimpleNamespace, fov: float
) -> None:
    geometry = pytest.importorskip("carla_unet_ros.ros.camera_geometry", exc_type=ImportError)
    try:
        camera = geometry.read_calibration(info, fov, (6, 8))
    except ValueError:
        return
    assert (camera.height, camera.width) == (6, 8)
    assert all(math.isfinite(value) and value > 0 for value in (camera.fx, camera.fy))
    assert 0 < camera.cx < 8
    assert 0 < camera.cy < 6
