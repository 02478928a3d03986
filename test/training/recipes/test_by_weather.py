# SPDX-License-Identifier: Apache-2.0
"""Weather drawn into frames to score: always the same, with the labels of the day."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from carla_unet_ros.evaluation.confusion_matrix import ConfusionMatrix
from carla_unet_ros.labels import carla_13
from carla_unet_ros.training.data.drive_frames import DriveFrames
from carla_unet_ros.training.evaluate import Evaluation
from carla_unet_ros.training.recipes.by_weather import PLACES, WEATHERS, InWeather, table

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def drive() -> DriveFrames:
    return DriveFrames(1, carla_13())


@pytest.mark.parametrize("name", WEATHERS)
def test_a_weather_is_the_same_each_time_and_leaves_labels(drive: DriveFrames, name: str) -> None:
    source = InWeather(drive, WEATHERS[name])
    first, again, day = source.read(0), source.read(0), drive.read(0)
    np.testing.assert_array_equal(first.frame, again.frame)
    np.testing.assert_array_equal(first.labels, day.labels)
    assert np.array_equal(first.frame, day.frame) == (name == "day, as it is")


def test_night_is_darker_and_fog_has_less_contrast(drive: DriveFrames) -> None:
    day = drive.read(0).frame
    assert InWeather(drive, WEATHERS["night"]).read(0).frame.mean() < 0.6 * day.mean()
    assert InWeather(drive, WEATHERS["fog"]).read(0).frame.std() < day.std()


def test_other_random_numbers_stay_as_they_were(drive: DriveFrames) -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    InWeather(drive, WEATHERS["night"]).read(0)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_table_has_a_column_for_each_place_and_model() -> None:
    def scored(right: int) -> Evaluation:
        """Of ten pixels of two classes as many are right."""
        matrix = ConfusionMatrix(2)
        matrix.counts[:] = [[right - 2, 10 - right], [0, 2]]
        return Evaluation(carla_13(), matrix)

    models = [{name: [scored(right)] * len(PLACES) for name in WEATHERS} for right in (8, 10)]
    lines = table(["old", "new"], models).splitlines()
    places = "town01, old | town01, new | course, old | course, new"
    assert lines[0] == f"| mean IoU (pixel accuracy) | {places} |"
    # 8 right: IoU 6/8 and 2/4
    cells = "0.625 (0.800) | 1.000 (1.000)"
    assert lines[3] == f"| night | {cells} | {cells} |"
    assert len(lines) == 2 + len(WEATHERS)
