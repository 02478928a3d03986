# SPDX-License-Identifier: Apache-2.0
"""Makes a folder to train on from frames without labels: `carla_unet_label`.

It reads a folder of pictures or a bag, and writes rgb/NAME.jpg and label/NAME.png. Labels are ids
where the voting models are sure, and 255 where they are not. report.json says how much of each
class was kept, pictures/ shows it. After a kill, the same command continues with the missing
frames.
"""

import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
from tqdm import tqdm
from tyro.conf import arg

from carla_unet_ros.command_line import EMPTY, Configured, check_ranges, run_command
from carla_unet_ros.engines import EngineName
from carla_unet_ros.labels import Uint8
from carla_unet_ros.labels.json_text import read_json
from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.training.data.folders import prepare_pairs, write_pair
from carla_unet_ros.training.data.frame_names import DataError, files_by_name, read_list
from carla_unet_ros.training.data.splits import evenly_spread
from carla_unet_ros.training.labelling.boxes import read_boxes
from carla_unet_ros.training.labelling.frames import FrameSource, NamedFrame
from carla_unet_ros.training.labelling.labeller import Labeller
from carla_unet_ros.training.labelling.pictures import write_contact_sheet
from carla_unet_ros.training.labelling.report import Report
from carla_unet_ros.training.labelling.sources import open_frames
from carla_unet_ros.training.labelling.thresholds import class_thresholds
from carla_unet_ros.training.labelling.votes import Voters
from carla_unet_ros.whole_files import write_whole

_JPEG = 95
_FRAMES_SAMPLED = 100
_SHOWN_PER_SHEET = 12


@dataclass(frozen=True, kw_only=True)
class Options(Configured):
    """Label frames that have no labels, where models are sure.

    With a hundred labelled frames and an hour of driving without labels: train on the hundred,
    label the hour with the new net, train on both, label again. Look at OUT/pictures first: white
    is unsure, and a net learns the errors that you see there.

    carla_unet_label --frames drive --out drive_labelled; then carla_unet_train --data mine
    drive_labelled --tags 0.9.16 0.8.x --unsplit drive_labelled
    """

    frames: Path  # folder of pictures (also in its rgb/ or CameraRGB/), or a rosbag2 recording
    out: Path  # folder of pairs to write; frames that are there already are kept
    # model files that vote
    models: Annotated[tuple[Path, ...], arg(help_behavior_hint="(default: the shipped one)")] = ()
    topic: str = "/carla/ego_vehicle/rgb_front/image"  # the bag's camera
    list: Path | None = None  # file of frame names: only these
    every: int = 1  # only every N-th frame: neighbours in a video teach nearly the same
    keep: float = 0.7  # share of each class's pixels to keep, the surest ones
    least: float = 0.45  # lowest threshold of a class
    enough: float = 0.9  # highest threshold of a class
    # classes that stay 255, because models draw them badly, such as poles that a coarse teacher
    # draws too thick
    unsure: Annotated[tuple[str, ...], EMPTY] = ()
    # boxes.csv of name,what,x,y,width,height, centre and size as shares of the picture; their
    # things are cut out
    boxes: Path | None = None
    night_sky: bool = False  # black pixels above the horizon of a dark frame become sky
    own_lane: bool = False  # sidewalk straight ahead of the car becomes road
    mirror: bool = True  # vote on the mirrored frame, too; the shipped model does it by itself
    brighten: bool = True  # vote on a brightened form of dark frames, too
    engine: EngineName = "auto"  # what runs the models

    def __post_init__(self) -> None:
        check_ranges(self, every=(1, math.inf), keep=(0.01, 1), least=(0, 1), enough=(0, 1))


def label(options: Options) -> Report:
    """Writes pairs, report.json, train.txt and pictures; see `Options`.

    Raises EngineError, ModelError, InputError or OSError if nothing can be written.
    """
    prepare_pairs(options.out)
    source = open_frames(options.frames, options.topic)
    wanted = _wanted(source, options)
    boxes = read_boxes(options.boxes) if options.boxes else None
    voters = Voters(
        [Segmenter(model, options.engine) for model in options.models or [None]],
        options.mirror,
        options.brighten,
    )
    unsure = voters.labels.ids(options.unsure)
    thresholds = _thresholds(voters, source, wanted, options)
    labeller = Labeller(voters, thresholds, boxes, options.night_sky, options.own_lane, unsure)
    models = [str(model) for model in options.models] or ["the shipped model"]
    report = Report(str(options.frames), models, voters.labels, thresholds)
    report.source_problem = source.problem
    _write_all(source, wanted, labeller, options.out, report)
    _close(report, options.out)
    return report


