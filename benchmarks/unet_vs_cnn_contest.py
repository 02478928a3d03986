"""Three nets, trained alike and scored alike: what benchmarks/unet_vs_cnn.py measures."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from boundary import BoundaryIoU, distance_of
from net_cost import equal_cost, multiply_adds
from tqdm import tqdm
from unet_vs_cnn_document import Figures, NetFigures

from carla_unet_ros.evaluation.confusion_matrix import ConfusionMatrix
from carla_unet_ros.labels import LabelSet, Uint8, carla_13, label_set
from carla_unet_ros.training.data.drive_frames import DriveFrames
from carla_unet_ros.training.data.folders import (
    DataError,
    PairFolder,
    camera_frame,
    split_names,
    write_pair,
)
from carla_unet_ros.training.data.frame_names import read_list
from carla_unet_ros.training.net.checkpoints import TrainedNet, read_trained_net
from carla_unet_ros.training.net.frame_graph import FrameGraph
from carla_unet_ros.training.net.unet import UNet, UNetConfig, parameter_count
from carla_unet_ros.training.options import OptionError, Options, parse
from carla_unet_ros.training.train import train

_FIRST_STREETS = {"train": 1000, "test": 0}
_WATCHED = 8
"""Every so many test frames of the drive, a training's curves show one."""


@dataclass(frozen=True)
class Data:
    """A folder of pairs, whose train.txt or first part is trained on, and what is scored."""

    folder: Path
    tags: str
    test: list[str]
    name: str


@dataclass(frozen=True)
class Net:
    """One of the three; `name` is its run's folder."""

    name: str
    title: str
    config: UNetConfig


@dataclass(frozen=True)
class Contest:
    """The nets, the training they have in common, and the frames they are scored on."""

    nets: list[Net]
    options: Options
    labels: LabelSet
    test: PairFolder
    data: Data

    @staticmethod
    def open(data: Data, out: Path, training: Sequence[str]) -> "Contest":
        """training: options of carla_unet_train, that of the U-Net among them.

        Raises OptionError for a U-Net without skips, DataError for data that cannot be used.
        """
        places = ["--data", str(data.folder), "--tags", data.tags, "--out", str(out)]
        options = parse([*places, *training])
        if options.no_skips:
            raise OptionError("--no-skips: two of the nets have none anyway; leave it out")
        labels = label_set(options.labels)
        unet = UNetConfig(
            len(labels), options.channels, options.depth, options.stem, options.max_channels
        )
        nets = [
            Net("unet", "U-Net", unet),
            Net("no_skips", "without skips", replace(unet, skips=False)),
            Net(
                "equal_cost",
                "wider without skips",
                equal_cost(unet, options.network_size),
            ),
        ]
        test = PairFolder(data.folder, data.tags, labels, data.test)
        return Contest(nets, options, labels, test, data)

    def trained(self, net: Net) -> TrainedNet:
        """After the last epoch, not the best one: nothing is chosen by frames that are scored."""
        options = replace(
            self.options,
            out=self.options.out / net.name,
            channels=net.config.channels,
            max_channels=net.config.max_channels,
            no_skips=not net.config.skips,
            resume=True,
        )
        print(f"{net.title}:", flush=True)
        train(options)
        return read_trained_net(options.out / "last.pt")

    def measured(
        self, trained: Sequence[TrainedNet], distances: Sequence[str], command: str
    ) -> Figures:
        """Scores the nets on every test frame. ValueError for a distance that is none."""
        height, width = self.test.read(0).labels.shape
        pixels = [distance_of(text, height, width) for text in distances]
        scores = [self._scored(net, weights, pixels) for net, weights in
                  zip(self.nets, trained, strict=True)]  # fmt: skip
        thinnest = min(scores[0][1], key=lambda boundary: boundary.distance)
        return Figures(
            command=command,
            nets=[
                self._figures(net, *entry) for net, entry in zip(self.nets, scores, strict=True)
            ],
            classes=list(self.labels.names),
            thinness=_numbers(thinnest.thinness()),
            distances=pixels,
            depth=self.options.depth,
            stem=self.options.stem,
            camera=(width, height),
            network=self.options.network_size,
            trained=self._story(distance_of("2%", height, width)),
        )

    def _scored(
        self, net: Net, weights: TrainedNet, distances: Sequence[int]
    ) -> tuple[ConfusionMatrix, list[BoundaryIoU]]:
        matrix = ConfusionMatrix(len(self.labels))
        boundaries = [BoundaryIoU(len(self.labels), distance) for distance in distances]
        for index in tqdm(range(len(self.test)), f"scoring {net.title}"):
            frame, truth = self.test.read(index)
            labels = predicted(weights, frame)
            for score in (matrix, *boundaries):
                score.add(truth, labels)
        return matrix, boundaries

    def _figures(
        self, net: Net, matrix: ConfusionMatrix, boundaries: Sequence[BoundaryIoU]
    ) -> NetFigures:
        return NetFigures(
            title=net.title,
            widths=net.config.widths,
            weights=weight_count(net.config),
            multiply_adds=multiply_adds(net.config, self.options.network_size),
            mean_iou=matrix.mean_iou(),
            pixel_accuracy=matrix.pixel_accuracy(),
            iou=_numbers(matrix.iou()),
            boundary=[_numbers(boundary.iou()) for boundary in boundaries],
            boundary_mean=[boundary.mean_iou() for boundary in boundaries],
        )

    def _story(self, paper: int) -> str:
        """What they were trained and scored on; `paper`: 2 % of the diagonal in pixels."""
        options = self.options
        crop = "x".join(map(str, options.crop))
        return (
            f"{self.data.name}. Each net was trained for {options.epochs} epochs of "
            f"{options.frames} frames, {options.batch} a step, in crops of {crop}, with the same "
            f"seed ({options.seed}), schedule, loss and augmentation. Scored are the weights "
            "after the last epoch, so nothing was chosen by the frames that are scored. Boundary "
            "IoU ([Cheng et al. 2021](https://arxiv.org/abs/2103.16562)) counts pixels within a "
            f"distance of a contour; the paper takes 2 % of the diagonal, here {paper} px. The "
            "wider net is the one without skips whose multiply-adds come closest to the U-Net's."
        )


