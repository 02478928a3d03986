"""A net that looks at a frame more than once: at other sizes, and at its mirror image.

    frames (N, C, H, W)  ->  log of the summed probabilities of all views (N, classes, H, W)

What it is sure of it says in every view, what it guesses it does not: the mean is right more often
than one look, and costs as many times more. It is for files that need not be fast, such as a
teacher's or a limit to compare with (`carla_unet_export --also 448x320 --flips`).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from carla_unet_ros.training.unet import UNet


@dataclass(frozen=True)
class Views:
    """What to look at beside the frame itself.

    also:  sizes (width, height), each at most the network size, for they are made from it
    flips: all of these mirrored, too
    """

    also: tuple[tuple[int, int], ...] = ()
    flips: bool = False

    @property
    def count(self) -> int:
        """How often the net runs for a frame."""
        return (1 + len(self.also)) * (1 + self.flips)

    def of(self, net: UNet) -> "UNet | ManyViews":
        return ManyViews(net, self) if self.also or self.flips else net


ONE_VIEW = Views()


class ManyViews(nn.Module):
    """See the module's text; takes the place of `net` in a FrameGraph."""

    def __init__(self, net: UNet, views: Views) -> None:
        super().__init__()
        for width, height in views.also:
            if width % net.config.multiple or height % net.config.multiple:
                raise ValueError(
                    f"a view is {width}x{height}; this U-Net needs multiples of "
                    f"{net.config.multiple}"
                )
        self.net = net
        self.config = net.config
        self.views = views

    def forward(self, frames: Tensor) -> Tensor:
        looks = [self._logits(frames)]
        for width, height in self.views.also:
            small = F.interpolate(frames, (height, width), mode="bilinear", align_corners=False)
            looks.append(self._logits(small))
        size = looks[0].shape[-2:]
        large = (F.interpolate(look, size, mode="bilinear", align_corners=False) for look in looks)
        return torch.log(sum((look.softmax(dim=1) for look in large), torch.zeros(())))

    def _logits(self, frames: Tensor) -> Tensor:
        logits = self.net(frames)
        if self.views.flips:
            logits = (logits + self.net(frames.flip(-1)).flip(-1)) / 2
        return logits
