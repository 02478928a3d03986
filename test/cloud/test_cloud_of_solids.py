# SPDX-License-Identifier: Apache-2.0
"""Points of things whose place is known: drawn with depth, coded as CARLA does, made into points.

The camera is 800x600 with f = 400, 2 m above the ground.
"""

import math

import cv2
import numpy as np
import pytest

from carla_unet_ros.camera_model import Calibration, intrinsics
from carla_unet_ros.cloud.semantic_cloud import SemanticCloud, class_table
from carla_unet_ros.labels import Uint8, carla_13
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.ros.depth_images import decode_depth, encode_depth
from carla_unet_ros.stand_in.town.canvas import Canvas
from carla_unet_ros.stand_in.town.depth import DepthBuffer
from carla_unet_ros.stand_in.town.light import WEATHERS, make_weather
from carla_unet_ros.stand_in.town.solids import Solid, box
from carla_unet_ros.stand_in.town.tags import ROAD, VEHICLE

pytestmark = pytest.mark.once

EVERY = class_table(Legend(carla_13(), carla_13(), "tiny", "none"), ["all"])
CENTIMETRE = 0.01
RED = (10, 20, 200)


@pytest.fixture
def canvas() -> Canvas:
    canvas = Canvas(intrinsics(800, 600, 90.0), 2.0)
    canvas.depth = DepthBuffer(canvas.camera, canvas.eye)
    return canvas


def points_of(canvas: Canvas, label: int, coded: bool) -> np.ndarray:
    """x ahead, y left, z up in metres of the points of a class, away from its outline."""
    assert canvas.depth is not None
    depth = canvas.depth.metres()
    labels: Uint8 = np.ascontiguousarray(canvas.pixels[..., 3])
    cloud = SemanticCloud(Calibration(800, 600, 400.0, 400.0, 400.0, 300.0), optical=False)
    cloud.fill(labels, labels, decode_depth(encode_depth(depth)) if coded else depth, EVERY)
    inner = cv2.erode((labels == label).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert inner.sum() > 5000
    found = cloud.points[inner]
    assert (found["label"] == label).all()
    return np.stack([found[axis] for axis in "xyz"])


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize("turn", [0.0, 0.7])
def test_the_points_of_a_cars_box_lie_on_its_surface(
    canvas: Canvas, turn: float, coded: bool
) -> None:
    """2 m wide, 1.5 m high, 4 m long; its middle is 8 m ahead and 1 m to the right."""
    light = make_weather(WEATHERS[0], np.random.default_rng(0))
    solid = Solid([box((2.0, 1.5, 4.0), (0.0, 0.0, 0.0), RED, VEHICLE)])
    solid.draw(canvas, (1.0, 0.0, 8.0), turn, light, np.array((0.0, 1.0, 0.0), np.float32))
    x, y, z = points_of(canvas, VEHICLE, coded)
    x, right, height = x - 8.0, -y - 1.0, z + 2.0
    across = right * math.cos(turn) - x * math.sin(turn)
    along = right * math.sin(turn) + x * math.cos(turn)
    outside = np.max((np.abs(across) - 1, np.abs(along) - 2, height - 1.5, -height), axis=0)
    # Along an edge a pixel may show either face.
    assert np.quantile(np.abs(outside), 0.97) < CENTIMETRE


@pytest.mark.parametrize("coded", [False, True])
def test_a_sloping_road_keeps_its_slope(canvas: Canvas, coded: bool) -> None:
    """It rises 1 m in 10, and lies 2 m below the camera where the camera is."""
    corners = (-9, -0.5, -5), (9, -0.5, -5), (9, 4, 40), (-9, 4, 40)
    canvas.polygon(np.array(corners, np.float32), (*RED, ROAD))
    x, _, z = points_of(canvas, ROAD, coded)
    assert np.abs(z - (x / 10 - 2)).max() < CENTIMETRE
    assert x.max() > 15
