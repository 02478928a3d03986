# SPDX-License-Identifier: Apache-2.0
"""Makes a folder to train on from a recorded drive: `carla_unet_from_bag`.

It reads a rosbag2 recording of CARLA's bridge, or of CARLA's own ROS 2 interface, and writes
rgb/NAME.png and label/NAME.png (the raw CARLA tag, single channel). A frame is kept only with a
label image of exactly its stamp. report.json says what was kept, and why the rest was not.
"""

import json
import math
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tyro.conf import Positional

from carla_unet_ros.command_line import Configured, check_ranges, run_command
from carla_unet_ros.labels.label_faults import describe_label_faults
from carla_unet_ros.ros.image_messages import BadFrame, to_bgra
from carla_unet_ros.training.bags.damage import BagError
from carla_unet_ros.training.bags.drives import Moment, lay_end_to_end
from carla_unet_ros.training.bags.pairs import BagIndex, PairedBag, Pairing, label_image
from carla_unet_ros.training.data.folders import prepare_pairs, write_pair
from carla_unet_ros.training.data.splits import split_in_blocks
from carla_unet_ros.training.data.tag_recognition import TagError, TagFormat, recognise
from carla_unet_ros.whole_files import write_whole


@dataclass(frozen=True, kw_only=True)
class Options(Configured):
    """Turn a rosbag2 recording (sqlite3 or MCAP) of a CARLA drive into pairs to train on.

    Frames go to OUT/rgb/NAME.png and their labels to OUT/label/NAME.png. Both cameras must have
    one size, field of view and pose, as in config/carla_objects.json. Record with: ros2 bag record
    /carla/ego_vehicle/rgb_front/image /carla/ego_vehicle/semantic_segmentation_front/image
    """

    bag: Positional[Path]  # folder of the bag, or one .mcap or .db3 file
    out: Path  # folder for the pairs; must hold none yet
    # frames: Image or CompressedImage
    rgb_topic: str = "/carla/ego_vehicle/rgb_front/image"
    # the semantic camera's images
    label_topic: str = "/carla/ego_vehicle/semantic_segmentation_front/image"
    # CARLA version of the labels' tags (0.9.13, 0.9.16, ...); only needed if the colours do not
    # tell it
    tags: str | None = None
    every: int = 1  # keep each N-th pair
    # least time between pairs; neighbouring frames teach little: 0.5 is a good value
    min_seconds: float = 0.0
    # write frames as JPEG of this quality (1..100) instead of PNG: smaller, but not exact
    jpeg: int | None = None
    # write train.txt and val.txt, with this share (0..1) of the pairs in val.txt; 0 writes no
    # lists
    val_share: float = 0.0
    val_blocks: int = 3  # number of runs of frames in val.txt
    gap: float = 5.0  # seconds left out on both sides of each run

    def __post_init__(self) -> None:
        check_ranges(self, every=(1, math.inf), val_blocks=(1, math.inf), jpeg=(1, 100))
        check_ranges(self, min_seconds=(0, 1e6), val_share=(0, 0.99), gap=(0, 1e6))


@dataclass
class Report:
    """The outcome of a bag's messages.

    left_out: how many frames or label images by reason; `first` has one text of each
    drives:   how many there are: in each after the first, time starts again
    damage:   why only a part of the bag could be read, or ""
    lost:     a sentence if other numbers of messages came than the bag promises, or ""
    """

    bag: str
    rgb_topic: str
    label_topic: str
    tags: str = ""
    labels_held: str = ""
    frames: int = 0
    label_images: int = 0
    pairs: int = 0
    kept: int = 0
    train: int = 0
    val: int = 0
    drives: int = 1
    damage: str = ""
    lost: str = ""
    left_out: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def leave_out(self, reason: str, example: str = "", count: int = 1) -> None:
        if count:
            self.left_out[reason] = self.left_out.get(reason, 0) + count
            self.first.setdefault(reason, example)

    def text(self) -> str:
        lines = [
            f"{self.frames} frames, {self.label_images} label images "
            f"({self.labels_held}, CARLA {self.tags}), {self.pairs} pairs of equal stamp, "
            f"{self.kept} kept"
        ]
        for reason, count in self.left_out.items():
            example = f" (the first: {self.first[reason]})" if self.first[reason] else ""
            lines.append(f"  left out {count}: {reason}{example}")
        if self.drives > 1:
            lines.append(f"  time starts again: {self.drives} drives, paired one by one")
        lines += [f"  {problem}" for problem in (self.damage, self.lost) if problem]
        if self.train:
            lines.append(f"  train.txt {self.train}, val.txt {self.val}")
        return "\n".join(lines)


