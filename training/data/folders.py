"""Folders of camera frames with per-pixel labels, in the layouts CARLA data comes in; no torch.

    rgb/ + label/               this project's own: label files hold the raw tag, single channel
    CameraRGB/ + CameraSeg/     the Lyft/Udacity challenge: raw tag in the red channel
    CameraRGB/ + CameraMask/    the U-Net course's assignment: raw tag in the red channel

Which of them a folder is, is recognised by its folder names; whether a mask holds raw tags or
palette colours (the fourth layout, with any of these folder names), by its pixels. What cannot
be recognised, the CARLA version whose tags the masks hold, is named by the user.

A pair is read only when it is asked for, so a data set may be larger than the memory.
"""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from carla_unet_ros.labels import (
    IGNORE,
    UNKNOWN_TAG,
    LabelSet,
    Uint8,
    carla_label_set,
    mapping,
)

LAYOUTS = (("rgb", "label"), ("CameraRGB", "CameraSeg"), ("CameraRGB", "CameraMask"))
_SUFFIXES = ("png", "jpg", "jpeg", "bmp")
_VALIDATION_SHARE = 0.15
_GAP_SHARE = 0.02


class DataError(ValueError):
    """Data that cannot be used; the text names the file and says what is wrong with it."""


class Pair(NamedTuple):
    """frame: uint8 [H, W, 3] in B, G, R; labels: uint8 [H, W], ids of the wanted set or IGNORE."""

    frame: Uint8
    labels: Uint8


class PairSource(Protocol):
    """Anything that frames with labels can be read from, by index."""

    name: str

    def __len__(self) -> int: ...

    def read(self, index: int) -> Pair: ...


class PairFolder:
    """A folder in one of the layouts, its labels mapped to `target`.

    tags:  the CARLA version whose tags the masks hold, as `labels.carla_label_set` takes it
    names: file names without suffix; None takes every frame of the folder, sorted

    Raises DataError where the folder has no known layout, or a frame has no mask.
    """

    def __init__(
        self, folder: Path, tags: str, target: LabelSet, names: Sequence[str] | None = None
    ) -> None:
        self.name = folder.name
        self.source_set = carla_label_set(tags)
        self._table = mapping(self.source_set, target)
        self._folders = [folder / sub for sub in find_layout(folder)]
        frames, masks = map(_files_by_name, self._folders)
        self.names = list(names) if names is not None else sorted(frames)
        for name in self.names:
            if name not in frames:
                raise DataError(f"{folder}: frame {name!r} is listed, but there is no such file")
            if name not in masks:
                frame, masks_folder = self._folders[0] / frames[name], self._folders[1].name
                raise DataError(f"{frame} has no mask in {masks_folder}/")
        if not self.names:
            raise DataError(f"{folder} holds no frames")
        # Arrays and no lists: Python counts who uses an object in the object itself, so that
        # reading a list of 100,000 paths copies it into each worker, page by page.
        self._files = [np.array([files[name] for name in self.names]) for files in (frames, masks)]

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int) -> Pair:
        """Raises DataError where a file is unreadable, sizes differ, or a tag is unknown."""
        frame_path, mask_path = (
            folder / str(files[index])
            for folder, files in zip(self._folders, self._files, strict=True)
        )
        frame = _read_image(frame_path, cv2.IMREAD_COLOR)
        tags = self._tags(mask_path)
        if frame.shape[:2] != tags.shape:
            raise DataError(
                f"{mask_path} is {tags.shape[1]}x{tags.shape[0]}, but {frame_path} is "
                f"{frame.shape[1]}x{frame.shape[0]}; a pair must have one size"
            )
        return Pair(frame, np.asarray(cv2.LUT(tags, self._table), np.uint8))

    def _tags(self, path: Path) -> Uint8:
        """Raw tags uint8 [H, W] of a mask file, whichever way it holds them."""
        if path.suffix.lower() in (".jpg", ".jpeg"):
            raise DataError(f"{path} is a JPEG, whose loss turns tags into others; expected PNG")
        mask = _read_image(path, cv2.IMREAD_UNCHANGED)
        if mask.dtype != np.uint8:
            raise DataError(f"{path} holds {mask.dtype}; expected 8 bits per channel")
        if mask.ndim == 3 and mask[..., :2].any():  # blue or green: colours, not tags in red
            tags = self.source_set.ids_of_colours(mask)
            if (tags == UNKNOWN_TAG).any():
                colour = mask[tags == UNKNOWN_TAG][0, 2::-1].tolist()
                raise DataError(
                    f"{path}: colour {colour} (R, G, B) is no class of {self.source_set.name}; "
                    "name the right CARLA version with --tags"
                )
            return tags
        tags = mask[..., 2] if mask.ndim == 3 else mask
        unknown = tags[(tags >= len(self.source_set)) & (tags != IGNORE)]
        if unknown.size:
            raise DataError(
                f"{path}: tag {unknown[0]} is unknown to {self.source_set.name}, which has "
                f"0..{len(self.source_set) - 1}; name the right CARLA version with --tags"
            )
        return np.ascontiguousarray(tags)


