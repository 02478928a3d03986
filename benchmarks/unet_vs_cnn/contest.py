# SPDX-License-Identifier: Apache-2.0
"""Three nets, trained alike and scored alike: the U-Net and two without skip connections.

Leaving out the skips makes a net cheaper, so a comparison at equal width flatters the U-Net: it
has more to compute with. The third net spends the difference on more channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from carla_unet_ros.command_line import parse
from carla_unet_ros.evaluation.confusion_matrix import ConfusionMatrix
from carla_unet_ros.labels import LabelSet, Uint8, carla_13
from carla_unet_ros.training.data.drive_frames import DriveFrames
from carla_unet_ros.training.data.folders import PairFolder, camera_frame, write_pair
from carla_unet_ros.training.net.checkpoints import TrainedNet, read_trained_net
from carla_unet_ros.training.net.frame_graph import FrameGraph
from carla_unet_ros.training.net.unet import UNet, UNetConfig
from carla_unet_ros.training.options import Options
from carla_unet_ros.training.train import train

TRAINING = (
    "--channels 16 --depth 4 --stem 2 --max-channels 128 --network-size 480x352 --crop 320x224 "
    "--batch 4 --epochs 9 --frames 960 --rate 3e-3 --mix 0 --relight 0 --class-weight 0.7 "
    "--rare Pedestrians Poles TrafficSigns --rare-crops 0.3"
)
_FIRST_STREETS = {"train": 1000, "test": 0}
_WATCHED = 8
"""Training curves are computed on one in this many test frames."""


@dataclass(frozen=True)
class Net:
    """One of the three nets; `name` is the folder of its run."""

    name: str
    title: str
    config: UNetConfig


def nets_of(unet: UNetConfig, size: tuple[int, int]) -> list[Net]:
    """The U-Net, the same without skips, and one without them of the same cost at this size."""
    return [
        Net("unet", "U-Net", unet),
        Net("no_skips", "without skips", replace(unet, skips=False)),
        Net("equal_cost", "wider without skips", equal_cost(unet, size)),
    ]


def multiply_adds(config: UNetConfig, size: tuple[int, int]) -> int:
    """Multiply-adds of all convolutions for one frame of (width, height), counted by running the
    net on torch's meta device, where tensors have shapes and no values."""
    width, height = size
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        UNet(config).eval()(torch.empty(1, 3, height, width))
    return counter.get_total_flops() // 2


def equal_cost(config: UNetConfig, size: tuple[int, int]) -> UNetConfig:
    """The net without skips, with no level narrower, whose cost is closest to this one's."""
    target, widest = multiply_adds(config, size), max(config.widths)
    costs: dict[UNetConfig, int] = {}
    for channels in range(config.channels, 2 * config.channels + 1):
        for most in range(max(widest, channels), 2 * widest + 1, 4):
            wider = replace(config, skips=False, channels=channels, max_channels=most)
            costs[wider] = multiply_adds(wider, size)
            if costs[wider] > target:  # a higher cap only costs more
                break
    return min(costs, key=lambda one: abs(costs[one] - target))


def draw_streets(folder: Path, train_frames: int, test_frames: int) -> PairFolder:
    """Draws streets of the drive to train on and others to test on, once; returns the latter.

    Each street has 8 frames; existing frames are kept.
    """
    names: dict[str, list[str]] = {}
    for part, count in (("train", train_frames), ("test", test_frames)):
        drive = DriveFrames(count, carla_13(), _FIRST_STREETS[part])
        names[part] = [f"{part}_{index:04}" for index in range(count)]
        for index, name in enumerate(tqdm(names[part], f"drawing streets to {part} on")):
            if not (folder / "rgb" / f"{name}.jpg").exists():
                frame, labels = drive.read(index)
                write_pair(folder, name, frame, labels, jpeg=95)
    (folder / "train.txt").write_text("\n".join(names["train"]) + "\n")
    (folder / "val.txt").write_text("\n".join(names["test"][::_WATCHED]) + "\n")
    return PairFolder(folder, "0.8.x", carla_13(), names["test"])


def trained(net: Net, data: Path, out: Path, more: Sequence[str]) -> TrainedNet:
    """Trains a net; returns the last epoch, not the best: no scored frame affects the choice.

    more: options of carla_unet_train that override TRAINING, for all three alike
    """
    places = ["--data", str(data), "--tags", "0.8.x", "--out", str(out / net.name), "--resume"]
    shape = [
        "--channels",
        str(net.config.channels),
        "--max-channels",
        str(net.config.max_channels),
    ]
    skips = [] if net.config.skips else ["--no-skips"]
    print(f"{net.title}:", flush=True)
    words = [*places, *TRAINING.split(), *more, *shape, *skips]
    train(parse(Options, "unet_vs_cnn", words))
    return read_trained_net(out / net.name / "last.pt")


def scored(net: TrainedNet, test: PairFolder, labels: LabelSet) -> ConfusionMatrix:
    matrix = ConfusionMatrix(len(labels))
    for index in tqdm(range(len(test)), "scoring"):
        frame, truth = test.read(index)
        matrix.add(truth, predicted(net, frame))
    return matrix


@torch.no_grad()
def predicted(net: TrainedNet, frame: Uint8) -> Uint8:
    """Labels of a frame as read, through the graph that is exported, in full precision."""
    graph = FrameGraph(net.net, net.network_size).eval()
    labels, _ = graph(torch.from_numpy(camera_frame(frame)))
    return labels.numpy()
