# SPDX-License-Identifier: Apache-2.0
"""Label sets: CARLA's tables, palettes there and back, and mappings between versions."""

import numpy as np
import pytest

from carla_unet_ros.labels import (
    IGNORE,
    UNKNOWN_TAG,
    LabelSet,
    carla_13,
    carla_label_set,
    label_set,
    mapping,
)
from carla_unet_ros.labels.carla_tags import TAG_TABLES


@pytest.mark.parametrize(
    ("version", "classes", "road", "vehicle"),
    [
        ("0.8.x", 13, 7, "Vehicles"),
        ("0.9.0-0.9.1", 13, 7, "Vehicles"),
        ("0.9.2-0.9.9", 13, 7, "Vehicles"),
        ("0.9.10-0.9.13", 23, 7, "Vehicles"),
        ("0.9.14-0.9.16", 29, 1, "Car"),
        ("0.10.0", 29, 1, "Car"),
        ("ue5-dev-after-0.10.0", 30, 1, "Car"),
    ],
)
def test_the_table_of_a_version_has_its_classes_and_its_id_of_the_road(
    version: str, classes: int, road: int, vehicle: str
) -> None:
    labels = carla_label_set(version)
    assert len(labels) == classes
    assert labels.ids(["Roads"]) == [road]
    assert labels.ids([vehicle]) == [10 if vehicle == "Vehicles" else 14]


@pytest.mark.parametrize(
    ("release", "span"),
    [
        ("0.8.4", "0.8.x"),
        ("0.9.5", "0.9.2-0.9.9"),
        ("0.9.10", "0.9.10-0.9.13"),
        ("0.9.15", "0.9.14-0.9.16"),
        ("0.10.0", "0.10.0"),
    ],
)
def test_a_release_belongs_to_a_span_of_versions(release: str, span: str) -> None:
    assert carla_label_set(release).carla_tags == span


@pytest.mark.parametrize("unknown", ["0.7.1", "0.9.17", "latest", "", "0.9"])
def test_an_unknown_version_is_refused_with_a_list_of_the_known_ones(unknown: str) -> None:
    with pytest.raises(ValueError, match=r"known: 0\.8\.x"):
        label_set(unknown)


@pytest.mark.parametrize("version", TAG_TABLES)
def test_colours_of_a_palette_become_their_ids_again(version: str) -> None:
    labels = carla_label_set(version)
    ids = np.arange(len(labels), dtype=np.uint8).reshape(1, -1)
    back = labels.ids_of_colours(labels.palette_bgr[ids])
    if version == "0.9.0-0.9.1":  # its road lines have the poles' colour
        ids[ids == 6] = 5
    np.testing.assert_array_equal(back, ids)


def test_a_colour_of_no_class_becomes_the_unknown_tag() -> None:
    image = np.array([[[128, 64, 128, 255], [1, 2, 3, 255]]], np.uint8)
    assert carla_13().ids_of_colours(image).tolist() == [[7, UNKNOWN_TAG]]


def test_newer_tags_become_their_class_or_the_nearest_broader_one() -> None:
    old, new = carla_13(), carla_label_set("0.9.15")
    table = mapping(new, old)
    names = ("Roads", "Truck", "Rider", "Sky", "Terrain", "TrafficLight", "GuardRail", "Static")
    assert [int(table[id]) for id in new.ids(names)] == [7, 10, 4, 0, 0, 12, 2, 3]
    assert (table[len(new) :] == IGNORE).all()


def test_the_13_classes_have_a_counterpart_in_every_version() -> None:
    for version in TAG_TABLES:
        target = carla_label_set(version)
        assert (mapping(carla_13(), target)[:13] < len(target)).all()


def test_a_class_without_a_counterpart_becomes_ignore() -> None:
    labels = carla_13()
    only_roads = LabelSet.from_json(
        '{"name": "r", "carla_tags": "", "classes": [{"id": 0, "name": "Roads", "rgb": [1,2,3]}]}'
    )
    table = mapping(labels, only_roads)
    assert table[7] == 0
    assert np.count_nonzero(table != IGNORE) == 1


def test_a_label_set_is_read_back_from_its_json() -> None:
    labels = carla_label_set("0.9.13")
    assert LabelSet.from_json(labels.to_json()) == labels


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"classes": 3}',
        '{"name": "x", "carla_tags": "", "classes": []}',
        '{"name": "x", "carla_tags": "", "classes": [{"id": 1, "name": "a", "rgb": [0, 0, 0]}]}',
        '{"name": "x", "carla_tags": "", "classes": [{"id": 0, "name": "a", "rgb": [0, 0, 256]}]}',
    ],
)
def test_a_text_that_is_no_label_set_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no JSON|label set|colour"):
        LabelSet.from_json(text)


def test_an_unknown_class_name_is_refused_with_a_list_of_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'Lawn'.*Roads"):
        carla_13().ids(["Roads", "Lawn"])
