"""The data of a run: what is trained on, what is validated on, and how many pixels of what."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from carla_unet_ros.labels import IGNORE, LabelSet, carla_13, label_set
from carla_unet_ros.training.data.drive_frames import DriveFrames
from carla_unet_ros.training.data.folders import (
    DataError,
    PairFolder,
    PairSource,
    split_names,
    write_pair,
)
from carla_unet_ros.training.data.rare_classes import NOTHING_RARE, RareClasses
from carla_unet_ros.training.options import OptionError, Options

_FRAMES_COUNTED = 200


@dataclass(frozen=True)
class TrainingData:
    """sources and shares: drawn from in training; validation: scored after every epoch.

    rare: the classes to show more of
    """

    sources: list[PairSource]
    shares: list[float]
    validation: list[PairFolder]
    rare: RareClasses
    description: str

    @staticmethod
    def open(options: Options) -> "TrainingData":
        """Raises DataError for folders that cannot be used."""
        target = label_set(options.labels)
        sources: list[PairSource] = []
        validation: list[PairFolder] = []
        for folder, tags in zip(options.data, options.tags, strict=True):
            train, val = split_names(folder)
            sources.append(PairFolder(folder, tags, target, train))
            if folder in options.validate:
                if not val:
                    raise DataError(
                        f"{folder} is for training only: it has a train.txt and no val.txt; name "
                        "another of --data with --validate"
                    )
                validation.append(PairFolder(folder, tags, target, val))
        if options.drive:
            drawn = render_drive(options.out / "drive", options.drive)
            sources.append(PairFolder(drawn, "0.8.x", target))
        total = sum(options.shares)
        description = ", ".join(
            f"{source.name} ({len(source)} frames, {share / total:.0%})"
            for source, share in zip(sources, options.shares, strict=True)
        )
        rare = _rare_classes(options, target)
        return TrainingData(sources, options.shares, validation, rare, description)


def _rare_classes(options: Options, labels: LabelSet) -> RareClasses:
    try:
        ids = labels.ids(options.rare)
    except ValueError as error:
        raise OptionError(f"--rare: {error}") from error
    if not ids:
        return NOTHING_RARE
    return RareClasses(tuple(ids), options.rare_crops, options.rare_paste)


def render_drive(folder: Path, count: int) -> Path:
    """Writes `count` frames of the procedural drive into a folder of pairs, once.

    Drawing a street takes longer than training on it; frames already there are kept.
    """
    drive = DriveFrames(count, carla_13())
    for index in tqdm(range(count), "drawing the drive"):
        name = f"{index:06}"
        if not (folder / "rgb" / f"{name}.jpg").exists():
            frame, labels = drive.read(index)
            write_pair(folder, name, frame, labels, jpeg=95)
    return folder


def class_pixels(data: TrainingData, classes: int) -> Tensor:
    """Share of each class [classes] in what will be trained on, from a sample of each source."""
    pixels = np.zeros(256)
    for source, share in zip(data.sources, data.shares, strict=True):
        sample = np.linspace(0, len(source) - 1, min(len(source), _FRAMES_COUNTED)).astype(int)
        counts = sum(
            np.bincount(source.read(int(index)).labels.ravel(), minlength=256) for index in sample
        )
        counts = np.asarray(counts, float)
        counts[IGNORE] = 0
        pixels += share * counts / max(counts.sum(), 1)
    return torch.from_numpy(pixels[:classes])
