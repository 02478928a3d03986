# SPDX-License-Identifier: Apache-2.0
"""Measures the statistics of batch normalisation on frames as the net will see them.

In training each batch is normalised by its own mean and variance, and a moving average of these,
of augmented crops, is kept for later. Those of whole frames differ. So do those of a mean of
several nets, in whose layers the activations vary less (Jordan et al. 2023, REPAIR). Frames need
no labels for this: it fits a net to a camera, a light or a town that nobody has labelled, too
(Li et al. 2017, AdaBN).
"""

from collections.abc import Iterable, Iterator
from itertools import islice

import torch
from torch import Tensor, nn

from carla_unet_ros.labels import Uint8
from carla_unet_ros.training.net.frame_graph import planes_of
from carla_unet_ros.training.net.unet import UNet

_BATCH = 8


@torch.no_grad()
def measure_statistics(net: UNet, frames: Iterable[Uint8], network_size: tuple[int, int]) -> None:
    """Gives all batch normalisation of a net the mean statistics of batches of these frames.

    frames: [H, W, 4], B, G, R, alpha; neighbours should differ, because they share a batch
    """
    norms = _norms(net)
    momenta = [norm.momentum for norm in norms]
    net.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all batches
        norm.train()
    for batch in _batches(frames, network_size):
        net(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    net.eval()


def freeze_statistics(net: nn.Module) -> None:
    """Makes a net in training mode use the statistics it has, and leave them as they are."""
    for norm in _norms(net):
        norm.eval()


def _norms(net: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]


def _batches(frames: Iterable[Uint8], network_size: tuple[int, int]) -> Iterator[Tensor]:
    """(N, 3, H, W), normalised, R, G, B."""
    rest = iter(frames)
    while batch := list(islice(rest, _BATCH)):
        planes = [planes_of(torch.from_numpy(one), network_size) for one in batch]
        yield torch.cat(planes)[:, [2, 1, 0]].contiguous(memory_format=torch.channels_last)
