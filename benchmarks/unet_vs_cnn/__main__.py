# SPDX-License-Identifier: Apache-2.0
"""Measures what the skip connections of a U-Net gain, by training three nets; takes hours.

    python -m benchmarks.unet_vs_cnn --runs FOLDER [--document]

carla_unet_train's own code trains alike: the U-Net, the same net without skip connections, and a
wider one without them that costs as many multiply-adds. All are scored by class on frames of
other streets of the drawn drive. After a stop, the same command resumes. Options of
carla_unet_train may be added and apply to all three: --epochs, --frames, --channels, ...
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import reporting
from benchmarks.unet_vs_cnn.contest import (
    TRAINING,
    Net,
    draw_streets,
    multiply_adds,
    nets_of,
    predicted,
    scored,
    trained,
)
from carla_unet_ros.command_line import parse
from carla_unet_ros.errors import InputError
from carla_unet_ros.evaluation.confusion_matrix import ConfusionMatrix
from carla_unet_ros.labels import LabelSet, carla_13
from carla_unet_ros.training import plots
from carla_unet_ros.training.data.folders import PairFolder
from carla_unet_ros.training.net.checkpoints import TrainedNet
from carla_unet_ros.training.net.unet import UNet, parameter_count
from carla_unet_ros.training.options import Options

_SHOWN = 2


def main(argv: Sequence[str] | None = None) -> int:
    parser = reporting.parser_of(__doc__, "unet_vs_cnn", "docs/unet_vs_cnn.md")
    parser.allow_abbrev = False
    parser.epilog = f"Training without more options: {TRAINING}"
    add = parser.add_argument
    add("--runs", type=Path, required=True, metavar="FOLDER", help="where the trainings and the "
        "drawn frames go")  # fmt: skip
    add("--drive-frames", nargs=2, type=reporting.positive, default=(960, 96),
        metavar=("TRAIN", "TEST"), help="8 of each street (960 96)")  # fmt: skip
    options, more = parser.parse_known_args(argv)
    data, labels = options.runs / "drive", carla_13()
    try:
        test = draw_streets(data, *options.drive_frames)
        places = ["--data", str(data), "--tags", "0.8.x", "--out", str(options.runs)]
        shape = parse(Options, "unet_vs_cnn", [*places, *TRAINING.split(), *more]).net
        size = shape.network_size
        nets = nets_of(shape.unet(len(labels)), size)
        weights = [trained(net, data, options.runs, more) for net in nets]
    except InputError as error:
        print(f"unet_vs_cnn: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last whole epoch")
        return 130
    matrices = [scored(net, test, labels) for net in weights]
    results = {
        **reporting.conditions("unet_vs_cnn", argv),
        "nets": [figures(net, matrix, size) for net, matrix in zip(nets, matrices, strict=True)],
        "classes": labels.names,
    }
    reporting.finish(
        results,
        "unet_vs_cnn",
        f"{reporting.origin(results)}.\n\n{tables(results)}",
        options,
        lambda path: draw(test, dict(zip((net.title for net in nets), weights, strict=True)),
                          labels, path),
    )  # fmt: skip
    return 0


def figures(net: Net, matrix: ConfusionMatrix, size: tuple[int, int]) -> dict[str, Any]:
    return {
        "title": net.title,
        "widths": net.config.widths,
        "weights": parameter_count(UNet(net.config)),
        "multiply_adds": multiply_adds(net.config, size),
        "mean_iou": matrix.mean_iou(),
        "pixel_accuracy": matrix.pixel_accuracy(),
        "iou": [None if np.isnan(value) else float(value) for value in matrix.iou()],
    }


def tables(results: dict[str, Any]) -> str:
    """Tables with a row for each net and one for each class, the class that gains most first."""
    nets = results["nets"]
    heads = ["net", "channels of its levels", "weights (M)", "multiply-adds (G)", "mean IoU",
             "pixel accuracy"]  # fmt: skip
    rows = [
        [net["title"], ", ".join(map(str, net["widths"])), f"{net['weights'] / 1e6:.2f}",
         f"{net['multiply_adds'] / 1e9:.2f}", f"{net['mean_iou']:.3f}",
         f"{net['pixel_accuracy']:.3f}"] for net in nets
    ]  # fmt: skip
    by_class: list[tuple[float, list[object]]] = []
    for name, *iou in zip(results["classes"], *(net["iou"] for net in nets), strict=True):
        if None not in iou:
            gain = 100 * (iou[0] - max(iou[1:]))
            by_class.append((gain, [name, *(f"{value:.3f}" for value in iou), f"{gain:+.1f}"]))
    of_classes = [row for _, row in sorted(by_class, key=lambda entry: -entry[0])]
    class_heads = ["class", *(net["title"] for net in nets), "U-Net more by"]
    return f"{reporting.table(heads, rows)}\n\n{reporting.table(class_heads, of_classes)}"


def draw(test: PairFolder, nets: dict[str, TrainedNet], labels: LabelSet, path: Path) -> None:
    """Draws frame, truth and each net's labels for the frames with most poles and signs."""
    thin = labels.ids(["Poles", "TrafficSigns"])
    counts = [int(np.isin(test.read(index).labels, thin).sum()) for index in range(len(test))]
    places = np.argsort(counts)[::-1][:_SHOWN]
    titles = ["frame", "truth", *nets]
    figure, axes = plots.pyplot.subplots(
        len(places), len(titles), figsize=(3 * len(titles), 2.4 * len(places)), squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for row, place in zip(axes, places, strict=True):
        frame, truth = test.read(int(place))
        ids = [truth, *(predicted(net, frame) for net in nets.values())]
        pictures = [frame, *(labels.palette_bgr[image] for image in ids)]
        for panel, title, picture in zip(row, titles, pictures, strict=True):
            panel.imshow(picture[..., ::-1])
            panel.set(title=title, xticks=[], yticks=[])
    figure.savefig(path, dpi=100)
    plots.pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
