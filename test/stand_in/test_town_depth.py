# SPDX-License-Identifier: Apache-2.0
"""Depth of what is painted, with numbers worked out by hand: focal length 100, eye at 2 m."""

import math

import cv2
import numpy as np
import pytest

from carla_unet_ros.camera_model import intrinsics
from carla_unet_ros.labels import carla_13
from carla_unet_ros.stand_in.drive import Drive
from carla_unet_ros.stand_in.town.canvas import Canvas, Texture, make_blank
from carla_unet_ros.stand_in.town.depth import DepthBuffer
from carla_unet_ros.stand_in.town.light import WEATHERS, Shade, make_weather
from carla_unet_ros.stand_in.town.solids import Solid, box
from carla_unet_ros.stand_in.town.tags import FENCE, VEHICLE, WALL

pytestmark = pytest.mark.once  # test_camera_node draws depth on every Python

PLAIN = Shade((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), 0.0)
RED = (10, 20, 200)
CENTIMETRE = 0.01


@pytest.fixture
def canvas() -> Canvas:
    camera = intrinsics(200, 160, 90.0)
    canvas = Canvas(camera, 2.0)
    canvas.depth = DepthBuffer(camera, canvas.eye)
    return canvas


def metres(canvas: Canvas) -> np.ndarray:
    assert canvas.depth is not None
    return canvas.depth.metres()


def points(*corners: tuple[float, float, float]) -> np.ndarray:
    return np.array(corners, np.float32)


def down(first: int, last: int) -> np.ndarray:
    """How far down the middles of these rows look, for each metre ahead: [rows, 1]."""
    return ((np.arange(first, last) + 0.5 - 80) / 100)[:, np.newaxis]


def test_where_nothing_is_painted_is_the_sky(canvas: Canvas):
    assert metres(canvas) == pytest.approx(1000, abs=1e-3)


def test_a_plane_across_the_view_has_one_depth(canvas: Canvas):
    canvas.polygon(points((-3, 0, 10), (3, 0, 10), (3, 4, 10), (-3, 4, 10)), (*RED, WALL))
    painted = canvas.pixels[..., 3] == WALL
    assert painted.sum() > 2000
    assert metres(canvas)[painted] == pytest.approx(10.0, abs=1e-4)
    assert metres(canvas)[~painted] == pytest.approx(1000, abs=1e-3)


def test_a_flat_road_is_seen_at_height_over_slope(canvas: Canvas):
    canvas.polygon(points((-9, 0, -5), (9, 0, -5), (9, 0, 50), (-9, 0, 50)), (*RED, WALL))
    assert metres(canvas)[90:, 60:140] == pytest.approx(2 / down(90, 160) * np.ones(80), abs=1e-3)


def test_a_sloping_road_keeps_its_slope(canvas: Canvas):
    """A road that rises 1 m in 10: 2 - z / 10 below the eye at z."""
    canvas.polygon(points((-9, -0.5, -5), (9, -0.5, -5), (9, 4, 40), (-9, 4, 40)), (*RED, WALL))
    expected = 2 / (0.1 + down(90, 160)) * np.ones(80)
    assert metres(canvas)[90:, 60:140] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("turn", [0.0, 0.3, 1.2, -2.0])
def test_the_points_of_a_cars_box_lie_on_its_surface(turn: float):
    """A box 2 m wide, 1.5 m high, 4 m long, its middle 8 m ahead and 1 m right; f = 400."""
    canvas = Canvas(intrinsics(800, 600, 90.0), 2.0)
    canvas.depth = DepthBuffer(canvas.camera, canvas.eye)
    light = make_weather(WEATHERS[0], np.random.default_rng(0))
    solid = Solid([box((2.0, 1.5, 4.0), (0.0, 0.0, 0.0), RED, VEHICLE)])
    solid.draw(canvas, (1.0, 0.0, 8.0), turn, light, np.array((0.0, 1.0, 0.0), np.float32))
    # Outermost pixels are painted, too, where only a part of them shows the box.
    shown = (canvas.pixels[..., 3] == VEHICLE).astype(np.uint8)
    rows, columns = np.nonzero(cv2.erode(shown, np.ones((3, 3), np.uint8)))
    assert len(rows) > 5000
    z = metres(canvas)[rows, columns]
    x, y = (columns + 0.5 - 400) / 400 * z - 1.0, 2.0 - (rows + 0.5 - 300) / 400 * z
    z = z - 8.0
    across = x * math.cos(turn) - z * math.sin(turn)
    along = x * math.sin(turn) + z * math.cos(turn)
    outside = np.max((np.abs(across) - 1.0, np.abs(along) - 2.0, y - 1.5, -y), axis=0)
    assert np.quantile(np.abs(outside), 0.97) < CENTIMETRE
    # Along an edge a pixel may show either face, and half a pixel is 0.3 m of the roof.
    assert np.abs(outside).max() < 0.35