def _wanted(source: FrameSource, options: Options) -> list[str]:
    names = source.names
    if options.list:
        chosen = set(read_list(options.list))
        unknown = sorted(chosen - set(names))
        if unknown:
            raise DataError(
                f"{options.list} lists {unknown[0]!r}, but {options.frames} has no such frame"
            )
        names = [name for name in names if name in chosen]
    return names[:: options.every]


def _thresholds(voters: Voters, source: FrameSource, wanted: list[str], options: Options) -> Uint8:
    """Measures thresholds on a sample of the frames; stores them in --out for a resumed run."""
    kept = options.out / "thresholds.json"
    if kept.is_file():
        return _kept_thresholds(kept, voters.labels.names)
    sample = [wanted[place] for place in evenly_spread(len(wanted), _FRAMES_SAMPLED)]
    votes = (
        voters.vote(frame)
        for _, frame, _ in tqdm(source.read(sample), "thresholds", len(sample), leave=False)
        if frame is not None
    )
    thresholds = class_thresholds(
        votes, len(voters.labels), options.keep, options.least, options.enough
    )
    by_name = dict(zip(voters.labels.names, thresholds.tolist(), strict=True))
    write_whole(kept, json.dumps(by_name, indent=1) + "\n")
    return thresholds


def _kept_thresholds(path: Path, names: Sequence[str]) -> Uint8:
    try:
        by_name = read_json(path.read_text())
        return np.array([by_name[name] for name in names], np.uint8)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"{path} does not hold a threshold from 0 to 255 for each class of the models: remove "
            "it, or take another --out"
        ) from error


def _write_all(
    source: FrameSource,
    wanted: list[str],
    labeller: Labeller,
    out: Path,
    report: Report,
) -> None:
    """Labels the missing frames, and writes contact sheets of some of them."""
    missing = [name for name in wanted if not (out / "rgb" / f"{name}.jpg").is_file()]
    stride = max(1, len(missing) // (4 * _SHOWN_PER_SHEET))
    shown: list[tuple[Uint8, Uint8]] = []
    for place, (name, frame, problem) in enumerate(_progress(source, missing)):
        if frame is None:
            report.problems.append(problem)
            continue
        voted, ids = labeller.label(name, frame)
        write_pair(out, name, frame, ids, jpeg=_JPEG)
        report.count(voted, ids)
        if place % stride == 0:
            shown.append((frame, ids))
        if len(shown) == _SHOWN_PER_SHEET:
            write_contact_sheet(out / "pictures" / f"{name}.jpg", shown, report.labels)
            shown = []
    if shown:
        write_contact_sheet(out / "pictures" / "last.jpg", shown, report.labels)


def _progress(source: FrameSource, names: list[str]) -> Iterator[NamedFrame]:
    yield from tqdm(source.read(names), "labelling", len(names), unit="frame")


def _close(report: Report, out: Path) -> None:
    """Writes the report and train.txt. No val.txt: pseudo-labels are only for training."""
    write_whole(out / "report.json", json.dumps(report.as_dict(), indent=1) + "\n")
    write_whole(out / "train.txt", "".join(f"{name}\n" for name in files_by_name(out / "rgb")))


def run(options: Options) -> None:
    cv2.setNumThreads(1)  # the engine has the cores
    report = label(options)
    data = f"--data ... {options.out} --tags ... {report.tags} --unsplit {options.out}"
    print(f"{report.text()}\nnext: carla_unet_train {data} --out runs/mine")


def main(argv: list[str] | None = None) -> int:
    stopped = "stopped; the same command goes on"
    return run_command(Options, "carla_unet_label", run, argv, stopped=stopped)


if __name__ == "__main__":
    sys.exit(main())
