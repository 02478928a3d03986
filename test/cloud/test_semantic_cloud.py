# SPDX-License-Identifier: Apache-2.0
"""Points of pixels, with numbers worked out by hand: 800x600, f = 400, middle at (400, 300)."""

import numpy as np
import pytest

from carla_unet_ros.camera_model import Calibration
from carla_unet_ros.cloud.semantic_cloud import FIELDS, POINT, SemanticCloud, class_table
from carla_unet_ros.labels import IGNORE, carla_13
from carla_unet_ros.labels.legend import Legend

CAMERA = Calibration(800, 600, 400.0, 400.0, 400.0, 300.0)
SHAPE = (600, 800)
LEGEND = Legend(carla_13(), carla_13(), "tiny", "OpenVINO")
ROADS, VEHICLES = carla_13().ids(["Roads", "Vehicles"])
EVERY = class_table(LEGEND, ["all"])
ROAD = np.full(SHAPE, ROADS, np.uint8)
SURE = np.full(SHAPE, 200, np.uint8)


def metres(value: float) -> np.ndarray:
    return np.full(SHAPE, value, np.float32)


def test_a_plane_across_the_view_has_one_depth_and_opens_with_the_rays() -> None:
    cloud = SemanticCloud(CAMERA)
    cloud.fill(ROAD, SURE, metres(10.0), EVERY)
    assert (cloud.points["z"] == 10.0).all()
    # The middle of pixel 599 is 199.5 pixels right of the centre: 10 * 199.5 / 400.
    assert cloud.points["x"][0, 599] == pytest.approx(4.9875)
    assert cloud.points["x"][:, 0] == pytest.approx(-9.9875)
    assert cloud.points["y"][599, 3] == pytest.approx(10 * 299.5 / 400)


def test_a_road_below_the_camera_is_flat() -> None:
    """Row v sees the ground 2 m below the camera at 400 * 2 / (v + 0.5 - 300) metres."""
    rows = np.arange(300, 600)
    depth = metres(np.inf)
    depth[300:] = (800 / (rows + 0.5 - 300))[:, np.newaxis]
    cloud = SemanticCloud(CAMERA)
    cloud.fill(ROAD, SURE, depth, EVERY, largest_range=100.0)
    down = cloud.points["y"]
    assert np.nanmax(np.abs(down - 2.0)) < 1e-5
    # 100 m are seen 8 rows below the horizon, so row 308 is the first one within.
    assert np.isnan(down[:308]).all() and not np.isnan(down[308:]).any()


def test_a_sloping_road_keeps_its_slope() -> None:
    """A road that rises 1 m in 10: 2 - z / 10 = z (v + 0.5 - 300) / 400 below the camera."""
    down = (np.arange(300, 600) + 0.5 - 300) / 400
    depth = metres(np.nan)
    depth[300:] = (2 / (0.1 + down))[:, np.newaxis]
    cloud = SemanticCloud(CAMERA)
    cloud.fill(ROAD, SURE, depth, EVERY)
    low = cloud.points[300:]
    assert low["y"] == pytest.approx(2 - low["z"] / 10, abs=1e-4)
    assert low["z"].max() == pytest.approx(19.75, abs=0.01)


def test_body_axes_are_ahead_left_and_up() -> None:
    optical, body = SemanticCloud(CAMERA), SemanticCloud(CAMERA, optical=False)
    depth = np.random.default_rng(0).uniform(1, 50, SHAPE).astype(np.float32)
    for cloud in (optical, body):
        cloud.fill(ROAD, SURE, depth, EVERY)
    assert (body.points["x"] == optical.points["z"]).all()
    assert (body.points["y"] == -optical.points["x"]).all()
    assert (body.points["z"] == -optical.points["y"]).all()


