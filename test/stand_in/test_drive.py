# SPDX-License-Identifier: Apache-2.0
"""The procedural drive: the same for everyone, every class on the way, any size of picture."""

from functools import cache

import numpy as np
import pytest

from carla_unet_ros.labels import carla_13
from carla_unet_ros.stand_in.drive import FRAMES_PER_SECOND, Drive

pytestmark = pytest.mark.once  # test_camera_node draws it on every Python

SMALL = 320, 240
SEEDS = (0, 3, 4, 8, 9, 11)
"""Each kind of town, each weather, with and without a bonnet."""

ROAD, ROAD_LINE, BUILDING, VEHICLE, NONE = carla_13().ids(
    ("Roads", "RoadLines", "Buildings", "Vehicles", "None/Unlabeled")
)


@cache
def small_drive(seed: int) -> Drive:
    return Drive(*SMALL, seed=seed)


@pytest.fixture(scope="module")
def shares() -> dict[int, np.ndarray]:
    """Pixel share of each class, by seed: float [frames, 13], ten frames of ten seconds."""
    found = {}
    for seed in SEEDS:
        counts = [
            np.bincount(small_drive(seed).frame(index).labels.ravel(), minlength=13)
            for index in range(0, 200, 20)
        ]
        found[seed] = np.array(counts) / (SMALL[0] * SMALL[1])
    return found


def test_a_seed_gives_the_same_bytes_in_any_order():
    one, other = small_drive(3), Drive(*SMALL, seed=3)
    forwards = {index: one.frame(index) for index in (0, 7, 400)}
    for index in (400, 0, 7):
        again = other.frame(index)
        assert (again.frame == forwards[index].frame).all()
        assert (again.labels == forwards[index].labels).all()


def test_far_away_blocks_are_forgotten_and_come_back_the_same():
    drive = small_drive(0)
    first = drive.frame(10)
    for index in range(0, 10000, 400):
        drive.frame(index)
    again = drive.frame(10)
    assert (again.frame == first.frame).all()
    assert (again.labels == first.labels).all()


def test_seeds_differ_and_the_car_moves():
    drive = small_drive(0)
    here, there, elsewhere = drive.frame(0), drive.frame(1), small_drive(9).frame(0)
    assert (here.frame != there.frame).any()
    assert (here.labels != there.labels).any()
    assert (here.labels != elsewhere.labels).mean() > 0.1


def test_a_scene_is_not_touched_by_the_next():
    drive = small_drive(0)
    scene = drive.frame(0)
    kept = scene.frame.copy(), scene.labels.copy()
    drive.frame(100)
    assert (scene.frame == kept[0]).all()
    assert (scene.labels == kept[1]).all()


def test_frames_lie_a_twentieth_second_apart():
    assert FRAMES_PER_SECOND == 20
    drive = small_drive(8)
    assert (drive.frame(30).frame == drive.at(1.5).frame).all()


@pytest.mark.parametrize(
    ("size", "seed"),
    [((333, 201), 0), ((1920, 1080), 11), ((97, 401), 3), ((3, 2), 9), ((1, 1), 11)],
)
def test_any_size(size: tuple[int, int], seed: int):
    width, height = size
    frame, labels, _ = Drive(width, height, seed=seed).frame(5)
    assert frame.shape == (height, width, 4)
    assert labels.shape == (height, width)
    assert frame.dtype == labels.dtype == np.uint8
    assert frame.flags.c_contiguous and labels.flags.c_contiguous
    assert (frame[..., 3] == 255).all()
    assert labels.max() < len(carla_13())


@pytest.mark.parametrize("fov", [30.0, 150.0])
def test_other_fields_of_view_show_a_street(fov: float):
    labels = Drive(*SMALL, fov=fov, seed=0).frame(0).labels
    assert (labels == ROAD).mean() > 0.1


@pytest.mark.parametrize("arguments", [(0, 600), (800, -1), (800, 600, 180.0), (800, 600, 0.0)])
def test_an_impossible_camera_is_refused(arguments: tuple[float, ...]):
    with pytest.raises(ValueError, match="is not possible; expected"):
        Drive(*arguments)  # pyright: ignore[reportArgumentType]


def test_every_class_comes_on_every_drive(shares: dict[int, np.ndarray]):
    names = carla_13().names
    for seed, share in shares.items():
        missing = [name for name, seen in zip(names, share.max(axis=0), strict=True) if not seen]
        assert not missing, f"seed {seed} shows no {missing}"


def test_rare_classes_come_often(shares: dict[int, np.ndarray]):
    seen = np.concatenate(list(shares.values())) > 0
    often = dict(zip(carla_13().names, seen.mean(axis=0), strict=True))
    assert min(often.values()) > 0.5, often


def test_the_lane_ahead_of_the_car_is_road():
    for seed in (0, 4, 8, 9):
        for index in range(0, 200, 40):
            assert small_drive(seed).frame(index).labels[-1, SMALL[0] // 2] in (ROAD, ROAD_LINE)


def test_every_fourth_seed_shows_the_own_bonnet():
    for seed in SEEDS:
        lowest = small_drive(seed).frame(0).labels[-1] == VEHICLE
        assert lowest.all() == (seed % 4 == 3)


def test_towns_differ_in_character(shares: dict[int, np.ndarray]):
    built = {seed: share[:, BUILDING].mean() for seed, share in shares.items()}
    assert min(built[seed] for seed in (0, 3, 9)) > 2 * max(built[seed] for seed in (8, 11))


def test_the_picture_shows_what_the_labels_say():
    """Road lines are brighter than the road they lie on, and nothing is of one flat colour."""
    drive = Drive(seed=4)
    frame, labels, _ = drive.frame(0)
    grey = frame[..., :3].mean(axis=2)
    assert grey[labels == ROAD_LINE].mean() > grey[labels == ROAD].mean() + 10
    for label in (ROAD, BUILDING, NONE):
        assert grey[labels == label].std() > 3
