# SPDX-License-Identifier: Apache-2.0
"""What a frame of a clear day becomes in another weather, and what stays as it is."""

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor

from carla_unet_ros.labels import carla_13
from carla_unet_ros.training.data import weather
from carla_unet_ros.training.data.weather import Weather

pytestmark = pytest.mark.training

NONE, BUILDING, ROAD, VEHICLE = carla_13().ids(
    ["None/Unlabeled", "Buildings", "Roads", "Vehicles"]
)
MAKERS = (weather.make_night, weather.make_fog, weather.make_low_sun, weather.make_wet)


def scene() -> tuple[Tensor, Tensor]:
    """64 rows: sky down to row 32, a house in its left half from row 16 on, road below."""
    labels = torch.zeros(64, 96, dtype=torch.int64)
    labels[16:32, :48] = BUILDING
    labels[32:] = ROAD
    frame = torch.full((3, 64, 96), 0.8)
    frame[:, labels == BUILDING] = 0.4
    frame[:, labels == ROAD] = 0.3
    return frame, labels


@pytest.mark.parametrize("maker", MAKERS)
def test_every_weather_gives_a_frame_of_the_same_size_in_0_to_1(maker) -> None:
    torch.manual_seed(0)
    frame, labels = scene()
    for _ in range(20):
        changed = maker(frame, labels)
        assert changed.shape == frame.shape
        assert changed.isfinite().all()
        assert 0 <= changed.min() <= changed.max() <= 1
        assert not torch.equal(changed, frame)


@pytest.mark.parametrize("maker", MAKERS)
def test_every_weather_stands_frames_without_any_ground(maker) -> None:
    torch.manual_seed(0)
    frame, labels = scene()
    labels[:] = NONE
    assert maker(frame, labels).isfinite().all()


def test_the_night_sky_is_darker_than_a_quarter_of_the_day_sky() -> None:
    torch.manual_seed(0)
    frame, labels = scene()
    sky = torch.stack([weather.make_night(frame, labels)[:, :8] for _ in range(30)])
    assert sky.median() < 0.2 * frame[:, :8].mean() + 0.05


def test_the_horizon_lies_two_rows_above_the_first_row_of_road() -> None:
    assert weather.horizon(scene()[1]) == 30


def test_depth_is_that_of_the_row_on_the_road_and_of_its_foot_on_a_house() -> None:
    depth = weather.depth(scene()[1])
    # Row 60 lies 30 below the horizon: 0.9 x 64 / 30. The house stands on row 32, 2 below it.
    assert depth[60, 10] == pytest.approx(0.9 * 64 / 30)
    assert depth[20, 10] == depth[31, 10] == pytest.approx(0.9 * 64 / 2)
    assert depth[5, 80] == 80


def test_fog_hides_the_far_more_than_the_near() -> None:
    torch.manual_seed(0)
    frame, labels = scene()
    fog = weather.make_fog(frame, labels)
    assert (fog - frame)[:, 33].abs().mean() > 3 * (fog - frame)[:, 63].abs().mean()


def test_only_the_ground_is_wet() -> None:
    torch.manual_seed(0)
    frame, labels = scene()
    wet = weather.make_wet(frame, labels)
    assert torch.equal(wet[:, :32], frame[:, :32])
    assert not torch.equal(wet[:, 32:], frame[:, 32:])


def test_a_bonnet_is_a_vehicle_at_the_bottom_and_leaves_the_rest() -> None:
    torch.manual_seed(0)
    frame, labels = scene()
    for _ in range(20):
        changed, ids = weather.add_bonnet(frame, labels)
        bonnet = ids == VEHICLE
        assert bonnet[-1].any()
        assert not bonnet[:34].any()  # it rises by 0.46 of 64 rows at most
        assert torch.equal(changed[:, ~bonnet], frame[:, ~bonnet])
        assert torch.equal(ids[~bonnet], labels[~bonnet])


def test_no_share_is_no_weather_and_a_whole_share_is_one_each_time() -> None:
    torch.manual_seed(0)
    frame, labels = scene()
    assert torch.equal(Weather()(frame, labels)[0], frame)
    assert all(not torch.equal(Weather(share=1.0)(frame, labels)[0], frame) for _ in range(10))


def test_the_same_seed_gives_the_same_weather() -> None:
    frame, labels = scene()
    results = []
    for _ in range(2):
        torch.manual_seed(5)
        results.append(Weather(1.0, 1.0)(frame, labels))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