@pytest.mark.parametrize("depth", [0.0, -1.0, np.nan, np.inf, 60.1])
def test_where_there_is_no_depth_in_range_there_is_no_point(depth: float) -> None:
    cloud = SemanticCloud(CAMERA)
    image = metres(60.0)
    image[5, 7] = depth
    cloud.fill(ROAD, SURE, image, EVERY, largest_range=60.0)
    missing = np.isnan(np.stack([cloud.points[axis] for axis in "xyz"]))
    assert missing[:, 5, 7].all() and missing.sum() == 3
    assert tuple(cloud.points[5, 7])[3:5] == (ROADS, 200)


def test_only_the_classes_that_are_kept_give_points() -> None:
    labels = ROAD.copy()
    labels[:100], labels[100:200] = VEHICLES, IGNORE
    cloud = SemanticCloud(CAMERA)
    cloud.fill(labels, SURE, metres(5.0), class_table(LEGEND, ["Roads"]))
    assert np.isnan(cloud.points["x"][:200]).all()
    assert not np.isnan(cloud.points["x"][200:]).any()
    cloud.fill(labels, SURE, metres(5.0), class_table(LEGEND, ["Roads", "all"]))
    assert not np.isnan(cloud.points["x"]).any()


def test_pixels_that_are_too_uncertain_are_a_class_that_can_be_kept() -> None:
    unsure = Legend(carla_13(), carla_13(), "tiny", "OpenVINO", min_confidence=0.5)
    left_out = class_table(unsure, ["Unknown"]).left_out
    assert np.flatnonzero(left_out == 0).tolist() == [IGNORE]


def test_an_unknown_class_is_named_with_those_there_are() -> None:
    with pytest.raises(
        ValueError, match=r"no class 'Street'; it has None/Unlabeled, .*; all keep"
    ):
        class_table(LEGEND, ["Roads", "Street"])


def test_a_point_is_18_bytes_in_the_order_of_its_fields() -> None:
    cloud = SemanticCloud(CAMERA)
    cloud.fill(ROAD, SURE, metres(5.0), EVERY)
    assert list(FIELDS) == ["x", "y", "z", "label", "confidence", "rgb"]
    assert POINT.itemsize == 18 and len(cloud.data) == 800 * 600 * 18
    last = cloud.data[-18:].tobytes()
    assert np.frombuffer(last[:12], "<f4") == pytest.approx([4.99375, 3.74375, 5.0])
    red, green, blue = carla_13().classes[ROADS].colour
    assert list(last[12:]) == [ROADS, 200, blue, green, red, 0]


@pytest.mark.parametrize("stride", [2, 7])
def test_a_stride_keeps_every_so_many_th_point(stride: int) -> None:
    depth = np.random.default_rng(0).uniform(1, 50, SHAPE).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 13, SHAPE, np.uint8)
    every, some = SemanticCloud(CAMERA), SemanticCloud(CAMERA, stride=stride)
    for cloud in (every, some):
        cloud.fill(labels, SURE, depth, EVERY)
    assert (some.points == every.points[::stride, ::stride]).all()
    assert (some.rows, some.columns) == (-(-600 // stride), -(-800 // stride))


@pytest.mark.parametrize("name", ["labels", "confidence", "depth"])
def test_an_image_of_another_size_is_refused(name: str) -> None:
    images = {"labels": ROAD, "confidence": SURE, "depth": metres(5.0)}
    images[name] = images[name][::2, ::2]
    with pytest.raises(ValueError, match=f"{name} are 400x300, .* says 800x600"):
        SemanticCloud(CAMERA).fill(**images, table=EVERY)


def test_rows_with_padding_give_the_same_points() -> None:
    """Views of messages may have padding behind each row."""

    def padded(image: np.ndarray) -> np.ndarray:
        return np.pad(image, ((0, 0), (0, 9)))[:, :800]

    one, other = SemanticCloud(CAMERA), SemanticCloud(CAMERA)
    depth = np.random.default_rng(0).uniform(1, 50, SHAPE).astype(np.float32)
    one.fill(ROAD, SURE, depth, EVERY)
    other.fill(padded(ROAD), padded(SURE), padded(depth), EVERY)
    assert (one.points == other.points).all()
