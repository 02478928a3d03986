# SPDX-License-Identifier: Apache-2.0
"""Trains the shipped model, from the data folders to its three files, as one command.

    python -m carla_unet_ros.training.recipes.shipped_model --data FOLDER --out runs/shipped

FOLDER holds town01, course, town07 and town02_roads, with labels, and many_towns, with boxes.csv
and without labels (the model card names their sources). The recipe starts from the shipped fp32
file; the card describes its history.

    label    that file and the teachers label many_towns; frames with people, and frames with
             vehicles, are folders of their own with a larger share
    train    the net learns from labels and pseudo-labels, with weather drawn into the frames
    mean     of its weights before and after; batch normalisation is measured again on frames as
             they are, since weather, crops and the mean have moved it
    settle   the mean learns on with these statistics, which training no longer changes
    files    the mean of the weights at the start and now, with biases for what it misses: fp32
             for training, int8 for CPUs, fp16 for GPUs

A teacher is any model file (model_file.py): larger, slower, or trained on other pictures. After a
kill, the same command continues.
"""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from carla_unet_ros.command_line import EMPTY, Configured, check_ranges, run_command
from carla_unet_ros.errors import InputError
from carla_unet_ros.model_file import SHIPPED_MODEL
from carla_unet_ros.training.data.frame_names import files_by_name
from carla_unet_ros.training.labelling.boxes import read_boxes
from carla_unet_ros.training.recipes.many_towns import frames_with, split_frames
from carla_unet_ros.training.recipes.stages import Stage, run_stages
from carla_unet_ros.whole_files import write_whole

LABELLED = {"town01": "0.8.x", "course": "0.9.13", "town07": "0.9.5", "town02_roads": "0.9.13"}
_UNLABELLED = "many_towns"
_VEHICLES = ("car", "truck", "vehicle")
_LISTS = ("streets", "people", "vehicles")
"""The frames of many_towns to train on: those with people in boxes, with vehicles but without
people, and the others."""
_SHARES = ("5.2", "1.6", "0.5", "0.6", "1.9", "1.7", "1.6")
"""Of the labelled folders and of _LISTS."""

_LABELLING = (
    "--boxes {boxes} --night-sky --own-lane --no-mirror --keep 0.8 --least 0.4 "
    "--unsure Poles Fences Walls"
)
"""A net that learned thin things from pseudo-labels draws them too thick."""

_TRAINING = (
    "--network-size 448x320 --crop 320x256 --batch 8 --weight-decay 2e-2 --dropout 0.05 "
    "--rare Pedestrians Poles TrafficSigns Other --rare-crops 0.4 --rare-paste 0.3 --mix 0.2 "
    "--relight 0.2 --weather 0.35 --bonnet 0.24 --class-weight 0.35 --dice 0.7 --average 0.98"
)
_EXPORTING = "--network-size 448x320 --flips"
_BIASES = {
    "Pedestrians": 1.6,
    "Vehicles": 1.2,
    "TrafficSigns": 1.2,
    "Fences": 0.6,
    "Walls": 0.4,
    "Buildings": 0.4,
    "Roads": -0.8,
    "RoadLines": -1.2,
    "Poles": -1.2,
}
"""Of the logits in the shipped files alone: found on val lists and on boxes in frames that were
held back. Training starts without those of the file before."""


@dataclass(frozen=True, kw_only=True)
class Options(Configured):
    """Train the shipped model, from the data folders to its three files.

    The same command continues after any end.
    """

    data: Path  # folder of the data folders
    out: Path  # folder for all files of the recipe
    start: Path = SHIPPED_MODEL  # fp32 file to start from, with the recipe's biases
    # model files that label many_towns, too
    teachers: Annotated[tuple[Path, ...], EMPTY] = ()
    epochs: int = 10  # epochs of the training, and of settling
    frames: int = 3600  # frames of an epoch

    def __post_init__(self) -> None:
        check_ranges(self, epochs=(1, math.inf), frames=(8, math.inf))


