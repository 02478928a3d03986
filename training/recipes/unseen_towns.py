# SPDX-License-Identifier: Apache-2.0
"""Measures a town that a net has never seen, and what unlabelled driving in it adds.

    python -m carla_unet_ros.training.recipes.unseen_towns --data FOLDER --out runs/unseen

FOLDER holds the labelled folders of `shipped_model`. One after the other is the new town. Three
nets are scored on its val.txt; each starts from random weights and sees as many frames:

    never seen  the net of the other towns
    driven in   of the other towns and of the new one's frames, labelled by the net before
    labelled    of all towns with their labels

They are small and trained briefly, so the differences count and not the scores. A teacher, any
model file that has not learned the new town's labels, votes beside the net. After a stop, the same
command continues.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from carla_unet_ros.command_line import EMPTY, Configured, check_ranges, run_command
from carla_unet_ros.labels.json_text import read_json
from carla_unet_ros.training.data.frame_names import read_list
from carla_unet_ros.training.recipes.shipped_model import LABELLED
from carla_unet_ros.training.recipes.stages import Stage, run_stages
from carla_unet_ros.whole_files import write_whole

WAYS = ("never seen", "driven in", "labelled")
_SHARES = {"town01": 4, "course": 1.2, "town07": 0.6, "town02_roads": 0.7}
_DRIVEN = 300
"""About as many frames of the new town are labelled by the net."""

_TRAINING = (
    "--channels 16 --depth 4 --network-size 448x320 --crop 256x192 --batch 8 --rate 3e-3 "
    "--rare Pedestrians Poles TrafficSigns --rare-crops 0.3 --class-weight 0.5 --average 0.98"
)


@dataclass(frozen=True, kw_only=True)
class Options(Configured):
    """Measure what a net misses in a new town, and what unlabelled driving there adds.

    The same command continues after any end. Writes OUT/table.md.
    """

    data: Path  # folder of the data folders
    out: Path  # folder for all files of the recipe
    # model files that label each new town, too
    teachers: Annotated[tuple[Path, ...], EMPTY] = ()
    epochs: int = 4  # epochs of each training
    frames: int = 1600  # frames of an epoch

    def __post_init__(self) -> None:
        check_ranges(self, epochs=(1, math.inf), frames=(8, math.inf))


def stages_of(options: Options) -> list[Stage]:
    """The stages, in order. DataError if a town has no train.txt."""
    stages = _net(options, "all", [options.data / town for town in LABELLED], [*LABELLED.values()])
    for town in LABELLED:
        never_seen, driven_in, _ = _nets(town)
        others = [options.data / name for name in LABELLED if name != town]
        tags = [LABELLED[folder.name] for folder in others]
        driven = options.out / f"{town}_driven" / town
        stages += [
            *_net(options, never_seen, others, tags),
            _labelling(options, town, driven),
            *_net(options, driven_in, [*others, driven], [*tags, "0.8.x"], "--unsplit", driven),
            *(_scoring(options, town, net) for net in _nets(town)),
        ]
    return stages


def _nets(town: str) -> tuple[str, str, str]:
    """The names of the nets that are scored in a town, in the order of WAYS."""
    return f"{town}_never_seen", f"{town}_driven_in", "all"


def _net(
    options: Options, name: str, folders: Sequence[Path], tags: Sequence[str], *more: str | Path
) -> list[Stage]:
    """Trains a net on folders, and exports it to OUT/NAME.onnx."""
    run = options.out / name
    shares = [str(_SHARES[folder.name]) for folder in folders]
    training = ["--data", *folders, "--tags", *tags, *more, "--shares", *shares, "--out", run]
    length = ["--epochs", str(options.epochs), "--frames", str(options.frames), "--resume"]
    exporting = ["--checkpoint", run / "last.pt", "--out", options.out / f"{name}.onnx"]
    return [
        Stage.of(f"train_{name}", "train", [*training, *length, *_TRAINING.split()]),
        Stage.of(f"export_{name}", "export", exporting),
    ]


def _labelling(options: Options, town: str, pairs: Path) -> Stage:
    """The net that has never seen a town labels frames of its train.txt, with the teachers."""
    folder = options.data / town
    chosen = folder / "train.txt"
    every = max(1, len(read_list(chosen)) // _DRIVEN)
    frames = ["--frames", folder, "--list", chosen, "--every", str(every)]
    models = ["--models", *options.teachers, options.out / f"{_nets(town)[0]}.onnx"]
    return Stage.of(f"label_{town}", "label", [*frames, *models, "--out", pairs])


def _scoring(options: Options, town: str, net: str) -> Stage:
    frames = ["--data", options.data / town, "--tags", LABELLED[town], "--list", "val.txt"]
    files = ["--model", options.out / f"{net}.onnx", "--json", _scores(options.out, town, net)]
    return Stage.of(f"score_{town}_{net}", "evaluate", [*frames, *files])


def _scores(out: Path, town: str, net: str) -> Path:
    return out / f"{town}_{net}.json"


def table(out: Path) -> str:
    """A row for each town: mean IoU (pixel accuracy) of the three nets, on its val.txt."""
    rows = [f"| new town | {' | '.join(WAYS)} |", f"|---|{'---|' * len(WAYS)}"]
    for town in LABELLED:
        scores = [read_json(_scores(out, town, net).read_text()) for net in _nets(town)]
        cells = [f"{each['mean_iou']:.3f} ({each['pixel_accuracy']:.3f})" for each in scores]
        rows.append(f"| {town} | {' | '.join(cells)} |")
    return "\n".join(rows)


def run(options: Options) -> None:
    run_stages(stages_of(options), options.out)
    text = table(options.out)
    write_whole(options.out / "table.md", f"{text}\n")
    print(text)


def main(argv: list[str] | None = None) -> int:
    stopped = "stopped; the same command goes on"
    return run_command(Options, "unseen_towns", run, argv, stopped=stopped)


if __name__ == "__main__":
    sys.exit(main())
