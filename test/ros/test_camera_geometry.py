# SPDX-License-Identifier: Apache-2.0
"""What camera_info must say before places are computed from it."""

import math
from dataclasses import astuple

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo

from carla_unet_ros.camera_model import Calibration
from carla_unet_ros.ros.camera_geometry import read_calibration

SHAPE = 600, 800
PINHOLE = Calibration(800, 600, 400.0, 400.0, 400.0, 300.0)


def info(
    fx: float = 400.0,
    fy: float = 400.0,
    cx: float = 400.0,
    cy: float = 300.0,
    model: str = "plumb_bob",
    d: tuple[float, ...] = (0.0,) * 5,
    size: tuple[int, int] = (800, 600),
) -> CameraInfo:
    k = [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]
    return CameraInfo(width=size[0], height=size[1], k=k, d=list(d), distortion_model=model)


def wrong_focal(width: int, fov: float) -> float:
    """As CARLA 0.9.16 computes it: fov is a float of 32 bits in degrees, tan takes radians."""
    return width / (2.0 * math.tan(np.float32(fov)) * math.pi / 360.0)


def right_focal(width: int, fov: float) -> float:
    return width / (2.0 * math.tan(math.radians(fov) / 2.0))


def test_the_camera_of_the_bridge_is_a_pinhole():
    assert read_calibration(info(), 0.0, SHAPE) == PINHOLE
    lens = info(fx=390.0, fy=410.0, cx=380.0, cy=320.0)
    expected = Calibration(800, 600, 390.0, 410.0, 380.0, 320.0)
    assert read_calibration(lens, 0.0, SHAPE) == expected


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (CameraInfo(width=800, height=600, distortion_model="plumb_bob"), "fx = 0, fy = 0"),
        (info(cx=0.0, cy=0.0), "principal point near the middle"),
        (info(cx=0.5, cy=0.5), "cx = 0.5, cy = 0.5"),
        (info(cx=199.0), "principal point"),
        (info(cy=451.0), "principal point"),
        (info(fx=0.5, fy=0.67, cx=0.5, cy=0.5), "expected a calibrated camera"),
        (info(fx=1e-6, fy=1e-6), "expected a calibrated camera"),
        (info(fx=79.0), "expected a calibrated camera"),
        (info(fy=16_001.0), "expected a calibrated camera"),
        (info(fx=-400.0), "expected a calibrated camera"),
        (info(fx=math.nan), "expected a calibrated camera"),
        (info(fy=math.inf), "expected a calibrated camera"),
        (info(cx=math.nan), "principal point"),
        (info(model="equidistant", d=(0.0,) * 4), "distortion model 'equidistant'"),
        (info(model="rational_polynomial", d=(0.0,) * 8), "distortion model"),
        (info(model=""), "distortion model ''"),
        (info(d=(0.0, 0.0, 0.01, 0.0, 0.0)), "has the distortion"),
        (info(d=(math.nan,)), "has the distortion"),
        (info(size=(100_000, 100_000)), "100000x100000 pixels, the picture is 800x600"),
        (info(size=(12_000, 9_000)), "12000x9000 pixels, the picture is 800x600"),
        (info(size=(0, 0)), "0x0 pixels, the picture is 800x600"),
    ],
)
def test_what_is_no_pinhole_of_this_picture_is_refused(message: CameraInfo, text: str):
    with pytest.raises(ValueError, match="expected") as error:
        read_calibration(message, 0.0, SHAPE)
    assert text in str(error.value)


def test_skew_and_a_scaled_matrix_are_refused():
    for place, value in ((1, 3.0), (3, 1.0), (6, 0.1), (8, 0.0), (7, math.nan)):
        message = info()
        message.k[place] = value
        with pytest.raises(ValueError, match="camera matrix"):
            read_calibration(message, 0.0, SHAPE)


@pytest.mark.parametrize(
    "message",
    [
        CameraInfo(width=800, height=600),
        info(cx=0.0, cy=0.0),
        info(fx=0.5, fy=0.67, cx=0.5, cy=0.5),
        info(fx=math.nan, fy=math.inf, cx=-1.0),
    ],
)
def test_the_field_of_view_gives_the_whole_matrix(message: CameraInfo):
    calibration = read_calibration(message, 90.0, SHAPE)
    assert astuple(calibration) == pytest.approx(astuple(PINHOLE))


def test_the_field_of_view_makes_no_pinhole_of_a_lens_and_no_picture_larger():
    for message in (
        info(model="equidistant", d=(0.0,) * 4),
        info(d=(0.1,)),
        info(size=(100_000, 100_000)),
    ):
        with pytest.raises(ValueError, match="expected"):
            read_calibration(message, 90.0, SHAPE)


@pytest.mark.parametrize("width", [800, 1920])
def test_the_wrong_focal_length_of_carla_0_9_16_is_recognised_for_every_field_of_view(width: int):
    for fov in (*range(1, 179), 22.5, 69.4, 110.1, 77.32):
        message = info(fx := wrong_focal(width, fov), fx, width / 2, 300.0, size=(width, 600))
        with pytest.raises(ValueError, match=r"CARLA 0\.9\.16") as error:
            read_calibration(message, 0.0, (600, width))
        assert f"set camera_fov to {fov:g}" in str(error.value)


def test_a_right_focal_length_is_never_taken_for_the_wrong_one():
    for fov in (*range(6, 157), 22.5, 69.4, 110.1):
        focal = right_focal(800, fov)
        message = info(focal, focal)
        assert read_calibration(message, 0.0, SHAPE).fx == focal