def shipped_stages(options: Options) -> list[Stage]:
    """The stages, in order. InputError if a data folder is missing."""
    data, out = options.data, options.out
    for name in (*LABELLED, _UNLABELLED):
        if not (data / name).is_dir():
            expected = ", ".join((*LABELLED, _UNLABELLED))
            raise InputError(f"{data} has no folder {name}; expected {expected} in it")
    pairs = {name: out / name for name in _LISTS}
    statistics = ["--statistics", data / "town01", data / "course", *pairs.values()]
    first, trained = out / "train" / "first.pt", out / "train" / "last.pt"
    mean, settled = out / "mean.onnx", out / "settle" / "last.pt"
    starting = ["--rate", "5e-4", "--init-bias", *_words_of(_BIASES, -1)]
    settling = ["--rate", "4e-4", "--frozen-statistics"]
    return [
        *(Stage.of(f"label_{name}", "label", _labelling(options, name)) for name in _LISTS),
        Stage.of("train", "train", _training(options, "train", options.start, *starting)),
        Stage.of("mean", "export", _exporting(data, [first, trained], mean, *statistics)),
        Stage.of("settle", "train", _training(options, "settle", mean, *settling)),
        *_files(data, out, [first, settled]),
    ]


def _labelling(options: Options, name: str) -> list[str | Path]:
    """name: of _LISTS, those frames to label"""
    frames = options.data / _UNLABELLED
    chosen = ["--frames", frames, "--list", options.out / f"{name}.txt"]
    models = ["--models", *options.teachers, options.start, "--out", options.out / name]
    return [*chosen, *models, *_LABELLING.format(boxes=frames / "boxes.csv").split()]


def _training(options: Options, name: str, net: Path, *more: str) -> list[str | Path]:
    """Trains from a net on, in OUT/NAME."""
    folders = [options.data / folder for folder in LABELLED]
    pairs = [options.out / part for part in _LISTS]
    tags = [*LABELLED.values(), *("0.8.x" for _ in pairs)]
    return [
        *("--data", *folders, *pairs, "--tags", *tags, "--unsplit", *pairs, "--shares", *_SHARES),
        *("--validate", folders[0], folders[1], "--init", net, "--out", options.out / name),
        *("--epochs", str(options.epochs), "--frames", str(options.frames), "--resume"),
        *(*_TRAINING.split(), *more),
    ]


def _exporting(
    data: Path, checkpoints: list[Path], file: Path, *more: str | Path
) -> list[str | Path]:
    """The export of the mean of the checkpoints' weights."""
    scored = ["--data", data / "town01", "--tags", LABELLED["town01"]]
    return ["--checkpoint", *checkpoints, "--out", file, *scored, *_EXPORTING.split(), *more]


def _files(data: Path, out: Path, checkpoints: list[Path]) -> list[Stage]:
    """fp32 for training, int8 for a CPU, fp16 for TensorRT."""
    full, half = out / "carla_unet.onnx", out / "carla_unet_fp16.onnx"
    biased = ["--logit-bias", *_words_of(_BIASES)]
    calibration = ["--data", data / "town01", "--tags", LABELLED["town01"]]
    calibration += ["--unlabelled", data / _UNLABELLED]
    eight = ["--model", full, *calibration, "--out", out / "carla_unet_int8.onnx"]
    return [
        Stage.of("fp32", "export", _exporting(data, checkpoints, full, *biased)),
        Stage.of("fp16", "export", _exporting(data, checkpoints, half, "--half", *biased)),
        Stage.of("int8", "quantize", eight),
    ]


def _words_of(biases: Mapping[str, float], factor: int = 1) -> list[str]:
    return [f"{name}={factor * amount:g}" for name, amount in biases.items()]


def _write_lists(options: Options) -> None:
    """Writes OUT/NAME.txt for each of _LISTS."""
    folder = options.data / _UNLABELLED
    boxes = read_boxes(folder / "boxes.csv")
    names, _ = split_frames(list(files_by_name(folder / "rgb")))
    people = frames_with(boxes, ("person",))
    vehicles = frames_with(boxes, _VEHICLES) - people
    parts = {"streets": set(names) - people - vehicles, "people": people, "vehicles": vehicles}
    for part in _LISTS:
        text = "".join(f"{name}\n" for name in names if name in parts[part])
        write_whole(options.out / f"{part}.txt", text)


def run(options: Options) -> None:
    stages = shipped_stages(options)
    _write_lists(options)
    run_stages(stages, options.out)


def main(argv: list[str] | None = None) -> int:
    stopped = "stopped; the same command goes on"
    return run_command(Options, "shipped_model", run, argv, stopped=stopped)


if __name__ == "__main__":
    sys.exit(main())
