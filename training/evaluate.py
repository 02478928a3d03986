# SPDX-License-Identifier: Apache-2.0
"""Scores a model file on labelled frames: `carla_unet_evaluate --data DIR --tags VERSION`.

The model runs in the Segmenter that the node uses, at full camera resolution. No torch is needed.
"""

import json
import math
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from carla_unet_ros.command_line import Configured, check_ranges, run_command
from carla_unet_ros.engines import EngineName
from carla_unet_ros.errors import InputError
from carla_unet_ros.evaluation.confusion_matrix import ConfusionMatrix
from carla_unet_ros.labels import IGNORE, LabelSet, Uint8, carla_label_set
from carla_unet_ros.pictures import write_picture
from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.training.data.folders import (
    PairFolder,
    PairSource,
    camera_frame,
)
from carla_unet_ros.training.data.frame_names import read_list
from carla_unet_ros.whole_files import prepare_file, prepare_folder, write_whole


@dataclass(frozen=True, kw_only=True)
class Options(Configured):
    """Score a model file on frames with per-pixel labels.

    IoU of a class: the pixels that have the class in truth and prediction, divided by the pixels
    that have it in either. Mean IoU is the mean over the classes that occur in the truth.
    """

    model: Path | None = None  # ONNX file; without, the shipped one
    data: Path  # folder of pairs, as carla_unet_train takes it
    tags: str  # CARLA version whose tags the masks hold, such as 0.9.13
    list: str | None = None  # file of frame names; a bare name is looked for in --data (val.txt)
    ignore_bottom: int = 0  # rows at the bottom that are not scored
    engine: EngineName = "auto"  # what runs the model
    json: Path | None = None  # write the figures to this file
    # folder for frame | truth | prediction | errors, and for the confusion matrix, as PNG; needs
    # matplotlib
    pictures: Path | None = None
    picture_count: int = 12  # number of pictures, evenly spread

    def __post_init__(self) -> None:
        check_ranges(self, ignore_bottom=(0, math.inf), picture_count=(0, math.inf))
        carla_label_set(self.tags)


@dataclass
class Evaluation:
    """The confusion matrix of all frames, and how long each frame took (seconds)."""

    labels: LabelSet
    matrix: ConfusionMatrix
    seconds: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """Plain numbers for JSON; null for a class that never occurred.

        Raises ValueError if no pixel was scored.
        """
        if not self.matrix.counts.any():
            raise InputError("no pixel was scored: the truth holds none of the model's classes")
        return {
            "mean_iou": self.matrix.mean_iou(),
            "pixel_accuracy": self.matrix.pixel_accuracy(),
            "iou": self._by_name(self.matrix.iou()),
            "f05": self._by_name(self.matrix.f_score(0.5)),
            "f2": self._by_name(self.matrix.f_score(2.0)),
            "frames": len(self.seconds),
            "median_ms": 1000 * float(np.median(self.seconds)),
        }

    def iou_in_truth(self) -> dict[str, float]:
        """IoU by name of the classes that occur in the truth; their mean is the mean IoU."""
        present = self.matrix.counts.sum(axis=1) > 0
        scores = zip(self.labels.names, self.matrix.iou(), present, strict=True)
        return {name: float(value) for name, value, in_truth in scores if in_truth}

    def _by_name(self, values: Iterable[float]) -> dict[str, float | None]:
        return {
            name: None if math.isnan(value) else float(value)
            for name, value in zip(self.labels.names, values, strict=True)
        }


def evaluate(
    segmenter: Segmenter, source: PairSource, ignore_bottom: int = 0, progress: bool = True
) -> Evaluation:
    """Segments and scores every frame of a source whose labels are in the model's label set.

    ignore_bottom: rows at the bottom that are not scored (the ego car's own bonnet)
    """
    labels = segmenter.model.label_set
    result = Evaluation(labels, ConfusionMatrix(len(labels)))
    for frame, truth, prediction in _segmented(segmenter, source, progress, result.seconds):
        del frame
        result.matrix.add(without_bottom(truth, ignore_bottom), prediction)
    return result


