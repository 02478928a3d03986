"""carla_unet_from_bag: a recorded drive becomes a folder to train on.

From a rosbag2 recording of CARLA's bridge, or of CARLA's own ROS 2 interface, to rgb/NAME.png and
label/NAME.png (the raw CARLA tag, single channel). A frame is kept only with the label image of
exactly its stamp. report.json says what was kept, and why the rest was not.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from carla_unet_ros.ros.image_messages import BadFrame, to_bgra
from carla_unet_ros.training.data.bag_pairs import (
    BagError,
    BagIndex,
    PairedBag,
    Pairing,
    label_image,
)
from carla_unet_ros.training.data.folders import write_pair
from carla_unet_ros.training.data.splits import split_in_blocks
from carla_unet_ros.training.data.tag_recognition import TagError, TagFormat, recognise

_RGB_TOPIC = "/carla/ego_vehicle/rgb_front/image"
_LABEL_TOPIC = "/carla/ego_vehicle/semantic_segmentation_front/image"


@dataclass
class Report:
    """What became of a bag's frames; `left_out` counts by reason, `first` is one text of each."""

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
        if self.train:
            lines.append(f"  train.txt {self.train}, val.txt {self.val}")
        return "\n".join(lines)


def convert(options: argparse.Namespace) -> Report:
    """Writes the pairs, lists and report.json; options as `parse` gives them.

    Raises BagError, TagError, ValueError or OSError where nothing sensible can be written.
    """
    for folder in (options.out / "rgb", options.out / "label"):
        if folder.is_dir() and any(folder.iterdir()):
            raise BagError(f"{folder} is not empty; take another --out, one for each bag")
    report = Report(str(options.bag), options.rgb_topic, options.label_topic)
    with PairedBag(options.bag, options.rgb_topic, options.label_topic) as bag:
        index = bag.index()
        _count(index, report)
        kind = recognise(index.colours, options.tags)
        report.tags = kind.label_set.carla_tags
        report.labels_held = "palette colours" if kind.palette else "raw tags"
        chosen = decimate(index.paired, options.every, options.min_seconds)
        report.leave_out("decimation", count=len(index.paired) - len(chosen))
        # Tried before the long part: a split that cannot be had is told at once.
        _split(chosen, options)
        kept = sorted(
            pairing.stamp
            for pairing in bag.pairs(chosen)
            if _write(pairing, kind, options.out, options.jpeg, report)
        )
    report.kept = len(kept)
    train, val = _split(kept, options)
    report.train, report.val = len(train), len(val)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "report.json").write_text(json.dumps(asdict(report), indent=2) + "\n")
    for file, stamps in (("train.txt", train), ("val.txt", val)):
        if stamps:
            lines = "".join(f"{_name(stamp)}\n" for stamp in stamps)
            (options.out / file).write_text(lines)
    return report


def decimate(stamps: list[int], every: int, min_seconds: float) -> list[int]:
    """Each `every`-th of the rising stamps (ns), then those `min_seconds` after the one before."""
    kept: list[int] = []
    for stamp in stamps[::every]:
        if not kept or stamp - kept[-1] >= min_seconds * 1e9:
            kept.append(stamp)
    return kept


def _count(index: BagIndex, report: Report) -> None:
    report.frames, report.label_images = index.frames.total(), index.labels.total()
    report.pairs = len(index.paired)
    for own, other, what in (
        (index.frames, index.labels, "frame without a label image of its stamp"),
        (index.labels, index.frames, "label image without a frame of its stamp"),
    ):
        alone = sum(count for stamp, count in own.items() if stamp not in other)
        report.leave_out(what, count=alone)
    both = index.frames.keys() & index.labels.keys()
    report.leave_out("stamp that occurs more than once in a topic", count=len(both) - report.pairs)


def _write(pairing: Pairing, kind: TagFormat, out: Path, jpeg: int | None, report: Report) -> bool:
    """Writes one pair; False and a line in the report where it cannot be used."""
    name = _name(pairing.stamp)
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


def _split(stamps: list[int], options: argparse.Namespace) -> tuple[list[int], list[int]]:
    """Stamps for training and for validation; both empty where no lists are wanted."""
    if not stamps or not options.val_share:
        return [], []
    times = [stamp / 1e9 for stamp in stamps]
    train, val = split_in_blocks(times, options.val_share, options.val_blocks, options.gap)
    return [stamps[index] for index in train], [stamps[index] for index in val]


def _name(stamp: int) -> str:
    """File name without suffix; names sort as the stamps (ns) do."""
    return f"{stamp // 10**9:010d}_{stamp % 10**9:09d}"


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Options from the command line; exits with a sentence where they cannot be understood."""
    parser = argparse.ArgumentParser(
        "carla_unet_from_bag",
        description="Turn a rosbag2 recording (sqlite3 or MCAP) of a CARLA drive into pairs of "
        "frames and labels to train on: OUT/rgb/NAME.png and OUT/label/NAME.png.",
        epilog="Both cameras must have one size, field of view and pose (as in "
        f"config/carla_objects.json). Record with: ros2 bag record {_RGB_TOPIC} {_LABEL_TOPIC}",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("bag", type=Path, help="folder of the bag, or one .mcap or .db3 file")
    add("--out", type=Path, required=True, help="folder for the pairs; must hold none yet")
    add("--rgb-topic", default=_RGB_TOPIC, help="frames: Image or CompressedImage")
    add("--label-topic", default=_LABEL_TOPIC, help="the semantic camera's images")
    add("--tags", help="CARLA version whose tags the labels are (0.9.13, 0.9.16, ...); only "
        "needed where the colours leave it open")  # fmt: skip
    add("--every", type=int, default=1, help="keep each N-th pair")
    add("--min-seconds", type=float, default=0.0, help="and at least this time between pairs; "
        "neighbouring frames teach little: 0.5 is a good value")  # fmt: skip
    add("--jpeg", type=int, help="write frames as JPEG of this quality (1..100) instead of PNG: "
        "smaller, but not exact")  # fmt: skip
    add("--val-share", type=float, default=0.0, help="write train.txt and val.txt, with this "
        "share (0..1) of the pairs in val.txt; 0 writes no lists")  # fmt: skip
    add("--val-blocks", type=int, default=3, help="runs of frames the validation consists of")
    add("--gap", type=float, default=5.0, help="seconds left out on both sides of each run")
    options = parser.parse_args(argv)
    if options.every < 1 or options.min_seconds < 0 or options.val_blocks < 1 or options.gap < 0:
        parser.error("--every and --val-blocks start at 1, --min-seconds and --gap at 0")
    if not 0 <= options.val_share < 1:
        parser.error(f"--val-share {options.val_share}: expected 0 up to below 1")
    if options.jpeg is not None and not 1 <= options.jpeg <= 100:
        parser.error(f"--jpeg {options.jpeg}: expected 1 to 100")
    return options


def main(argv: list[str] | None = None) -> int:
    options = parse(argv)
    try:
        report = convert(options)
    except (ValueError, OSError) as error:
        print(f"carla_unet_from_bag: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"stopped; {options.out} holds a part of the bag", file=sys.stderr)
        return 130
    print(report.text())
    if not report.kept:
        print(f"carla_unet_from_bag: no pair was kept of {options.bag}", file=sys.stderr)
        return 1
    print(f"next: carla_unet_train --data {options.out} --tags {report.tags} --out runs/mine")
    return 0


if __name__ == "__main__":
    sys.exit(main())
