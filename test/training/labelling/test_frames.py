# SPDX-License-Identifier: Apache-2.0
"""Frames of several folders come in turns, of their lists where they have one."""

from pathlib import Path

import numpy as np
import pytest

from carla_unet_ros.pictures import write_picture
from carla_unet_ros.training.data.frame_names import DataError
from carla_unet_ros.training.labelling.frames import mixed_frames


def folder(path: Path, greys: range) -> Path:
    path.mkdir()
    for grey in greys:
        write_picture(path / f"{grey}.png", np.full((4, 4, 3), grey, np.uint8))
    return path


def greys(folders: list[Path], most: int) -> list[int]:
    return [int(frame.mean()) for frame in mixed_frames(folders, most)]


def test_folders_take_turns(tmp_path: Path) -> None:
    """Half as many frames of one come half as often."""
    folders = [folder(tmp_path / "a", range(4)), folder(tmp_path / "b", range(100, 102))]
    assert greys(folders, 10) == [0, 100, 1, 2, 101, 3]


def test_at_most_so_many_of_each_evenly_spread(tmp_path: Path) -> None:
    assert greys([folder(tmp_path / "a", range(5))], 3) == [0, 2, 4]


def test_frames_that_are_held_back_are_not_read(tmp_path: Path) -> None:
    held = folder(tmp_path / "a", range(4))
    (held / "train.txt").write_text("1\n2\n")
    assert greys([held], 10) == [1, 2]


def test_a_frame_that_is_not_there_is_named(tmp_path: Path) -> None:
    held = folder(tmp_path / "a", range(2))
    (held / "train.txt").write_text("1\n7\n")
    with pytest.raises(DataError, match="has no frame '7'"):
        greys([held], 10)