def convert(options: Options) -> Report:
    """Writes the pairs, lists and report.json.

    Raises BagError, TagError, ValueError or OSError if the bag or the folder cannot be used.
    """
    prepare_pairs(options.out)
    for folder in (options.out / "rgb", options.out / "label"):
        if folder.is_dir() and any(folder.iterdir()):
            raise BagError(f"{folder} is not empty; take another --out, one for each bag")
    report = Report(str(options.bag), options.rgb_topic, options.label_topic)
    with PairedBag(options.bag, options.rgb_topic, options.label_topic) as bag:
        index = bag.index()
        _check_labels(index, options.label_topic)
        _count(index, report)
        kind = recognise(index.colours, options.tags)
        report.tags = kind.label_set.carla_tags
        report.labels_held = "palette colours" if kind.palette else "raw tags"
        chosen = _choose(index, options)
        report.leave_out("decimation", count=len(index.paired) - len(chosen))
        # Checked before the long part, so that an impossible split is reported at once.
        _split(chosen, options)
        kept = sorted(
            pairing.moment
            for pairing in bag.pairs(chosen)
            if _write(pairing, kind, options.out, options.jpeg, report)
        )
    report.kept = len(kept)
    train, val = _split(kept, options)
    report.train, report.val = len(train), len(val)
    write_whole(options.out / "report.json", json.dumps(asdict(report), indent=2) + "\n")
    for file, moments in (("train.txt", train), ("val.txt", val)):
        if moments:
            lines = "".join(f"{_name(moment)}\n" for moment in moments)
            write_whole(options.out / file, lines)
    return report


def decimate(stamps: list[int], every: int, min_seconds: float) -> list[int]:
    """Keeps each `every`-th of the rising stamps (ns), at least `min_seconds` apart."""
    kept: list[int] = []
    for stamp in stamps[::every]:
        if not kept or stamp - kept[-1] >= min_seconds * 1e9:
            kept.append(stamp)
    return kept


def _check_labels(index: BagIndex, topic: str) -> None:
    """Raises BagError, with the first reason, if no label image of the bag can be read."""
    if index.labels and (index.colours or not index.unreadable):
        return
    reasons = index.unreadable, index.first_damaged, index.damage, index.lost
    raise BagError(f"no label image of {topic} can be read: {next(filter(None, reasons), '')}")


def _choose(index: BagIndex, options: Options) -> list[Moment]:
    """The moments that the options keep of those with a frame and a label image."""
    times = lay_end_to_end(index.paired, round(options.min_seconds * 1e9) + 1)
    moments = dict(zip(times, index.paired, strict=True))
    return [moments[time] for time in decimate(times, options.every, options.min_seconds)]


def _count(index: BagIndex, report: Report) -> None:
    report.frames, report.label_images = index.frames.total(), index.labels.total()
    report.pairs, report.drives = len(index.paired), index.drives
    report.damage, report.lost = index.damage, index.lost
    report.leave_out("message that is damaged", index.first_damaged, index.damaged.total())
    for own, other, what in (
        (index.frames, index.labels, "frame without a label image of its stamp"),
        (index.labels, index.frames, "label image without a frame of its stamp"),
    ):
        alone = sum(count for moment, count in own.items() if moment not in other)
        report.leave_out(what, count=alone)
    repeated = (index.frames.keys() & index.labels.keys()) - set(index.paired)
    for moment in sorted(repeated):
        report.leave_out(
            "frame whose stamp occurs more than once in a topic",
            "0: its publisher sets no stamps" if not moment.stamp else _name(moment),
            index.frames[moment],
        )


def _write(pairing: Pairing, kind: TagFormat, out: Path, jpeg: int | None, report: Report) -> bool:
    """Writes one pair. Returns False, and reports why, if it cannot be used."""
    name = _name(pairing.moment)
    try:
        frame, labels = to_bgra(pairing.frame), label_image(pairing.labels)
        tags = kind.tags(labels)
    except BadFrame as error:
        report.leave_out("unreadable image", f"{name}: {error}")
        return False
    except TagError as error:
        report.leave_out("pixels of no known class", f"{name}: {error}")
        return False
    if frame.shape != labels.shape:
        sizes = [f"{image.shape[1]}x{image.shape[0]}" for image in (frame, labels)]
        report.leave_out(
            "frame and labels of different size",
            f"{name}: {' and '.join(sizes)}; give both cameras one size, field of view and pose, "
            "as config/carla_objects.json does",
        )
        return False
    write_pair(out, name, frame[..., :3], tags, jpeg)
    return True


def _split(moments: list[Moment], options: Options) -> tuple[list[Moment], list[Moment]]:
    """Moments for training and for validation; both empty if no lists are asked for."""
    if not moments or not options.val_share:
        return [], []
    pause = round(options.gap * 1e9) + 1  # the gap of one drive takes no frame of the next
    times = [time / 1e9 for time in lay_end_to_end(moments, pause)]
    train, val = split_in_blocks(times, options.val_share, options.val_blocks, options.gap)
    return [moments[index] for index in train], [moments[index] for index in val]


def _name(moment: Moment) -> str:
    """File name without suffix; names sort as the moments do."""
    drive = f"drive{moment.drive + 1:02}_" if moment.drive else ""
    return f"{drive}{moment.stamp // 10**9:010d}_{moment.stamp % 10**9:09d}"


def _convert(options: Options) -> None:
    report = convert(options)
    print(report.text())
    if fault := describe_label_faults(options.tags or report.tags):
        print(fault, file=sys.stderr)
    if not report.kept:
        raise BagError(f"no pair was kept of {options.bag}")
    print(f"next: carla_unet_train --data {options.out} --tags {report.tags} --out runs/mine")
    if report.damage:
        raise BagError(f"{report.damage}; {options.out} holds the {report.kept} pairs before that")


def main(argv: list[str] | None = None) -> int:
    stopped = "stopped; --out holds a part of the bag"
    return run_command(Options, "carla_unet_from_bag", _convert, argv, stopped=stopped)


if __name__ == "__main__":
    sys.exit(main())
