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
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from carla_unet_ros.engines import EngineError
from carla_unet_ros.labels import IGNORE, LabelSet, Uint8
from carla_unet_ros.model_file import ModelError
from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.training.data.folders import write_pair
from carla_unet_ros.training.data.frame_names import DataError, read_list
from carla_unet_ros.training.labelling.boxes import Box, apply_boxes, read_boxes
from carla_unet_ros.training.labelling.frames import FrameSource, NamedFrame, open_frames
from carla_unet_ros.training.labelling.pictures import write_contact_sheet
from carla_unet_ros.training.labelling.scene import settle_night_sky, settle_own_lane
from carla_unet_ros.training.labelling.thresholds import class_thresholds, keep_sure
from carla_unet_ros.training.labelling.votes import Voters

_TOPIC = "/carla/ego_vehicle/rgb_front/image"
_JPEG = 95
_FRAMES_SAMPLED = 100
_SHOWN_PER_SHEET = 12
_CARLA_13_TAGS = "0.8.x"


@dataclass
class Report:
    """What became of the frames.

    voted, kept: share of all pixels by class, before and after thresholds, boxes and scene
    unsure:      share of all pixels that are 255
    problems:    one sentence for each frame that could not be read
    """

    source: str
    models: list[str]
    tags: str
    thresholds: dict[str, float]
    frames: int = 0
    voted: dict[str, float] = field(default_factory=dict)
    kept: dict[str, float] = field(default_factory=dict)
    unsure: float = 0.0
    problems: list[str] = field(default_factory=list)

    def text(self) -> str:
        lines = [
            f"{self.frames} frames labelled, {self.unsure:.0%} of their pixels unsure (255)",
            f"  {'class':16} voted   kept   from confidence",
        ]
        for name, voted in self.voted.items():
            lines.append(
                f"  {name:16} {voted:6.2%} {self.kept[name]:6.2%}   {self.thresholds[name]:.2f}"
            )
        if self.problems:
            lines.append(f"  left out {len(self.problems)}: {self.problems[0]}")
        return "\n".join(lines)


class Labeller:
    """Labels one frame after the other, and counts.

    thresholds: uint8 [classes], as `class_thresholds` gives them
    boxes:      by frame name, or None where there are no boxes at all
    """

    def __init__(
        self,
        voters: Voters,
        thresholds: Uint8,
        boxes: dict[str, list[Box]] | None,
        night_sky: bool,
        own_lane: bool,
    ) -> None:
        self._voters, self._thresholds, self._boxes = voters, thresholds, boxes
        self._night_sky, self._own_lane = night_sky, own_lane
        self.voted = np.zeros(256, np.int64)
        self.kept = np.zeros(256, np.int64)

    def label(self, name: str, frame: Uint8) -> Uint8:
        """Frame [H, W, 3], B, G, R -> labels [H, W], IGNORE where unsure."""
        names = self._voters.labels
        vote = self._voters.vote(frame)
        voted = vote.labels
        if self._own_lane:
            voted = settle_own_lane(voted, names)
        if self._night_sky:
            voted = settle_night_sky(voted, frame, names)
        sure = keep_sure(vote, self._thresholds)
        # What the scene settles needs no confidence.
        labels = np.where(voted != vote.labels, voted, sure)
        if self._boxes is not None:
            labels = apply_boxes(labels, frame, self._boxes.get(name, []), names)
        self.voted += np.bincount(vote.labels.ravel(), minlength=256)
        self.kept += np.bincount(labels.ravel(), minlength=256)
        return labels


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
    report = _empty_report(options, voters.labels, thresholds)
    _write_all(source, wanted, labeller, options.out, voters.labels, report)
    _close(report, labeller, voters.labels, options.out)
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
    options.out.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(by_name, indent=1) + "\n")
    return thresholds


def _write_all(
    source: FrameSource,
    wanted: list[str],
    labeller: Labeller,
    out: Path,
    names: LabelSet,
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
        ids = labeller.label(name, frame)
        write_pair(out, name, frame, ids, jpeg=_JPEG)
        report.frames += 1
        if place % stride == 0:
            shown.append((frame, ids))
        if len(shown) == _SHOWN_PER_SHEET:
            write_contact_sheet(out / "pictures" / f"{name}.jpg", shown, names)
            shown = []
    if shown:
        write_contact_sheet(out / "pictures" / "last.jpg", shown, names)


def _progress(source: FrameSource, names: list[str]) -> Iterator[NamedFrame]:
    yield from tqdm(source.read(names), "labelling", len(names), unit="frame")


def _empty_report(options: argparse.Namespace, labels: LabelSet, thresholds: Uint8) -> Report:
    return Report(
        str(options.frames),
        [str(model) for model in options.models] or ["the shipped model"],
        _tags_of(labels),
        {
            name: round(value / 255, 3)
            for name, value in zip(labels.names, thresholds, strict=True)
        },
    )


def _close(report: Report, labeller: Labeller, labels: LabelSet, out: Path) -> None:
    for counts, shares in ((labeller.voted, report.voted), (labeller.kept, report.kept)):
        total = max(1, int(counts.sum()))
        shares.update({name: float(counts[i] / total) for i, name in enumerate(labels.names)})
    report.unsure = float(labeller.kept[IGNORE] / max(1, int(labeller.kept.sum())))
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(asdict(report), indent=1) + "\n")
    names = sorted(path.stem for path in (out / "rgb").glob("*.jpg"))
    (out / "train.txt").write_text("".join(f"{name}\n" for name in names))


def _tags_of(labels: LabelSet) -> str:
    """What `carla_unet_train --tags` must be told: ids of carla-13 are the tags of 0.8.x."""
    return _CARLA_13_TAGS if labels.name == "carla-13" else labels.carla_tags


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "carla_unet_label",
        description="Label frames that nobody labelled, where models are sure.",
        epilog="A hundred labelled frames and an hour of driving without labels: train on the "
        "hundred, label the hour with what came out, train on both, label again. "
        "carla_unet_label --frames drive --out drive_labelled; then carla_unet_train --data mine "
        "drive_labelled --tags 0.9.16 0.8.x. Look at --out/pictures first: a class that is wrong "
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
        print(f"{report.text()}\ntrain on it: --data {options.out} --tags {report.tags}")
    except (EngineError, ModelError, ValueError, OSError) as error:
        print(f"carla_unet_label: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
