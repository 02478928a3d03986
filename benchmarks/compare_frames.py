"""The frames all contenders run, and the net that torch runs, which must be the model file's."""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import onnx

from carla_unet_ros.labels import Uint8
from carla_unet_ros.model_file import Model
from carla_unet_ros.training.data.drive_frames import DriveFrames
from carla_unet_ros.training.data.folders import (
    DataError,
    PairFolder,
    PairSource,
    camera_frame,
    split_names,
)
from carla_unet_ros.training.net.checkpoints import read_trained_net
from carla_unet_ros.training.net.folding import fold
from carla_unet_ros.training.net.unet import UNet, UNetConfig


class NotTheSameNet(ValueError):
    """The model file and what torch would run are two nets; the text says how they differ."""


def read_frames(options: argparse.Namespace, model: Model) -> Uint8:
    """`options.frames` frames uint8 [n, H, W, 4], BGRA, evenly over --data, else of the drive.

    Raises DataError.
    """
    source: PairSource = DriveFrames(options.frames, model.label_set)
    if options.data:
        names = split_names(options.data)[1]
        source = PairFolder(options.data, options.tags, model.label_set, names)
    places = np.linspace(0, len(source) - 1, options.frames).astype(int)
    frames = [camera_frame(source.read(int(place)).frame) for place in places]
    sizes = {f"{frame.shape[1]}x{frame.shape[0]}" for frame in frames}
    if len(sizes) > 1:
        raise DataError(
            f"{source.name} has frames of {', '.join(sorted(sizes))}; expected one size"
        )
    return np.stack(frames)


def net_config(options: argparse.Namespace, model: Model) -> UNetConfig:
    """The net of --checkpoint, else that of the options; NotTheSameNet where it is not `model`'s.

    Raises CheckpointError.
    """
    if options.checkpoint:
        config = read_trained_net(options.checkpoint).net.config
    else:
        config = UNetConfig(
            classes=len(model.label_set),
            channels=options.channels,
            depth=options.depth,
            stem=options.stem,
            max_channels=options.max_channels,
        )
    check_same_net(config, model.path)
    return config


def check_same_net(config: UNetConfig, model: Path) -> None:
    """Compares the shapes of the kernels: a model file does not say which net it holds.

    Not those of the head, which reads the features of both looks where the file mirrors. Export
    folds the stem into the first kernel; a file of before it did is as good.
    """
    net = UNet(config)
    weights = onnx.load_model(model).graph.initializer
    found = Counter(tuple(weight.dims) for weight in weights if len(weight.dims) == 4)
    lacking = [_kernels(form) - found for form in (fold(net), net)]
    if all(lacking):
        kernel, count = next(iter(lacking[0].items()))
        raise NotTheSameNet(
            f"{model} is not the net with {config.as_dict()}: it lacks {count} kernels of shape "
            f"{kernel}; give the options it was trained with, or its --checkpoint"
        )


def _kernels(net: UNet) -> Counter[tuple[int, ...]]:
    return Counter(
        tuple(part.shape)
        for name, part in net.named_parameters()
        if part.dim() == 4 and not name.startswith("head")
    )
