# SPDX-License-Identifier: Apache-2.0
"""What the pixels of a semantic camera tell about their meaning, and what they do not."""

import numpy as np
import pytest

from carla_unet_ros.labels import carla_label_set
from carla_unet_ros.training.data.tag_recognition import TagError, TagFormat, colours_in, recognise

BLACK = (0, 0, 0)
ROAD_COLOUR, SIDEWALK_COLOUR = (128, 64, 128), (244, 35, 232)
ROAD_LINE_COLOUR = (157, 234, 50)


def bgra(*colours: tuple[int, int, int]) -> np.ndarray:
    """A picture of one row, one pixel for each (R, G, B)."""
    return np.array([[(*colour[::-1], 255) for colour in colours]], np.uint8)


def test_colours_are_read_as_red_green_blue():
    assert colours_in(bgra((1, 2, 3), (1, 2, 3), (250, 0, 7))) == {(1, 2, 3), (250, 0, 7)}


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ("0.8.2", "Vehicles"),
        ("0.9.12", "Fences"),
        ("0.9.13", "Terrain"),
        ("0.9.15", "Terrain"),
        ("0.9.16", "Truck"),
        ("0.9.14", "Rider"),
    ],
)
def test_a_colour_that_only_one_numbering_has_tells_the_version(release: str, name: str):
    labels = carla_label_set(release)
    colours = {label.colour for label in labels.classes if label.name in ("Roads", name)}
    found = recognise(colours)
    assert found.palette
    image = bgra(*colours)
    assert (found.tags(image) == labels.ids_of_colours(image)).all()


def test_all_colours_of_a_table_are_recognised_as_its_tags():
    for release in ("0.8.2", "0.9.5", "0.9.13", "0.9.16"):
        labels = carla_label_set(release)
        image = bgra(*(label.colour for label in labels.classes))
        tags = recognise(colours_in(image)).tags(image)
        assert tags.tolist() == [list(range(len(labels)))], release


def test_colours_whose_tag_depends_on_the_version_are_refused():
    # Road is 7 up to 0.9.13 and 1 since.
    with pytest.raises(TagError, match=r"--tags 0.9.10-0.9.13 or --tags 0.9.14-0.9.16"):
        recognise({BLACK, ROAD_COLOUR, SIDEWALK_COLOUR})
    named = recognise({BLACK, ROAD_COLOUR, SIDEWALK_COLOUR}, "0.9.13")
    assert named.tags(bgra(ROAD_COLOUR, SIDEWALK_COLOUR, BLACK)).tolist() == [[7, 8, 0]]


def test_raw_tags_above_22_are_of_the_numbering_since_0_9_14():
    found = recognise({(1, 0, 0), (24, 0, 0)})
    assert not found.palette and found.label_set.names[24] == "RoadLines"
    assert found.tags(bgra((24, 0, 0), (1, 0, 0))).tolist() == [[24, 1]]


def test_raw_tags_that_every_version_has_are_refused_until_the_version_is_named():
    with pytest.raises(TagError, match=r"raw tags .* since 0.9.16"):
        recognise({(1, 0, 0), (7, 0, 0)})
    found = recognise({(1, 0, 0), (7, 0, 0)}, "0.9.16")
    assert found == TagFormat(False, carla_label_set("0.9.16"))


def test_labels_that_are_black_all_over_are_refused_even_with_a_version():
    for tags in (None, "0.9.16"):
        with pytest.raises(TagError, match="black all over"):
            recognise({BLACK}, tags)


def test_colours_of_no_version_are_named():
    with pytest.raises(TagError, match=r"1 colours .*: \(127, 64, 128\); was the topic compress"):
        recognise({ROAD_COLOUR, (127, 64, 128)})
    with pytest.raises(TagError, match="several versions in one bag"):
        recognise({(145, 170, 100), (152, 251, 152)})  # Terrain before and since 0.9.14


def test_one_wrong_pixel_makes_a_picture_unusable():
    palette = recognise({ROAD_COLOUR, ROAD_LINE_COLOUR}, "0.9.16")
    with pytest.raises(TagError, match=r"colour \(1, 2, 3\) .* \(1 pixels\)"):
        palette.tags(bgra(ROAD_COLOUR, (1, 2, 3)))
    raw = recognise({(24, 0, 0)})
    with pytest.raises(TagError, match="tag 29 is no class"):
        raw.tags(bgra((24, 0, 0), (29, 0, 0)))
    with pytest.raises(TagError, match="leave green and blue at 0"):
        raw.tags(bgra((1, 64, 0)))
