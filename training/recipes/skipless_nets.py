# SPDX-License-Identifier: Apache-2.0
"""Three nets: the U-Net and two without skip connections.

Leaving out the skips makes a net cheaper, so a comparison at equal width flatters the U-Net: it
has more to compute with. The third net spends the difference on more channels.
"""

from dataclasses import dataclass, replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from carla_unet_ros.labels import Uint8
from carla_unet_ros.training.data.folders import camera_frame
from carla_unet_ros.training.net.checkpoints import TrainedNet
from carla_unet_ros.training.net.frame_graph import FrameGraph
from carla_unet_ros.training.net.unet import UNet, UNetConfig


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


@torch.no_grad()
def predicted(net: TrainedNet, frame: Uint8) -> Uint8:
    """Labels of a frame as read, through the graph that is exported, in full precision."""
    graph = FrameGraph(net.net, net.network_size).eval()
    labels, _ = graph(torch.from_numpy(camera_frame(frame)))
    return labels.numpy()