def without_bottom(truth: Uint8, rows: int) -> Uint8:
    """The label image with its last rows set to IGNORE."""
    if not rows:
        return truth
    truth = truth.copy()
    truth[-rows:] = IGNORE
    return truth


def panel(frame: Uint8, truth: Uint8, prediction: Uint8, labels: LabelSet) -> Uint8:
    """frame | truth | prediction | errors, side by side, B, G, R.

    In errors, right pixels are dark, wrong ones red, unlabelled ones grey.
    """
    palette = labels.palette_bgr
    errors = (frame * 0.3).astype(np.uint8)
    errors[(truth != prediction) & (truth != IGNORE)] = (60, 60, 255)
    errors[truth == IGNORE] = 128
    return np.hstack((frame, palette[truth], palette[prediction], errors))


def _segmented(
    segmenter: Segmenter, source: PairSource, progress: bool, seconds: list[float]
) -> Iterator[tuple[Uint8, Uint8, Uint8]]:
    """(frame, truth, prediction) of every pair; the time of each is appended to `seconds`."""
    prepared: set[tuple[int, ...]] = set()
    for index in tqdm(range(len(source)), "frames", disable=not progress):
        frame, truth = source.read(index)
        camera = camera_frame(frame)
        if camera.shape not in prepared:  # not part of any frame's time
            segmenter.engine.prepare(*camera.shape[:2])
            prepared.add(camera.shape)
        start = time.perf_counter()
        prediction = segmenter.segment(camera).labels
        seconds.append(time.perf_counter() - start)
        yield frame, truth, prediction


def _write_pictures(
    segmenter: Segmenter, source: PairFolder, folder: Path, count: int, result: Evaluation
) -> None:
    from carla_unet_ros.training import plots

    labels = segmenter.model.label_set
    for index in np.unique(np.linspace(0, len(source) - 1, min(count, len(source))).astype(int)):
        frame, truth = source.read(int(index))
        prediction = segmenter.segment(camera_frame(frame)).labels
        path = folder / f"{source.names[index]}.png"
        write_picture(path, panel(frame, truth, prediction, labels))
    plots.confusion_matrix(result.matrix, labels.names, folder / "confusion_matrix.png")


def _table(figures: dict[str, Any]) -> str:
    """Returns the text that is printed at the end."""
    rows = [
        f"  {name:16} {'not in the data' if value is None else f'{value:.3f}'}"
        for name, value in figures["iou"].items()
    ]
    return "\n".join(
        [
            f"mean IoU {figures['mean_iou']:.4f}   pixel accuracy {figures['pixel_accuracy']:.4f}",
            f"{figures['frames']} frames, median {figures['median_ms']:.1f} ms, "
            f"{figures['engine']}, {figures['model']}",
            "IoU by class:",
            *rows,
        ]
    )


def _names(data: Path, name: str | None) -> list[str] | None:
    if name is None:
        return None
    inside = data / name
    return read_list(inside if inside.is_file() else Path(name))


def _check_outputs(options: Options) -> None:
    """Raises InputError now for results that could not be written later."""
    if options.json:
        prepare_file(options.json)
    if options.pictures:
        prepare_folder(options.pictures)
        try:
            import_module("carla_unet_ros.training.plots")
        except ImportError as error:
            raise InputError(f"--pictures: {error}; pip install matplotlib") from error


def _evaluate(options: Options) -> None:
    _check_outputs(options)
    segmenter = Segmenter(options.model, options.engine)
    labels, names = segmenter.model.label_set, _names(options.data, options.list)
    source = PairFolder(options.data, options.tags, labels, names)
    result = evaluate(segmenter, source, options.ignore_bottom)
    figures = result.figures() | {
        "model": segmenter.model.name,
        "engine": segmenter.engine.name,
    }
    print(_table(figures))
    if options.json:
        write_whole(options.json, json.dumps(figures, indent=1))
    if options.pictures:
        _write_pictures(segmenter, source, options.pictures, options.picture_count, result)


def main(argv: list[str] | None = None) -> int:
    return run_command(Options, "carla_unet_evaluate", _evaluate, argv)


if __name__ == "__main__":
    sys.exit(main())
