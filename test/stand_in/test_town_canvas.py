# SPDX-License-Identifier: Apache-2.0
"""Painting in perspective, with numbers worked out by hand: focal length 100, eye at 2 m."""

import numpy as np
import pytest

from carla_unet_ros.camera_model import intrinsics
from carla_unet_ros.stand_in.town.canvas import NEAR, Canvas, Texture, clip_near, make_blank
from carla_unet_ros.stand_in.town.light import Shade
from carla_unet_ros.stand_in.town.tags import BUILDING, FENCE, WALL

PLAIN = Shade((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), 0.0)
RED, BLUE = (10, 20, 200), (200, 20, 10)


@pytest.fixture
def canvas() -> Canvas:
    return Canvas(intrinsics(200, 160, 90.0), 2.0)


def points(*corners: tuple[float, float, float]) -> np.ndarray:
    return np.array(corners, np.float32)


def half_and_half(left: int, right: int) -> Texture:
    """Red with one label on the left, blue with the other on the right."""
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[:, :32] = (*RED, left)
    pixels[:, 32:] = (*BLUE, right)
    return Texture(pixels)


def test_intrinsics_of_carlas_default_camera():
    assert intrinsics(800, 600, 90.0) == pytest.approx((800, 600, 400.0, 400.0, 300.0))
    # tan(30 degrees) = 0.57735: 640 / (2 x 0.57735)
    assert intrinsics(640, 480, 60.0).focal == pytest.approx(554.256, abs=1e-3)


def test_a_point_lands_where_the_pinhole_puts_it(canvas: Canvas):
    # 1 m right, on the ground, 10 m ahead: x = 100 + 100 x 1/10, y = 80 + 100 x 2/10
    assert canvas.project(points((1, 0, 10))).tolist() == [[110, 100]]
    assert canvas.project(points((-3, 2, 5))).tolist() == [[40, 80]]


def test_a_polygon_writes_colour_and_label_alike(canvas: Canvas):
    canvas.polygon(points((-1, 0, 10), (1, 0, 10), (1, 2, 10), (-1, 2, 10)), (*RED, WALL))
    labelled = canvas.pixels[..., 3] == WALL
    assert (labelled == (canvas.pixels[..., :3] == RED).all(axis=2)).all()
    rows, columns = np.nonzero(labelled)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (80, 100, 90, 110)


def test_what_is_behind_the_camera_is_cut_off():
    cut = clip_near(points((-1, 0, -1), (1, 0, -1), (1, 0, 2), (-1, 0, 2)))
    assert cut[:, 2].min() == pytest.approx(NEAR)
    assert sorted(cut[:, 0].tolist()) == pytest.approx([-1, -1, 1, 1])
    assert clip_near(points((0, 0, -3), (1, 0, -2), (1, 1, -2))).shape == (0, 3)


def test_a_ground_strip_from_behind_reaches_the_lower_edge(canvas: Canvas):
    canvas.polygon(points((-1, 0, -5), (1, 0, -5), (1, 0, 50), (-1, 0, 50)), (*RED, WALL))
    assert (canvas.pixels[-1, 60:140, 3] == WALL).all()
    assert (canvas.pixels[:83, :, 3] != WALL).all()


def test_a_texture_across_the_view_keeps_its_middle(canvas: Canvas):
    corner, across = points((-1, 0, 10), (2, 0, 0))
    canvas.texture(corner, across, 2.0, half_and_half(WALL, BUILDING), PLAIN)
    row = canvas.pixels[90, :, 3].tolist()
    assert row[91:99] == [WALL] * 8
    assert row[101:109] == [BUILDING] * 8
    assert row[88] == row[112] == 0


def test_a_texture_into_the_distance_is_foreshortened(canvas: Canvas):
    """A wall at x = 2 from 4 m to 12 m: its middle at 8 m lies at 100 + 100 x 2/8 = 125."""
    corner, across = points((2, 0, 4), (0, 0, 8))
    canvas.texture(corner, across, 2.0, half_and_half(WALL, BUILDING), PLAIN)
    row = canvas.pixels[85, :, 3].tolist()
    assert row[127:149] == [WALL] * 22
    assert row[118:124] == [BUILDING] * 6
    assert row[115] == row[152] == 0


def test_holes_let_through_what_is_behind(canvas: Canvas):
    canvas.pixels[:] = (1, 2, 3, BUILDING)
    image = make_blank(64, 64)
    image[:, :32] = (*RED, FENCE)
    corner, across = points((-1, 0, 10), (2, 0, 0))
    canvas.texture(corner, across, 2.0, Texture(image), PLAIN)
    assert (canvas.pixels[82:98, 92:98] == (*RED, FENCE)).all()
    assert (canvas.pixels[82:98, 103:] == (1, 2, 3, BUILDING)).all()


@pytest.mark.parametrize("x", [-11.0, -4.0, 0.0, 4.0, 9.0])
def test_a_sprite_is_cut_at_the_edges_of_the_picture(canvas: Canvas, x: float):
    canvas.sprite((x, 0.0, 5.0), (4.0, 3.0), half_and_half(WALL, BUILDING), PLAIN)
    # The sprite is 80 pixels wide, and its left edge lies at 100 + 20 (x - 2).
    expected = np.zeros(1000, np.uint8)
    left = 500 + round(20 * (x - 2))
    expected[left : left + 40] = WALL
    expected[left + 40 : left + 80] = BUILDING
    assert canvas.pixels[100, :, 3].tolist() == expected[400:600].tolist()
    assert (canvas.pixels[121:, :, 3] == 0).all() and (canvas.pixels[:59, :, 3] == 0).all()


def test_haze_and_light_change_colours_and_no_label():
    shade = Shade((0.5, 0.5, 0.5), (200.0, 100.0, 0.0), 0.25)
    # 100 x 0.5 + 0.25 x haze
    assert shade.colour((100.0, 100.0, 100.0)) == pytest.approx((100.0, 75.0, 50.0))
    table = shade.table()
    assert table[0, 100].tolist() == [100, 75, 50, 100]
    assert table[0, :, 3].tolist() == list(range(256))


def test_smaller_copies_have_no_fringe_and_no_new_labels():
    image = make_blank(64, 64)
    image[:, 10:40] = (*RED, FENCE)
    for level in Texture(image).levels:
        solid = level[..., 3] == FENCE
        assert solid.any()
        assert set(np.unique(level[..., 3])) <= {FENCE, 255}
        assert (level[solid][:, :3] == RED).all()
