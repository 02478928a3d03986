# SPDX-License-Identifier: Apache-2.0
"""Runs a net on several views of a frame: other sizes, and the mirror image.

    frames (N, C, H, W)  ->  logits of the mean of all views (N, classes, H, W)

What it is sure of it says in every view, what it guesses it does not: the mean is right more often
than one look, and costs as many times more (`carla_unet_export --also 448x320 --flips`).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from carla_unet_ros.training.net.unet import UNet


@dataclass(frozen=True)
class Views:
    """The views that the net sees beside the frame itself.

    also:  sizes (width, height), each at most the network size, for they are made from it
    flips: all of these mirrored, too
    """

    also: tuple[tuple[int, int], ...] = ()
    flips: bool = False

    @property
    def count(self) -> int:
        """The number of times the net runs for a frame."""
        return (1 + len(self.also)) * (1 + self.flips)

    def of(self, net: UNet) -> "UNet | Mirrored | ManySizes":
        seen = Mirrored(net) if self.flips else net
        return ManySizes(seen, self.also) if self.also else seen


ONE_VIEW = Views()


class Mirrored(nn.Module):
    """The mean of a finished U-Net's logits for a frame and for its mirror image.

    Takes the net's place. The head is linear, so that the mean is one convolution of the features
    of both looks: what is mirrored back are those, a few channels, and not all classes' logits.
    """

    def __init__(self, net: UNet) -> None:
        super().__init__()
        self.net = net
        self.config = net.config
        self.head = _head_of_both(net.head, net.config.stem)

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (N, C, H, W) -> logits (N, classes, H, W)."""
        return self.net.unfold(self.blocks(frames))

    def blocks(self, frames: Tensor) -> Tensor:
        """The same before depth to space, as `UNet.blocks`; both looks are one batch."""
        both = torch.cat((frames, _mirror(frames)))
        straight, mirrored = self.net.features(both).chunk(2)
        return self.head(torch.cat((straight, _mirror(mirrored)), dim=1))


@torch.no_grad()
def _head_of_both(head: nn.Conv2d, stem: int) -> nn.Conv2d:
    """Reads the features of both looks, the second ones mirrored back, and gives the mean logits.

    In a mirrored block the pixels of a row change places: the weights of the second look do, too.
    """

    def mirrored(weights: Tensor) -> Tensor:
        return weights.unflatten(0, (-1, stem, stem)).flip(2).flatten(0, 2)

    result = nn.Conv2d(2 * head.in_channels, head.out_channels, 1)
    result.weight.copy_(torch.cat((head.weight, mirrored(head.weight)), dim=1) / 2)
    assert head.bias is not None and result.bias is not None
    result.bias.copy_((head.bias + mirrored(head.bias)) / 2)
    return result


def head_of_one(weights: Tensor, channels: int) -> Tensor:
    """The weights of a U-Net's own head, from those that also read a mirrored look, or its own.

    channels: how many features a look has
    """
    return weights if weights.shape[1] == channels else 2 * weights[:, :channels]


def _mirror(pictures: Tensor) -> Tensor:
    """(..., W) -> the same from right to left. OpenVINO has no fast `flip`."""
    columns = torch.arange(pictures.shape[-1] - 1, -1, -1, device=pictures.device)
    return pictures.index_select(-1, columns)


class ManySizes(nn.Module):
    """Looks at a frame in other sizes, too; takes the place of `net` in a FrameGraph."""

    def __init__(self, net: UNet | Mirrored, also: tuple[tuple[int, int], ...]) -> None:
        super().__init__()
        for width, height in also:
            if width % net.config.multiple or height % net.config.multiple:
                raise ValueError(
                    f"a view is {width}x{height}; this U-Net needs multiples of "
                    f"{net.config.multiple}"
                )
        self.net = net
        self.config = net.config
        self.also = also

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (N, C, H, W) -> log of the summed probabilities (N, classes, H, W)."""
        looks = [self.net(frames)]
        for width, height in self.also:
            small = F.interpolate(frames, (height, width), mode="bilinear", align_corners=False)
            looks.append(self.net(small))
        size = looks[0].shape[-2:]
        large = (F.interpolate(look, size, mode="bilinear", align_corners=False) for look in looks)
        return torch.log(sum((look.softmax(dim=1) for look in large), torch.zeros(())))
