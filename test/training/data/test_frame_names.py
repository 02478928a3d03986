# SPDX-License-Identifier: Apache-2.0
"""Which frames a folder and its lists name, and what is refused."""

import os
import unicodedata
from pathlib import Path

import pytest

from carla_unet_ros.errors import InputError
from carla_unet_ros.training.data.frame_names import (
    files_by_name,
    read_list,
    split_names,
    unsplit_names,
    why_no_frames,
)
from carla_unet_ros.whole_files import write_whole


def folder_of(tmp_path: Path, *names: str) -> Path:
    for name in names:
        (tmp_path / name).touch()
    return tmp_path


def test_hidden_files_and_folders_are_no_frames(tmp_path: Path) -> None:
    (tmp_path / "b.png").mkdir()
    folder = folder_of(tmp_path, "a.png", "._a.png", ".a.png.swp", "notes.txt")
    assert files_by_name(folder) == {"a": "a.png"}


def test_numbers_sort_as_people_count(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "10.png", "9.png", "100.png", "b2.png", "b10.png")
    assert list(files_by_name(folder)) == ["9", "10", "100", "b2", "b10"]


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "000.png", "000.jpg")
    with pytest.raises(InputError, match=r"000\.(png|jpg) and 000\.(png|jpg): two files of one"):
        files_by_name(folder)


def test_what_was_found_instead_of_frames_is_told(tmp_path: Path) -> None:
    (tmp_path / "town").mkdir()
    told = why_no_frames(folder_of(tmp_path, "0.webp", "1.webp", "2.tif"))
    assert "found 2 *.webp, " in told
    assert "expected files *.png, *.jpg, *.jpeg, *.bmp" in told
    with pytest.raises(InputError, match="holds no frames"):
        split_names(tmp_path, tmp_path)


def test_lists_may_have_a_bom_comments_folders_and_either_form_of_an_umlaut(
    tmp_path: Path,
) -> None:
    path = tmp_path / "val.txt"
    decomposed = unicodedata.normalize("NFD", "straße_ü")
    lines = (
        "\ufeff# held back",
        "rgb/000.png  # a folder",
        "",
        r"C:\x\001.jpg",
        f"{decomposed}.png",
    )
    text = "\r\n".join(lines)
    path.write_bytes(text.encode())
    assert read_list(path) == ["000", "001", "straße_ü"]
    folder = folder_of(tmp_path, f"{decomposed}.png")
    assert list(files_by_name(folder)) == ["straße_ü"]


def test_a_name_that_is_listed_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_text("a\nb\na.png\n")
    with pytest.raises(InputError, match=r"names 'a' more than once"):
        read_list(tmp_path / "val.txt")


@pytest.mark.parametrize(("there", "missing"), [("train", "val"), ("val", "train")])
def test_one_list_without_the_other_is_refused(tmp_path: Path, there: str, missing: str) -> None:
    folder_of(tmp_path, "a.png", "b.png")
    (tmp_path / f"{there}.txt").write_text("a\n")
    with pytest.raises(
        InputError, match=rf"has {there}\.txt without {missing}\.txt: the frames to hold"
    ):
        split_names(tmp_path, tmp_path)


def test_a_folder_to_train_on_alone_may_have_a_train_list_and_no_val_list(tmp_path: Path) -> None:
    assert unsplit_names(tmp_path) is None
    (tmp_path / "train.txt").write_text("a\nb\n")
    assert unsplit_names(tmp_path) == ["a", "b"]
    (tmp_path / "val.txt").write_text("c\n")
    with pytest.raises(InputError, match="unsplit"):
        unsplit_names(tmp_path)


def test_lists_that_overlap_are_refused(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a\nb\n")
    (tmp_path / "val.txt").write_text("b\nc\n")
    with pytest.raises(InputError, match=r"both name 'b'; a frame that was trained on is no test"):
        split_names(tmp_path, tmp_path)


def test_unpadded_numbers_are_held_back_as_the_end_of_the_drive(tmp_path: Path) -> None:
    """0..99: the last 15 are for validation, behind a gap of 2."""
    folder = folder_of(tmp_path, *(f"{number}.png" for number in range(100)))
    train, val = split_names(folder, folder)
    assert train == [str(number) for number in range(83)]
    assert val == [str(number) for number in range(85, 100)]


def test_names_that_are_no_utf_8_are_names(tmp_path: Path) -> None:
    name = os.fsdecode(b"stra\xdfe")
    assert files_by_name(folder_of(tmp_path, f"{name}.png")) == {name: f"{name}.png"}


def test_a_list_of_ours_names_every_file_again(tmp_path: Path) -> None:
    names = [os.fsdecode(b"stra\xdfe"), "frame#1", "a b"]
    write_whole(tmp_path / "train.txt", "".join(f"{name}\n" for name in names))
    assert read_list(tmp_path / "train.txt") == names


def test_a_list_that_would_be_waited_for_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "val.txt")
    with pytest.raises(InputError, match=r"val\.txt cannot be read: It is no regular file"):
        read_list(tmp_path / "val.txt")
