# SPDX-License-Identifier: Apache-2.0
"""The figures of the live evaluation: as messages, as a log line, and as report.json."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import CameraInfo

from carla_unet_ros.evaluation.confusion_matrix import ConfusionMatrix
from carla_unet_ros.evaluation.free_space import FreeSpaceScores, free_space_iou
from carla_unet_ros.evaluation.live_scores import LiveScores
from carla_unet_ros.evaluation.truth_reader import TruthReader
from carla_unet_ros.evaluation.worst_frames import WorstFrames
from carla_unet_ros.labels import LabelSet
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.ros.diagnostics import OK, WARN, status
from carla_unet_ros.ros.stamp_matcher import StampMatcher
from carla_unet_ros.whole_files import write_whole

_UNKNOWN_SHARE = 0.01


@dataclass
class LiveFigures:
    """The figures of a running evaluation.

    scores, legend: None until the legend has come
    pairs:          matches "labels" with "truth"
    free_space:     the same for the free ground
    unusable:       pairs that could not be compared
    infos:          the newest camera_info of "frames" and "truth"; empty before they come
    """

    tags: LabelSet
    pairs: StampMatcher
    truth: TruthReader
    free_space: FreeSpaceScores
    scores: LiveScores | None = None
    legend: Legend | None = None
    unusable: int = 0
    infos: dict[str, CameraInfo] = field(default_factory=dict)

    @property
    def scored(self) -> int:
        return self.scores.pairs if self.scores else 0

    def summary(self) -> str:
        """One line: mean IoU, and how many pairs it comes from."""
        if self.scores is None or not self.scored:
            return "no pair of labels and truth yet"
        last, total = (
            "unknown" if math.isnan(value) else f"{value:.3f}"
            for value in (self.scores.window.mean_iou(), self.scores.total.mean_iou())
        )
        free = free_space_iou(self.free_space.window)
        return (
            f"mean IoU {last} over the last {self.scores.window_pairs} pairs, {total} "
            f"over all {self.scored}; "
            f"{'' if math.isnan(free) else f'free space IoU {free:.3f} over the last pairs; '}"
            f"unpaired: {self.pairs.unmatched['labels']} labels, "
            f"{self.pairs.unmatched['truth']} truth"
        )

    def find_doubt(self) -> str:
        """A sentence that says why the score may be wrong; "" where nothing speaks against it."""
        frames, seen = self.infos.get("frames"), self.infos.get("truth")
        if frames and seen and not all(map(math.isclose, frames.k, seen.k)):
            return (
                f"camera and semantic camera see differently (fx {frames.k[0]:.1f} and "
                f"{seen.k[0]:.1f} pixels): give both the same size and field of view"
            )
        truth = self.truth
        if truth.found == "raw" and truth.kind == "auto" and _before_0_9_14(self.tags):
            return (
                f"the truth holds raw tags, as CARLA's own ROS 2 interface sends them since "
                f"0.9.16, but tags is that of {self.tags.carla_tags}, in which the ids mean other "
                "classes: set tags, or truth to raw where this is meant"
            )
        if truth.unknown_pixels > _UNKNOWN_SHARE * max(truth.pixels, 1):
            share = truth.unknown_pixels / truth.pixels
            return (
                f"{share:.0%} of the truth has no tag of CARLA {self.tags.carla_tags} "
                f"({truth.example}): set tags to the simulator's version"
            )
        return ""

    def to_json(self) -> dict[str, Any]:
        """The content of report.json; what carla_unet_evaluate reports, too, has the same key."""
        total = self.scores.total if self.scores else ConfusionMatrix(1)
        names = self.scores.classes.names if self.scores else ()
        return {
            "mean_iou": _finite(total.mean_iou()),
            "pixel_accuracy": _finite(total.pixel_accuracy()),
            "iou": {
                name: _finite(value)
                for name, value in zip(names, total.iou() if names else (), strict=True)
            },
            "free_space_iou": _finite(free_space_iou(self.free_space.total)),
            "frames": self.scored,
            "free_space_frames": self.free_space.pairs,
            "free_space_problem": self.free_space.problem,
            "unpaired_labels": self.pairs.unmatched["labels"],
            "unpaired_truth": self.pairs.unmatched["truth"],
            "unusable_pairs": self.unusable,
            "truth": self.truth.found,
            "tags": self.tags.carla_tags,
            "unknown_truth_pixels": self.truth.unknown_pixels,
            "truth_pixels": self.truth.pixels,
            "model": self.legend.model if self.legend else "",
            "engine": self.legend.engine if self.legend else "",
        }


def statuses(node: str, figures: LiveFigures, problem: str) -> list[DiagnosticStatus]:
    """Three statuses: `<node>`; with IoU by class name `<node>: last pairs`, `<node>: all pairs`.

    problem: a sentence that makes the level of the first one WARN; "" for OK
    """
    counts = {
        "pairs": figures.scored,
        "unpaired labels": figures.pairs.unmatched["labels"],
        "unpaired truth": figures.pairs.unmatched["truth"],
        "unusable pairs": figures.unusable,
    }
    values = {name: str(count) for name, count in counts.items()}
    values |= {"truth": figures.truth.found or "none yet", "tags": figures.tags.carla_tags}
    values["free space"] = figures.free_space.problem or "scored"
    found = [status(node, WARN if problem else OK, problem or figures.summary(), values)]
    if figures.scores is not None:
        names = figures.scores.classes.names
        scores, free = figures.scores, figures.free_space
        found += [
            _iou_status(f"{node}: last pairs", scores.window, free.window, names),
            _iou_status(f"{node}: all pairs", scores.total, free.total, names),
        ]
    return found


def write_report(folder: Path, figures: LiveFigures, worst: WorstFrames) -> None:
    """Writes report.json, and worst.png where frames were scored. OSError if it cannot."""
    report = figures.to_json()
    report["worst"] = [
        {"stamp": frame.stamp / 1e9, "mean_iou": frame.mean_iou} for frame in worst.frames
    ]
    text = json.dumps(report, indent=2)
    write_whole(folder / "report.json", f"{text}\n")
    if figures.scores is not None:
        worst.write(folder / "worst.png", figures.scores.classes)


def _iou_status(
    name: str, matrix: ConfusionMatrix, cells: ConfusionMatrix, names: Sequence[str]
) -> DiagnosticStatus:
    iou = dict(zip(names, matrix.iou(), strict=True))
    values = {"mean IoU": _decimals(matrix.mean_iou())}
    values |= {"pixel accuracy": _decimals(matrix.pixel_accuracy())}
    values |= {"free space IoU": _decimals(free_space_iou(cells))}
    values |= {class_name: _decimals(value) for class_name, value in iou.items()}
    return status(name, OK, f"mean IoU {values['mean IoU'] or 'unknown'}", values)


def _decimals(value: float) -> str:
    """The value with four decimals; "" for what was not seen."""
    return "" if math.isnan(value) else f"{value:.4f}"


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _before_0_9_14(tags: LabelSet) -> bool:
    return "Car" not in tags.names
