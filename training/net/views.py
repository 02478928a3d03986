# SPDX-License-Identifier: Apache-2.0
"""Runs a net on several views of a frame: other sizes, and the mirror image.

    frames (N, C, H, W)  ->  logits of the mean of all views (N, classes, H, W)

The views agree where the net is sure and differ where it guesses, so the mean is right more often
than a single view. n views cost n times as much (`carla_unet_export --also 448x320 --flips`).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from carla_unet_ros.errors import InputError
from carla_unet_ros.training.net.unet import UNet


@dataclass(frozen=True)
class Views:
    """The views that the net sees beside the frame itself.

    also:  sizes (width, height), each at most the network size, because they are made from it
    flips: also mirror each of these
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

    It replaces the net in a graph. The head is linear, so the mean is one convolution of the
    features of both views. So only the features are mirrored back, not the logits of all classes.
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
        """Logits before depth to space, as `UNet.blocks`. Both views are one batch."""
        both = torch.cat((frames, _mirror(frames)))
        straight, mirrored = self.net.features(both).chunk(2)
        return self.head(torch.cat((straight, _mirror(mirrored)), dim=1))


@torch.no_grad()
def _head_of_both(head: nn.Conv2d, stem: int) -> nn.Conv2d:
    """A head that reads the features of both views, and gives the mean logits.

    The second view's features are mirrored back. In a mirrored block the pixels of a row change
    places, and so do the weights of the second view.
    """

    def mirrored(weights: Tensor) -> Tensor:
        return weights.unflatten(0, (-1, stem, stem)).flip(2).flatten(0, 2)

    result = nn.Conv2d(2 * head.in_channels, head.out_channels, 1)
    result.weight.copy_(torch.cat((head.weight, mirrored(head.weight)), dim=1) / 2)
    assert head.bias is not None and result.bias is not None
    result.bias.copy_((head.bias + mirrored(head.bias)) / 2)
    return result


def head_of_one(weights: Tensor, channels: int) -> Tensor:
    """The weights of a U-Net's own head, from a head of one view or of two mirrored ones.

    channels: number of features of a view
    """
    return weights if weights.shape[1] == channels else 2 * weights[:, :channels]


def _mirror(pictures: Tensor) -> Tensor:
    """Mirrors (..., W) from right to left. OpenVINO has no fast `flip`."""
    columns = torch.arange(pictures.shape[-1] - 1, -1, -1, device=pictures.device)
    return pictures.index_select(-1, columns)


class ManySizes(nn.Module):
    """Runs a net also on other sizes of a frame. It replaces the net in a FrameGraph."""

    def __init__(self, net: UNet | Mirrored, also: tuple[tuple[int, int], ...]) -> None:
        super().__init__()
        for width, height in also:
            if width % net.config.multiple or height % net.config.multiple:
                raise InputError(
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
