# SPDX-License-Identifier: Apache-2.0
"""Trains the shipped model, from the data folders to its three files, as one command.

    python -m carla_unet_ros.training.recipes.shipped_model --data FOLDER --out runs/shipped

FOLDER holds town01, course, town07 and town02_roads, with labels, and many_towns, with boxes.csv
and without labels (the model card names their sources). The recipe starts from the shipped fp32
file; the card describes its history. In two rounds it labels many_towns with the newest net and
the teachers, and trains that net on labels and pseudo-labels, with weather drawn into the frames.
A teacher is any model file (model_file.py): larger, slower, or trained on other pictures. Frames
with people in boxes are a folder of their own with a larger share. Shipped is the mean of the
weights at the start and after each round, with biases for what it misses. After a kill, the same
command continues.
"""

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from carla_unet_ros.command_line import EMPTY, Configured, check_ranges, run_command
from carla_unet_ros.errors import InputError
from carla_unet_ros.model_file import SHIPPED_MODEL
from carla_unet_ros.training.data.frame_names import files_by_name
from carla_unet_ros.training.labelling.boxes import read_boxes
from carla_unet_ros.training.recipes.many_towns import split_frames, with_people
from carla_unet_ros.training.recipes.stages import Stage, run_stages
from carla_unet_ros.whole_files import write_whole

LABELLED = {"town01": "0.8.x", "course": "0.9.13", "town07": "0.9.5", "town02_roads": "0.9.13"}
_UNLABELLED = "many_towns"
_LISTS = ("streets", "people")
"""The frames of many_towns to train on: without, and with, people in boxes."""
_SHARES = ("4", "1.2", "0.6", "0.7", "5", "1.8")
_ROUNDS = 2

_LABELLING = "--boxes {boxes} --night-sky --own-lane --no-mirror --keep 0.75 --least 0.4"
_TRAINING = (
    "--network-size 448x320 --crop 320x256 --batch 8 --weight-decay 2e-2 --dropout 0.05 "
    "--rare Pedestrians Poles TrafficSigns Other --rare-crops 0.4 --rare-paste 0.3 --mix 0.2 "
    "--relight 0.2 --weather 0.35 --bonnet 0.24 --class-weight 0.35 --dice 0.7"
)
_EXPORTING = "--network-size 448x320 --flips"
_BIASES = ("--logit-bias", "Vehicles=1", "Pedestrians=1.5", "Poles=-0.5")
"""Of the shipped files alone: found on val lists and on boxes in frames that were held back."""


@dataclass(frozen=True, kw_only=True)
class Options(Configured):
    """Train the shipped model, from the data folders to its three files.

    The same command continues after any end.
    """

    data: Path  # folder of the data folders
    out: Path  # folder for all files of the recipe
    start: Path = SHIPPED_MODEL  # fp32 file to start from
    # model files that label many_towns, too
    teachers: Annotated[tuple[Path, ...], EMPTY] = ()
    epochs: int = 12  # epochs of each round
    frames: int = 2000  # frames of an epoch

    def __post_init__(self) -> None:
        check_ranges(self, epochs=(1, math.inf), frames=(8, math.inf))


def shipped_stages(options: Options) -> list[Stage]:
    """The stages, in order. InputError if a data folder is missing."""
    data, out = options.data, options.out
    for name in (*LABELLED, _UNLABELLED):
        if not (data / name).is_dir():
            expected = ", ".join((*LABELLED, _UNLABELLED))
            raise InputError(f"{data} has no folder {name}; expected {expected} in it")
    stages: list[Stage] = []
    net = options.start
    for number in range(1, _ROUNDS + 1):
        pairs = {name: out / f"{name}_{number}" for name in _LISTS}
        stages += [
            Stage.of(f"label_{name}_{number}", "label", _labelling(options, name, folder, net))
            for name, folder in pairs.items()
        ]
        run = out / f"net_{number}"
        training = _training(options, [*pairs.values()], run, net, number)
        stages.append(Stage.of(f"train_{number}", "train", training))
        net = out / f"round_{number}.onnx"
        exporting = _exporting(data, [run / "last.pt"], net)
        stages.append(Stage.of(f"export_{number}", "export", exporting))
    ends = [out / f"net_{number}" / "last.pt" for number in range(1, _ROUNDS + 1)]
    return stages + _files(data, out, [out / "net_1" / "first.pt", *ends])


def _labelling(options: Options, name: str, pairs: Path, net: Path) -> list[str | Path]:
    """name: of _LISTS, those frames to label"""
    frames = options.data / _UNLABELLED
    chosen = ["--frames", frames, "--list", options.out / f"{name}.txt", "--out", pairs]
    models = ["--models", *options.teachers, net]
    return [*chosen, *models, *_LABELLING.format(boxes=frames / "boxes.csv").split()]


def _training(
    options: Options, pairs: list[Path], run: Path, net: Path, number: int
) -> list[str | Path]:
    folders = [options.data / name for name in LABELLED]
    tags = [*LABELLED.values(), *("0.8.x" for _ in pairs)]
    return [
        *("--data", *folders, *pairs, "--tags", *tags),
        *("--unsplit", *pairs),
        *("--shares", *_SHARES, "--validate", folders[0], folders[1], "--init", net),
        *("--out", run, "--seed", str(number), "--resume"),
        *("--epochs", str(options.epochs), "--frames", str(options.frames)),
        *("--rate", "8e-4", "--average", "0.98", *_TRAINING.split()),
    ]


def _exporting(data: Path, checkpoints: list[Path], file: Path, *more: str) -> list[str | Path]:
    """The export of the mean of the checkpoints' weights."""
    scored = ["--data", data / "town01", "--tags", LABELLED["town01"]]
    return ["--checkpoint", *checkpoints, "--out", file, *scored, *_EXPORTING.split(), *more]


def _files(data: Path, out: Path, checkpoints: list[Path]) -> list[Stage]:
    """fp32 for training, int8 for a CPU, fp16 for TensorRT."""
    full, half = out / "carla_unet.onnx", out / "carla_unet_fp16.onnx"
    calibration = ["--data", data / "town01", "--tags", LABELLED["town01"]]
    calibration += ["--unlabelled", data / _UNLABELLED]
    eight = ["--model", full, *calibration, "--out", out / "carla_unet_int8.onnx"]
    return [
        Stage.of("fp32", "export", _exporting(data, checkpoints, full, *_BIASES)),
        Stage.of("fp16", "export", _exporting(data, checkpoints, half, "--half", *_BIASES)),
        Stage.of("int8", "quantize", eight),
    ]


def _write_lists(options: Options) -> None:
    """Writes OUT/NAME.txt for each of _LISTS."""
    folder = options.data / _UNLABELLED
    people = with_people(read_boxes(folder / "boxes.csv"))
    names, _ = split_frames(list(files_by_name(folder / "rgb")))
    parts = (
        [name for name in names if name not in people],
        [name for name in names if name in people],
    )
    for name, part in zip(_LISTS, parts, strict=True):
        write_whole(options.out / f"{name}.txt", "".join(f"{frame}\n" for frame in part))


def run(options: Options) -> None:
    stages = shipped_stages(options)
    _write_lists(options)
    run_stages(stages, options.out)


def main(argv: list[str] | None = None) -> int:
    stopped = "stopped; the same command goes on"
    return run_command(Options, "shipped_model", run, argv, stopped=stopped)


if __name__ == "__main__":
    sys.exit(main())
