# SPDX-License-Identifier: Apache-2.0
"""Opens the data of a run: its training and validation sources, and their pixels by class."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from carla_unet_ros.labels import IGNORE, LabelSet, carla_13
from carla_unet_ros.training.data.drive_frames import DriveFrames
from carla_unet_ros.training.data.folders import (
    PairFolder,
    PairSource,
    split_names,
    write_pair,
)
from carla_unet_ros.training.data.frame_names import DataError, unsplit_names
from carla_unet_ros.training.data.splits import evenly_spread

_FRAMES_COUNTED = 200


@dataclass(frozen=True)
class SourceFolder:
    """A folder of pairs, and its use.

    tags:     CARLA version whose tags its masks hold
    share:    how much of an epoch it fills; the shares need not sum to 1
    split:    whether a part is held back, as in `split_names`; otherwise all is for training
    validate: whether the part held back is scored after every epoch
    """

    path: Path
    tags: str
    share: float = 1.0
    split: bool = True
    validate: bool = False


@dataclass(frozen=True)
class TrainingData:
    """The data of a run.

    sources:     frames for training
    shares:      how much of an epoch each source fills
    validation:  frames scored after every epoch
    description: the sources in words
    """

    sources: list[PairSource]
    shares: list[float]
    validation: list[PairFolder]
    description: str

    @staticmethod
    def open(folders: Iterable[SourceFolder], labels: LabelSet) -> "TrainingData":
        """Opens folders, one after the other. DataError for one that cannot be used."""
        sources: list[PairSource] = []
        shares: list[float] = []
        validation: list[PairFolder] = []
        for folder in folders:
            path = folder.path
            train, val = split_names(path) if folder.split else (unsplit_names(path), [])
            sources.append(PairFolder(path, folder.tags, labels, train))
            shares.append(folder.share)
            if folder.validate:
                validation.append(PairFolder(path, folder.tags, labels, val))
                _check_labelled(validation[-1])
        description = ", ".join(
            f"{source.name} ({len(source)} frames, {share / sum(shares):.0%})"
            for source, share in zip(sources, shares, strict=True)
        )
        return TrainingData(sources, shares, validation, description)


def _check_labelled(validation: PairFolder) -> None:
    """Raises DataError if no pixel could be scored. Usually the first frame has some."""
    frames = range(len(validation))
    if not any((validation.read(index).labels != IGNORE).any() for index in frames):
        raise DataError(
            f"{validation.name}: none of the {len(frames)} frames for validation has a labelled "
            "pixel of the classes to learn, so no epoch could be scored; name others in val.txt"
        )


def render_drive(folder: Path, count: int) -> Path:
    """Writes `count` frames of the procedural drive into a folder of pairs.

    Frames that exist already are kept, because drawing takes longer than training on them.
    """
    drive = DriveFrames(count, carla_13())
    for index in tqdm(range(count), "drawing the drive"):
        name = f"{index:06}"
        if not (folder / "rgb" / f"{name}.jpg").exists():
            frame, labels = drive.read(index)
            write_pair(folder, name, frame, labels, jpeg=95)
    return folder


def class_pixels(data: TrainingData, classes: int) -> Tensor:
    """Share of each class [classes] in the training data, from a sample of each source.

    Raises DataError if there are fewer than two classes.
    """
    pixels = np.zeros(256)
    for source, share in zip(data.sources, data.shares, strict=True):
        sample = evenly_spread(len(source), _FRAMES_COUNTED)
        counts = sum(
            np.bincount(source.read(index).labels.ravel(), minlength=256) for index in sample
        )
        counts = np.asarray(counts, float)
        counts[IGNORE] = 0
        pixels += share * counts / max(counts.sum(), 1)
    found = np.count_nonzero(pixels[:classes])
    if found < 2:
        raise DataError(
            f"the training frames have labelled pixels of {found} class(es); expected two or more "
            "(in a mask 255 is no class: it means that a pixel has no label)"
        )
    return torch.from_numpy(pixels[:classes])
