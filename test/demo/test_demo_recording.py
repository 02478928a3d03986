# SPDX-License-Identifier: Apache-2.0
"""The demo's video keeps the frames' time, and its picture shows three images side by side."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from carla_unet_ros.demo.recording import Video, View, write_picture
from carla_unet_ros.labels import Uint8


def test_a_video_plays_as_fast_as_the_stamps_went(tmp_path: Path) -> None:
    video = Video(tmp_path / "demo.mp4")
    video.add(view(seconds=100.0, frame=0, overlay=100))
    video.add(view(seconds=100.05, frame=255, overlay=0))
    video.add(view(seconds=102.0, frame=200, overlay=50))
    video.close()
    frames = read(video.path)
    # 2 s at 10 frames/s and the one at the end; the view at 100.05 comes too soon for a frame.
    assert len(frames) == 21
    assert frames[0].shape == (480, 1280, 3)
    assert brightness(frames[0]) == pytest.approx((0, 100), abs=6)
    for frame in frames[1:]:
        assert brightness(frame) == pytest.approx((200, 50), abs=6)


def test_a_video_of_nothing_leaves_no_file(tmp_path: Path) -> None:
    Video(tmp_path / "demo.mp4").close()
    assert not (tmp_path / "demo.mp4").exists()


def test_a_video_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    video = Video(tmp_path / "file" / "demo.mp4")
    video.add(view(seconds=1.0, frame=0, overlay=0))
    with pytest.raises(OSError, match="file"):
        video.close()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_whose_name_is_no_utf_8_gets_both_files(tmp_path: Path) -> None:
    """OpenCV ends the process at such a name."""
    folder = tmp_path / os.fsdecode(b"b\xe4der")
    video = Video(folder / "demo.mp4")
    video.add(view(seconds=1.0, frame=0, overlay=0))
    video.close()
    write_picture(folder / "demo.png", view(seconds=1.0, frame=10, overlay=20, truth=30))
    assert {path.name for path in folder.iterdir()} == {"demo.mp4", "demo.png"}


def test_a_picture_shows_camera_segmentation_and_truth(tmp_path: Path) -> None:
    path = tmp_path / "demo.png"
    write_picture(path, view(seconds=1.0, frame=10, overlay=20, truth=30))
    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.shape == (600, 2400, 3)
    above_captions = picture[:500]
    for place, grey in ((0, 10), (800, 20), (1600, 30)):
        assert np.all(above_captions[:, place : place + 800] == grey)


def view(seconds: float, frame: int, overlay: int, truth: int = 0) -> View:
    return View(seconds, image(frame), image(overlay), image(truth))


def image(grey: int) -> Uint8:
    return np.full((600, 800, 3), grey, np.uint8)


def read(path: Path) -> list[Uint8]:
    capture = cv2.VideoCapture(str(path))
    frames: list[Uint8] = []
    while (found := capture.read())[0]:
        frames.append(np.asarray(found[1], np.uint8))
    return frames


def brightness(frame: Uint8) -> tuple[float, float]:
    """Mean of the left and of the right half."""
    left, right = np.hsplit(frame, 2)
    return float(left.mean()), float(right.mean())
