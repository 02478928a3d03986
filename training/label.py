# SPDX-License-Identifier: Apache-2.0
"""carla_unet_label: frames that nobody labelled become a folder to train on.

A folder of pictures, or a bag, in; rgb/NAME.jpg and label/NAME.png out: an id where models that
vote are sure, 255 where they are not. report.json says what was kept by class, pictures/ shows it.
Killed at any moment, the same command goes on with the frames that are still to do.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from carla_unet_ros.engines import EngineError
from carla_unet_ros.labels import Uint8
from carla_unet_ros.model_file import ModelError
from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.training.data.folders import write_pair
from carla_unet_ros.training.data.frame_names import DataError, files_by_name, read_list
from carla_unet_ros.training.labelling.boxes import read_boxes
from carla_unet_ros.training.labelling.frames import FrameSource, NamedFrame, open_frames
from carla_unet_ros.training.labelling.labeller import Labeller
from carla_unet_ros.training.labelling.pictures import write_contact_sheet
from carla_unet_ros.training.labelling.report import Report
from carla_unet_ros.training.labelling.thresholds import class_thresholds
from carla_unet_ros.training.labelling.votes import Voters
from carla_unet_ros.whole_files import write_whole

_TOPIC = "/carla/ego_vehicle/rgb_front/image"
_JPEG = 95
_FRAMES_SAMPLED = 100
_SHOWN_PER_SHEET = 12


def label(options: argparse.Namespace) -> Report:
    """Writes pairs, report.json, train.txt and pictures; options as `parse` gives them.

    Raises EngineError, ModelError, InputError or OSError where nothing can be written.
    """
    source = open_frames(options.frames, options.topic)
    wanted = _wanted(source, options)
    boxes = read_boxes(options.boxes) if options.boxes else None
    voters = Voters(
        [Segmenter(model, options.engine) for model in options.models or [None]],
        not options.no_mirror,
        not options.no_brighten,
    )
    thresholds = _thresholds(voters, source, wanted, options)
    labeller = Labeller(voters, thresholds, boxes, options.night_sky, options.own_lane)
    models = [str(model) for model in options.models] or ["the shipped model"]
    report = Report(str(options.frames), models, voters.labels, thresholds)
    _write_all(source, wanted, labeller, options.out, report)
    _close(report, options.out)
    return report


def _wanted(source: FrameSource, options: argparse.Namespace) -> list[str]:
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


def _thresholds(
    voters: Voters, source: FrameSource, wanted: list[str], options: argparse.Namespace
) -> Uint8:
    """From a sample spread over the frames; kept in --out, for a run that goes on."""
    kept = options.out / "thresholds.json"
    if kept.is_file():
        by_name = json.loads(kept.read_text())
        return np.array([by_name[name] for name in voters.labels.names], np.uint8)
    places = np.linspace(0, len(wanted) - 1, min(_FRAMES_SAMPLED, len(wanted))).astype(int)
    sample = [wanted[place] for place in np.unique(places)]
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


def _write_all(
    source: FrameSource,
    wanted: list[str],
    labeller: Labeller,
    out: Path,
    report: Report,
) -> None:
    """Labels what is not labelled yet, and a contact sheet of every now and then a frame."""
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
    """train.txt and no val.txt: labels that models gave are for training only."""
    write_whole(out / "report.json", json.dumps(report.as_dict(), indent=1) + "\n")
    write_whole(out / "train.txt", "".join(f"{name}\n" for name in files_by_name(out / "rgb")))


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "carla_unet_label",
        description="Label frames that nobody labelled, where models are sure.",
        epilog="A hundred labelled frames and an hour of driving without labels: train on the "
        "hundred, label the hour with what came out, train on both, label again. "
        "carla_unet_label --frames drive --out drive_labelled; then carla_unet_train --data mine "
        "drive_labelled --tags 0.9.16 0.8.x --unsplit drive_labelled. Look at --out/pictures first: a class that is wrong "
        "there is learned wrong.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--frames", type=Path, required=True, help="folder of pictures (also in rgb/ or "
        "CameraRGB/), or a rosbag2 recording")  # fmt: skip
    add("--out", type=Path, required=True, help="folder of pairs to write; what is there is kept")
    add(
        "--models",
        nargs="+",
        type=Path,
        default=[],
        help="model files that vote (default: the shipped one)",
    )
    add("--topic", default=_TOPIC, help="the bag's camera")
    add("--list", type=Path, help="file of frame names: only these")
    add(
        "--every",
        type=_positive,
        default=1,
        help="only every N-th frame: neighbours in a video teach the same",
    )
    add(
        "--keep",
        type=_share,
        default=0.7,
        help="share of each class's pixels that is kept, the surest",
    )
    add("--least", type=_share, default=0.45, help="less confidence is never enough")
    add("--enough", type=_share, default=0.9, help="more confidence is never asked for")
    add("--boxes", type=Path, help="boxes.csv: name,what,x,y,width,height, centre and size as "
        "shares of the picture; what they hold is cut out")  # fmt: skip
    add(
        "--night-sky",
        action="store_true",
        help="what is black above the horizon of a dark frame is sky",
    )
    add("--own-lane", action="store_true", help="sidewalk straight ahead of the car becomes road")
    add("--no-mirror", action="store_true", help="no second look at the mirrored frame")
    add("--no-brighten", action="store_true", help="no look at a brightened form of dark frames")
    add("--engine", default="auto", help="auto, openvino, tensorrt")
    return parser.parse_args(argv)


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share; expected more than 0, at most 1")
    return value


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 or more")
    return int(text)


def main(argv: list[str] | None = None) -> int:
    options = parse(argv)
    cv2.setNumThreads(1)  # the engine has the cores
    try:
        report = label(options)
        own = f"--data mine {options.out} --tags MINE {report.tags} --unsplit {options.out}"
        print(f"{report.text()}\nnext: carla_unet_train {own}")
    except (EngineError, ModelError, ValueError, OSError) as error:
        print(f"carla_unet_label: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
