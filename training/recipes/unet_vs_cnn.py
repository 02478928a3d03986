# SPDX-License-Identifier: Apache-2.0
"""Measures what the skip connections of a U-Net gain, by training three nets; takes hours.

    python -m carla_unet_ros.training.recipes.unet_vs_cnn --out FOLDER

carla_unet_train's own code trains alike: the U-Net, the same net without skip connections, and a
wider one without them that costs as many multiply-adds. All are scored by class on frames of
other streets of the drawn drive. After a stop, the same command resumes.
"""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from carla_unet_ros.command_line import Configured, check_ranges, parse, run_command
from carla_unet_ros.evaluation.confusion_matrix import ConfusionMatrix
from carla_unet_ros.labels import carla_13
from carla_unet_ros.training import plots
from carla_unet_ros.training.data.drive_frames import DriveFrames
from carla_unet_ros.training.data.folders import PairFolder, write_pair
from carla_unet_ros.training.net.checkpoints import TrainedNet, read_trained_net
from carla_unet_ros.training.net.unet import UNet, parameter_count
from carla_unet_ros.training.options import Options as TrainingOptions
from carla_unet_ros.training.recipes.skipless_nets import Net, multiply_adds, nets_of, predicted
from carla_unet_ros.training.train import train
from carla_unet_ros.whole_files import prepare_folder, write_whole

_TRAINING = Path(__file__).with_suffix(".yaml")
_SHOWN = 2
_WATCHED = 8
"""Training curves are computed on one in this many test frames."""


@dataclass(frozen=True, kw_only=True)
class Options(Configured):
    """Train a U-Net and two nets without skip connections alike, and compare them; takes hours.

    The same command continues after any end. Writes tables.md, labels.png and figures.json.
    """

    out: Path  # folder for the drawn frames, the trainings and the results
    train_frames: int = 960  # frames to draw for training, 8 of each street
    test_frames: int = 96  # frames to draw for the scores, 8 of each other street
    # YAML file of the options of carla_unet_train that apply to all three nets
    training: Path = _TRAINING

    def __post_init__(self) -> None:
        check_ranges(self, train_frames=(1, math.inf), test_frames=(1, math.inf))

    @property
    def nets(self) -> list[Net]:
        shape = self._parsed("").net
        return nets_of(shape.unet(len(carla_13())), shape.network_size)

    def of(self, net: Net) -> TrainingOptions:
        """The options that train this net."""
        config = net.config
        width = f"--channels={config.channels}", f"--max-channels={config.max_channels}"
        return self._parsed(net.name, *width, "--skips" if config.skips else "--no-skips")

    def _parsed(self, name: str, *words: str) -> TrainingOptions:
        places = f"--data={self.out / 'drive'}", f"--out={self.out / name}", "--tags=0.8.x"
        words = f"--config={self.training}", *places, "--resume", *words
        return parse(TrainingOptions, "unet_vs_cnn", words)


def run(options: Options) -> None:
    """Trains what is not trained yet, scores all, and writes the results."""
    nets, labels = options.nets, carla_13()
    trainings = [options.of(net) for net in nets]
    prepare_folder(options.out)
    test = draw_streets(options)
    for each in trainings:
        print(f"{each.out.name}:", flush=True)
        train(each)
    # The last epoch, not the best: so no scored frame affects the choice.
    trained = {net.title: read_trained_net(options.out / net.name / "last.pt") for net in nets}
    results = [figures(net, trained[net.title], test) for net in nets]
    tables = "\n\n".join((table_of_nets(results), table_of_classes(results, labels.names)))
    print(tables)
    write_whole(options.out / "figures.json", json.dumps(results, indent=1))
    write_whole(options.out / "tables.md", f"{tables}\n")
    draw(trained, test, options.out / "labels.png")


