# SPDX-License-Identifier: Apache-2.0
"""Scores models by weather and hour: night, fog, low sun and wet ground drawn into true frames.

    python -m carla_unet_ros.training.recipes.by_weather --data FOLDER [--models A.onnx ...]

FOLDER holds town01 and course, whose frames show a clear day. `training/data/weather.py` draws the
weather; so the labels stay true, but it is the same weather that models train with, not CARLA's.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch import Tensor
from tyro.conf import arg

from carla_unet_ros.command_line import Configured, run_command
from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.training.data import weather
from carla_unet_ros.training.data.augmentation import to_tensors
from carla_unet_ros.training.data.folders import Pair, PairFolder, PairSource
from carla_unet_ros.training.data.frame_names import read_list
from carla_unet_ros.training.evaluate import Evaluation, evaluate
from carla_unet_ros.training.recipes.shipped_model import LABELLED

PLACES = ("town01", "course")

Drawing = Callable[[Tensor, Tensor], Tensor]

WEATHERS: dict[str, Drawing] = {
    "day, as it is": lambda frame, _: frame,
    "night": weather.make_night,
    "fog": weather.make_fog,
    "low sun": weather.make_low_sun,
    "wet ground": weather.make_wet,
}


@dataclass(frozen=True, kw_only=True)
class Options(Configured):
    """Score models by weather and hour, drawn into the frames of val lists."""

    data: Path  # folder of the data folders
    # model files to compare
    models: Annotated[tuple[Path, ...], arg(help_behavior_hint="(default: the shipped one)")] = ()


class InWeather:
    """The pairs of a source, with a weather drawn into each frame; repeatable."""

    def __init__(self, source: PairSource, draw: Drawing) -> None:
        self.name = source.name
        self._source = source
        self._draw = draw

    def __len__(self) -> int:
        return len(self._source)

    def read(self, index: int) -> Pair:
        pair = self._source.read(index)
        frame, labels = to_tensors(*pair)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(index)
            drawn = self._draw(frame, labels.long())
        colours = drawn.mul(255).round().byte().permute(1, 2, 0).numpy()
        return Pair(np.ascontiguousarray(colours[..., ::-1]), pair.labels)


def score(model: Path | None, data: Path) -> dict[str, list[Evaluation]]:
    """By weather: the model's evaluation at each of PLACES."""
    segmenter = Segmenter(model, "openvino")
    labels = segmenter.model.label_set
    sources = [
        PairFolder(data / place, LABELLED[place], labels, read_list(data / place / "val.txt"))
        for place in PLACES
    ]
    results = {
        name: [evaluate(segmenter, InWeather(source, draw)) for source in sources]
        for name, draw in WEATHERS.items()
    }
    segmenter.close()
    return results


def table(titles: Sequence[str], results: Sequence[dict[str, list[Evaluation]]]) -> str:
    """A row for each weather, a column for each place and model: mean IoU (pixel accuracy)."""
    columns = [f"{place}, {title}" for place in PLACES for title in titles]
    rows = [
        f"| mean IoU (pixel accuracy) | {' | '.join(columns)} |",
        "|---|" + "---|" * len(columns),
    ]
    for name in WEATHERS:
        matrices = [
            result[name][place].matrix for place in range(len(PLACES)) for result in results
        ]
        cells = [f"{each.mean_iou():.3f} ({each.pixel_accuracy():.3f})" for each in matrices]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def run(options: Options) -> None:
    models = options.models or (None,)
    titles = [model.stem if model else "the shipped model" for model in models]
    print(table(titles, [score(model, options.data) for model in models]))


def main(argv: list[str] | None = None) -> int:
    return run_command(Options, "by_weather", run, argv)


if __name__ == "__main__":
    sys.exit(main())