def data_of(
    folder: Path | None, tags: str | None, drive: Path, drive_frames: Sequence[int]
) -> Data:
    """A folder's own split; where none is named, the drive's, drawn into `drive`."""
    if folder is None:
        return _drawn_drive(drive, *drive_frames)
    if tags is None:
        raise DataError(f"--data {folder} needs --tags, the CARLA version of its masks")
    train_names, test = split_names(folder)
    name = (
        f"Trained on {len(train_names)} frames of {folder.name}, scored on {len(test)} of it that "
        "were held back"
    )
    return Data(folder, tags, test, name)


def _drawn_drive(folder: Path, train_frames: int, test_frames: int) -> Data:
    """Streets to train on and others to be scored on, drawn once; frames there are kept."""
    if min(train_frames, test_frames) < 1:
        raise DataError(f"--drive-frames {train_frames} {test_frames}: expected one or more each")
    names: dict[str, list[str]] = {}
    for part, count in (("train", train_frames), ("test", test_frames)):
        drive = DriveFrames(count, carla_13(), _FIRST_STREETS[part])
        names[part] = [f"{part}_{index:04}" for index in range(count)]
        for index, name in enumerate(tqdm(names[part], f"drawing streets to {part} on")):
            if not (folder / "rgb" / f"{name}.jpg").exists():
                frame, labels = drive.read(index)
                write_pair(folder, name, frame, labels, jpeg=95)
    names["val"] = names["test"][::_WATCHED]
    for part, entries in names.items():
        (folder / f"{part}.txt").write_text("\n".join(entries) + "\n")
    about = (
        f"Trained on {train_frames} frames of the procedural drive, scored on {test_frames} of "
        "other streets of it"
    )
    return Data(folder, "0.8.x", read_list(folder / "test.txt"), about)


@torch.no_grad()
def predicted(trained: TrainedNet, frame: Uint8) -> Uint8:
    """Labels of a frame as read, through the graph that is exported, in full precision."""
    graph = FrameGraph(trained.net, trained.network_size).eval()
    labels, _ = graph(torch.from_numpy(camera_frame(frame)))
    return labels.numpy()


def weight_count(config: UNetConfig) -> int:
    with torch.device("meta"):
        return parameter_count(UNet(config))


def _numbers(values: Iterable[float]) -> list[float | None]:
    """Plain numbers for JSON; None for NaN, a class that there was nothing to measure of."""
    return [None if math.isnan(value) else float(value) for value in values]
