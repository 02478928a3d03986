# SPDX-License-Identifier: Apache-2.0
"""Folders of pairs: the four layouts, the tag tables, and an error that names the file."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import IGNORE, Uint8, carla_13, carla_label_set
from carla_unet_ros.training.data.folders import (
    LAYOUTS,
    PairFolder,
    find_layout,
    split_names,
    write_pair,
)
from carla_unet_ros.training.data.frame_names import read_list

TAGS: Uint8 = np.array([[0, 7, 7], [10, 6, 12]], np.uint8)
FRAME: Uint8 = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)


def in_red(tags: Uint8) -> Uint8:
    mask = np.zeros((*tags.shape, 3), np.uint8)
    mask[..., 2] = tags
    return mask


def in_colours(tags: Uint8) -> Uint8:
    return carla_label_set("0.9.5").palette_bgr[tags]


def folder_with(
    tmp_path: Path, layout: tuple[str, str], mask: np.ndarray, names: str = "a"
) -> Path:
    for sub, image in zip(layout, (FRAME, mask), strict=True):
        (tmp_path / sub).mkdir(parents=True, exist_ok=True)
        for name in names:
            cv2.imwrite(str(tmp_path / sub / f"{name}.png"), image)
    return tmp_path


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("as_file", [in_red, in_colours, lambda tags: tags])
def test_every_layout_gives_the_same_pair(tmp_path: Path, layout, as_file) -> None:
    folder = folder_with(tmp_path, layout, as_file(TAGS))
    frame, labels = PairFolder(folder, "0.9.5", carla_13()).read(0)
    np.testing.assert_array_equal(frame, FRAME)
    np.testing.assert_array_equal(labels, TAGS)


def test_layout_is_recognised_and_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    folder_with(tmp_path, ("CameraRGB", "CameraMask"), TAGS)
    assert find_layout(tmp_path) == ("CameraRGB", "CameraMask")
    (tmp_path / "elsewhere" / "images").mkdir(parents=True)
    with pytest.raises(InputError, match=r"images.*CameraRGB/ \+ CameraSeg/"):
        find_layout(tmp_path / "elsewhere")


def test_tags_are_mapped_to_the_wanted_set(tmp_path: Path) -> None:
    """0.9.13: sky 13 -> 0, terrain 22 -> 0, traffic light 18 -> 12, static 19 -> 3."""
    tags = np.array([[13, 22, 18, 19]], np.uint8)
    folder = folder_with(tmp_path, ("rgb", "label"), tags)
    cv2.imwrite(str(folder / "rgb" / "a.png"), np.zeros((1, 4, 3), np.uint8))
    labels = PairFolder(folder, "0.9.13", carla_13()).read(0).labels
    assert labels.tolist() == [[0, 0, 12, 3]]


def test_unlabelled_pixels_stay_ignored(tmp_path: Path) -> None:
    tags = TAGS.copy()
    tags[0, 0] = IGNORE
    folder = folder_with(tmp_path, ("rgb", "label"), tags)
    assert PairFolder(folder, "0.8.x", carla_13()).read(0).labels[0, 0] == IGNORE


def test_written_pairs_read_back(tmp_path: Path) -> None:
    write_pair(tmp_path, "000001", FRAME, TAGS)
    frame, labels = PairFolder(tmp_path, "0.8.x", carla_13()).read(0)
    np.testing.assert_array_equal(frame, FRAME)
    np.testing.assert_array_equal(labels, TAGS)


def test_missing_mask_names_the_frame(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, ("rgb", "label"), TAGS, "ab")
    (folder / "label" / "b.png").unlink()
    with pytest.raises(InputError, match=r"b\.png has no mask in label/"):
        PairFolder(folder, "0.8.x", carla_13())
    assert len(PairFolder(folder, "0.8.x", carla_13(), ["a"])) == 1


def test_listed_frame_that_is_not_there_is_named(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, ("rgb", "label"), TAGS)
    with pytest.raises(InputError, match="'nine' is listed"):
        PairFolder(folder, "0.8.x", carla_13(), ["nine"])


def test_sizes_that_differ_name_both_files(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, ("rgb", "label"), TAGS[:, :2])
    with pytest.raises(InputError, match=r"label/a\.png is 2x2, but .*rgb/a\.png is 3x2"):
        PairFolder(folder, "0.8.x", carla_13()).read(0)


@pytest.mark.parametrize("sub", ["rgb", "label"])
def test_unreadable_file_is_named(tmp_path: Path, sub: str) -> None:
    folder = folder_with(tmp_path, ("rgb", "label"), TAGS)
    path = folder / sub / "a.png"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match=rf"{sub}/a\.png is damaged or cut short"):
        PairFolder(folder, "0.8.x", carla_13()).read(0)


def test_unknown_tag_names_the_file_and_the_tag(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, ("rgb", "label"), TAGS + 5)
    with pytest.raises(InputError, match=r"a\.png: tag 1[57] is unknown.*--tags"):
        PairFolder(folder, "0.8.x", carla_13()).read(0)


def test_unknown_colour_names_the_file_and_the_colour(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, ("rgb", "label"), np.full((2, 3, 3), (3, 2, 201), np.uint8))
    with pytest.raises(InputError, match=r"a\.png: colour \[201, 2, 3\]"):
        PairFolder(folder, "0.8.x", carla_13()).read(0)


def test_masks_that_lost_something_are_refused(tmp_path: Path) -> None:
    """As JPEG, the tags 0 7 7 10 6 12 read back as 3 3 9 8 8 14."""
    folder = folder_with(tmp_path, ("rgb", "label"), TAGS)
    (folder / "label" / "a.png").unlink()
    cv2.imwrite(str(folder / "label" / "a.jpg"), TAGS)
    with pytest.raises(InputError, match=r"label/a\.jpg is a JPEG"):
        PairFolder(folder, "0.8.x", carla_13()).read(0)


def test_sixteen_bit_masks_are_refused(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, ("rgb", "label"), TAGS.astype(np.uint16))
    with pytest.raises(InputError, match="uint16"):
        PairFolder(folder, "0.8.x", carla_13()).read(0)


def test_lists_in_the_folder_are_used(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, ("rgb", "label"), TAGS, "abc")
    (folder / "train.txt").write_text("a\nb.png\n")
    (folder / "val.txt").write_text("c\n")
    assert split_names(folder) == (["a", "b"], ["c"])


def test_without_lists_the_end_is_held_back_behind_a_gap(tmp_path: Path) -> None:
    """20 frames: 15 % are 3 for validation, 2 % are rounded to no gap; 100 frames: gap of 2."""
    names = [chr(ord("a") + place) for place in range(20)]
    train, val = split_names(folder_with(tmp_path, ("rgb", "label"), TAGS, "".join(names)))
    assert (train, val) == (names[:17], names[17:])


def test_names_in_a_list_keep_all_but_an_images_suffix(tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_text("12.05\n12.10.png\n\n a frame.JPG \n")
    assert read_list(tmp_path / "val.txt") == ["12.05", "12.10", "a frame"]


def test_empty_and_missing_lists_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(InputError, match=r"empty\.txt is empty"):
        read_list(tmp_path / "empty.txt")
    with pytest.raises(InputError, match=r"none\.txt cannot be read"):
        read_list(tmp_path / "none.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"binary\.txt is no text"):
        read_list(tmp_path / "binary.txt")