def draw_streets(options: Options) -> PairFolder:
    """Draws streets of the drive to train on and others to test on, once; returns the latter.

    Each street has 8 frames; existing frames are kept.
    """
    folder = options.out / "drive"
    names: dict[str, list[str]] = {}
    for part, first, count in (
        ("train", 1000, options.train_frames),
        ("test", 0, options.test_frames),
    ):
        drive = DriveFrames(count, carla_13(), first)
        names[part] = [f"{part}_{index:04}" for index in range(count)]
        for index, name in enumerate(tqdm(names[part], f"drawing streets to {part} on")):
            if not (folder / "rgb" / f"{name}.jpg").exists():
                frame, labels = drive.read(index)
                write_pair(folder, name, frame, labels, jpeg=95)
    (folder / "train.txt").write_text("\n".join(names["train"]) + "\n")
    (folder / "val.txt").write_text("\n".join(names["test"][::_WATCHED]) + "\n")
    return PairFolder(folder, "0.8.x", carla_13(), names["test"])


def figures(net: Net, trained: TrainedNet, test: PairFolder) -> dict[str, Any]:
    matrix = ConfusionMatrix(len(carla_13()))
    for index in tqdm(range(len(test)), "scoring"):
        frame, truth = test.read(index)
        matrix.add(truth, predicted(trained, frame))
    return {
        "title": net.title,
        "widths": net.config.widths,
        "weights": parameter_count(UNet(net.config)),
        "multiply_adds": multiply_adds(net.config, trained.network_size),
        "mean_iou": matrix.mean_iou(),
        "pixel_accuracy": matrix.pixel_accuracy(),
        "iou": [None if np.isnan(value) else float(value) for value in matrix.iou()],
    }


def table_of_nets(nets: Sequence[dict[str, Any]]) -> str:
    heads = "net | channels of its levels | weights (M) | multiply-adds (G) | mean IoU"
    rows = [
        [
            net["title"],
            ", ".join(map(str, net["widths"])),
            f"{net['weights'] / 1e6:.2f}",
            f"{net['multiply_adds'] / 1e9:.2f}",
            f"{net['mean_iou']:.3f}",
            f"{net['pixel_accuracy']:.3f}",
        ]
        for net in nets
    ]
    return _table(f"{heads} | pixel accuracy", rows)


def table_of_classes(nets: Sequence[dict[str, Any]], classes: Sequence[str]) -> str:
    """A row for each class that was seen, the one that gains most from the skips first."""
    by_class: list[tuple[float, list[str]]] = []
    for name, *iou in zip(classes, *(net["iou"] for net in nets), strict=True):
        if None not in iou:
            gain = 100 * (iou[0] - max(iou[1:]))
            by_class.append((gain, [name, *(f"{value:.3f}" for value in iou), f"{gain:+.1f}"]))
    rows = [row for _, row in sorted(by_class, key=lambda entry: -entry[0])]
    return _table(" | ".join(["class", *(net["title"] for net in nets), "U-Net more by"]), rows)


def _table(heads: str, rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    rule = " | ".join(["---"] * (heads.count("|") + 1))
    return "\n".join(f"| {row} |" for row in (heads, rule, *map(" | ".join, rows)))


def draw(nets: dict[str, TrainedNet], test: PairFolder, path: Path) -> None:
    """Draws frame, truth and each net's labels for the frames with most poles and signs."""
    labels = carla_13()
    thin = labels.ids(["Poles", "TrafficSigns"])
    counts = [int(np.isin(test.read(index).labels, thin).sum()) for index in range(len(test))]
    places = np.argsort(counts)[::-1][:_SHOWN]
    titles = ["frame", "truth", *nets]
    size = 3 * len(titles), 2.4 * len(places)
    figure, axes = plots.pyplot.subplots(
        len(places), len(titles), figsize=size, squeeze=False, layout="constrained"
    )
    for row, place in zip(axes, places, strict=True):
        frame, truth = test.read(int(place))
        ids = [truth, *(predicted(net, frame) for net in nets.values())]
        pictures = [frame, *(labels.palette_bgr[image] for image in ids)]
        for panel, title, picture in zip(row, titles, pictures, strict=True):
            panel.imshow(picture[..., ::-1])
            panel.set(title=title, xticks=[], yticks=[])
    figure.savefig(path, dpi=100)
    plots.pyplot.close(figure)


def main(argv: list[str] | None = None) -> int:
    return run_command(Options, "unet_vs_cnn", run, argv)


if __name__ == "__main__":
    sys.exit(main())