def test_holes_keep_the_depth_of_what_is_behind(canvas: Canvas):
    canvas.polygon(points((-9, 0, 20), (9, 0, 20), (9, 9, 20), (-9, 9, 20)), (*RED, WALL))
    image = make_blank(64, 64)
    image[:, :32] = (*RED, FENCE)
    canvas.texture(points((-1, 0, 10))[0], points((2, 0, 0))[0], 2.0, Texture(image), PLAIN)
    assert metres(canvas)[82:98, 92:98] == pytest.approx(10.0, abs=1e-4)
    assert metres(canvas)[82:89, 103:140] == pytest.approx(20.0, abs=1e-4)


def test_a_texture_into_the_distance_follows_its_wall(canvas: Canvas):
    """A wall at x = 2: column u sees it at 2 * 100 / (u + 0.5 - 100)."""
    image = np.full((64, 64, 4), (*RED, WALL), np.uint8)
    canvas.texture(points((2, 0, 4))[0], points((0, 0, 8))[0], 2.0, Texture(image), PLAIN)
    expected = 200 / (np.arange(118, 149) + 0.5 - 100)
    assert metres(canvas)[85, 118:149] == pytest.approx(expected, abs=1e-3)


def test_a_sprite_stands_upright_in_front(canvas: Canvas):
    image = np.full((64, 64, 4), (*RED, WALL), np.uint8)
    canvas.sprite((0.0, 0.0, 5.0), (4.0, 3.0), Texture(image), PLAIN)
    assert metres(canvas)[70:118, 62:138] == pytest.approx(5.0, abs=1e-4)


def test_a_ribbon_bends_with_its_pieces(canvas: Canvas):
    """A wall at x = 1 from 4 m to 8 m, then turning to x = 9 at 16 m."""
    low, high = points((1, 0, 4), (1, 0, 8), (9, 0, 16)), points((1, 2, 4), (1, 2, 8), (9, 2, 16))
    canvas.ribbon(np.concatenate((low, high[::-1])), (*RED, WALL))
    near = 100 / (np.arange(114, 124) + 0.5 - 100)
    assert metres(canvas)[85, 114:124] == pytest.approx(near, abs=1e-3)
    # x = z - 7 on the second piece, and x = z (u + 0.5 - 100) / 100.
    far = 7 / (1 - (np.arange(130, 150) + 0.5 - 100) / 100)
    assert metres(canvas)[85, 130:150] == pytest.approx(far, abs=1e-3)


@pytest.mark.parametrize("seed", [0, 3, 8])
def test_the_road_of_the_drive_is_the_ground_and_cars_stand_on_it(seed: int):
    drive = Drive(320, 240, seed=seed)
    scene = drive.at(1.0, depth=True)
    assert scene.depth is not None
    slope = ((np.arange(240) + 0.5 - 120) / 160)[:, np.newaxis]
    height = drive.camera_height - slope * scene.depth
    road, vehicles = carla_13().ids(("Roads", "Vehicles"))
    near = scene.depth < 40
    assert np.abs(height[(scene.labels == road) & near]).max() < CENTIMETRE
    cars = height[(scene.labels == vehicles) & near]
    # The lowest pixels of a car may show half a pixel of what is below it: 0.1 m at 32 m.
    assert cars.size and np.quantile(cars, 0.02) > -0.1 and cars.max() < 3.1


def test_depth_changes_neither_frame_nor_labels():
    drive = Drive(320, 240, seed=3)
    plain, deep = drive.frame(7), drive.at(7 / 20, depth=True)
    assert plain.depth is None
    assert (plain.frame == deep.frame).all() and (plain.labels == deep.labels).all()
