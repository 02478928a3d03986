# SPDX-License-Identifier: Apache-2.0
"""Reads folders of camera frames with per-pixel labels, in the usual layouts of CARLA; no torch.

    rgb/ + label/               this project's own: label files hold the raw tag, single channel
    CameraRGB/ + CameraSeg/     the Lyft/Udacity challenge: raw tag in the red channel
    CameraRGB/ + CameraMask/    the U-Net course's assignment: raw tag in the red channel

The names of the folders tell the layout. The pixels of a mask tell how it holds its tags
(masks.py). The CARLA version of the tags cannot be recognised, so the user names it.

A pair is read when it is used, so a data set may be larger than the memory.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from carla_unet_ros.labels import LabelSet, Uint8, carla_label_set, mapping
from carla_unet_ros.pictures import read_colours, shown, write_picture
from carla_unet_ros.training.data.frame_names import DataError, files_by_name, why_no_frames
from carla_unet_ros.training.data.frame_names import split_names as _split_names
from carla_unet_ros.training.data.masks import read_tags
from carla_unet_ros.whole_files import prepare_folder

LAYOUTS = (("rgb", "label"), ("CameraRGB", "CameraSeg"), ("CameraRGB", "CameraMask"))


class Pair(NamedTuple):
    """frame: uint8 [H, W, 3] in B, G, R; labels: uint8 [H, W], ids of the wanted set or IGNORE."""

    frame: Uint8
    labels: Uint8


class PairSource(Protocol):
    """A source of frames with labels, read by index."""

    name: str

    def __len__(self) -> int: ...

    def read(self, index: int) -> Pair: ...


class PairFolder:
    """A folder in one of the layouts, its labels mapped to `target`.

    tags:  the CARLA version whose tags the masks hold, as `labels.carla_label_set` takes it
    names: file names without suffix; None takes every frame of the folder, sorted

    Raises DataError if the folder has no known layout, or a frame has no mask.
    """

    def __init__(
        self, folder: Path, tags: str, target: LabelSet, names: Sequence[str] | None = None
    ) -> None:
        self.name = folder.name
        self.source_set = carla_label_set(tags)
        self._table = mapping(self.source_set, target)
        self._folders = [folder / sub for sub in find_layout(folder)]
        frames, masks = map(files_by_name, self._folders)
        self.names = list(names) if names is not None else list(frames)
        if not self.names:
            raise DataError(why_no_frames(self._folders[0]))
        for name in self.names:
            if name not in frames:
                raise DataError(
                    f"{shown(folder)}: frame {name!a} is listed, but there is no such file"
                )
            if name not in masks:
                frame = shown(self._folders[0] / frames[name])
                raise DataError(f"{frame} has no mask in {self._folders[1].name}/")
        # Arrays and not lists: reading a Python object changes its reference count, so each worker
        # would copy a list of 100,000 paths page by page.
        self._files = [np.array([files[name] for name in self.names]) for files in (frames, masks)]

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int) -> Pair:
        """Reads a pair. DataError if a file is unreadable, sizes differ, or a tag is unknown."""
        frame_path, mask_path = (
            folder / str(files[index])
            for folder, files in zip(self._folders, self._files, strict=True)
        )
        frame = read_colours(frame_path)
        tags = read_tags(mask_path, self.source_set)
        if frame.shape[:2] != tags.shape:
            raise DataError(
                f"{shown(mask_path)} is {tags.shape[1]}x{tags.shape[0]}, but {shown(frame_path)} "
                f"is {frame.shape[1]}x{frame.shape[0]}; a pair must have one size"
            )
        return Pair(frame, np.asarray(cv2.LUT(tags, self._table), np.uint8))


def camera_frame(frame: Uint8) -> Uint8:
    """A frame in B, G, R -> uint8 [H, W, 4], the bytes of a camera message."""
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2BGRA), np.uint8)


def find_layout(folder: Path) -> tuple[str, str]:
    """Names of the frame and mask folders. Raises DataError, which lists the known layouts."""
    for frames, masks in LAYOUTS:
        if (folder / frames).is_dir() and (folder / masks).is_dir():
            return frames, masks
    found = (
        sorted(map(shown, (entry.name for entry in folder.iterdir())))
        if folder.is_dir()
        else "no folder"
    )
    expected = " or ".join(f"{frames}/ + {masks}/" for frames, masks in LAYOUTS)
    raise DataError(f"{shown(folder)} has no known layout: found {found}; expected {expected}")


def split_names(folder: Path) -> tuple[list[str], list[str]]:
    """Names for training and for validation: see `frame_names.split_names`. Raises DataError."""
    return _split_names(folder, folder / find_layout(folder)[0])


def prepare_pairs(folder: Path) -> None:
    """Raises InputError if no pairs could be written to a folder; removes what a kill left."""
    for part in ("", "rgb", "label"):
        prepare_folder(folder / part)


def write_pair(
    folder: Path, name: str, frame: Uint8, tags: Uint8, jpeg: int | None = None
) -> None:
    """Writes one pair in the project's own layout: frame [H, W, 3] B, G, R, tags [H, W] raw.

    jpeg: quality 1..100 of the frame's file; None writes it as PNG, without loss

    Files are written whole or not at all, the frame last. So each frame in the folder has labels,
    even if the process was killed.
    """
    write_picture(folder / "label" / f"{name}.png", tags)
    write_picture(folder / "rgb" / f"{name}.{'png' if jpeg is None else 'jpg'}", frame, jpeg)