def camera_frame(frame: Uint8) -> Uint8:
    """A frame as read, B, G, R -> uint8 [H, W, 4], the bytes a camera message would hold."""
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2BGRA), np.uint8)


def find_layout(folder: Path) -> tuple[str, str]:
    """Names of the frame and mask folders; DataError that lists the layouts for none of them."""
    for frames, masks in LAYOUTS:
        if (folder / frames).is_dir() and (folder / masks).is_dir():
            return frames, masks
    found = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else "no folder"
    expected = " or ".join(f"{frames}/ + {masks}/" for frames, masks in LAYOUTS)
    raise DataError(f"{folder} has no known layout: found {found}; expected {expected}")


def read_list(path: Path) -> list[str]:
    """Names, one a line, image suffixes dropped; DataError for a missing or empty list."""
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except OSError as error:
        raise DataError(f"list {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"list {path} is no text: expected names of frames, one a line") from error
    names = [_without_suffix(line) for line in lines if line]
    if not names:
        raise DataError(f"list {path} is empty")
    return names


def split_names(folder: Path) -> tuple[list[str], list[str]]:
    """Names for training and for validation.

    They are taken from train.txt and val.txt where both are there; with train.txt alone, as
    `carla_unet_label` writes it, the folder is for training only. Else the last 15 % are for
    validation, behind a gap: drives are video, and neighbours of a training frame would be no
    test at all.
    """
    train, val = folder / "train.txt", folder / "val.txt"
    if train.is_file():
        return read_list(train), read_list(val) if val.is_file() else []
    names = sorted(_files_by_name(folder / find_layout(folder)[0]))
    first = len(names) - max(1, round(_VALIDATION_SHARE * len(names)))
    gap = round(_GAP_SHARE * len(names))
    if first - gap < 1:
        raise DataError(f"{folder} has {len(names)} frames, too few to hold some back")
    return names[: first - gap], names[first:]


def write_pair(
    folder: Path, name: str, frame: Uint8, tags: Uint8, jpeg: int | None = None
) -> None:
    """Writes one pair in the project's own layout: frame [H, W, 3] B, G, R, tags [H, W] raw.

    jpeg: quality 1..100 of the frame's file; None writes it as PNG, exactly

    A file appears whole or not at all, and the frame last: whatever ends the process, each frame
    in the folder has its labels.
    """
    suffix, options = (".png", []) if jpeg is None else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, jpeg])
    _write_image(folder / "label" / f"{name}.png", tags, [])
    _write_image(folder / "rgb" / f"{name}{suffix}", frame, options)


def _write_image(path: Path, image: Uint8, options: list[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _, content = cv2.imencode(path.suffix, image, options)
    # A name of its own: several processes may write the same frame at once.
    part = path.with_suffix(f".{secrets.token_hex(4)}.part")
    part.write_bytes(content.tobytes())
    part.replace(path)


def _files_by_name(folder: Path) -> dict[str, str]:
    """File names by name without suffix; plain strings, as a folder may hold 100,000 of them."""
    with os.scandir(folder) as entries:
        parts = [entry.name.rpartition(".") for entry in entries]
    return {name: f"{name}.{suffix}" for name, _, suffix in parts if suffix.lower() in _SUFFIXES}


def _without_suffix(name: str) -> str:
    """Only what is an image's suffix: a name may be a time, such as 12.05."""
    stem, _, suffix = name.rpartition(".")
    return stem if suffix.lower() in _SUFFIXES else name


def _read_image(path: Path, mode: int) -> np.ndarray:
    image = cv2.imread(str(path), mode)
    if image is None:
        raise DataError(f"{path} cannot be read as an image")
    return image
