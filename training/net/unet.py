# SPDX-License-Identifier: Apache-2.0
"""The U-Net of Ronneberger, Fischer and Brox (2015), written out by hand.

    frames (N, 3, H, W)  ->  logits (N, classes, H, W)

A plain CNN for classification only contracts: each level halves the picture and doubles the
channels, until one answer for the whole picture is left. A U-Net expands again, level by level. At
every level on the way up, it joins the features of the same size from the way down (the skip
connections). The bottleneck knows *what* is in the picture, the skips know *where* it is: so a
pole that is two pixels wide stays two pixels wide. `skips=False` builds the encoder-decoder
without skips, so that the difference can be measured.

Two things differ from the paper, as in most U-Nets today: 3x3 convolutions are padded (the output
is as large as the input), and batch normalisation follows each of them.
"""

from dataclasses import asdict, dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from carla_unet_ros.errors import InputError


@dataclass(frozen=True)
class UNetConfig:
    """The hyperparameters of the net; stored in every checkpoint.

    classes:      number of class ids
    channels:     channels of the first level; each level down doubles them (the paper: 64)
    depth:        how often the picture is halved (the paper: 4)
    stem:         2 first moves each 2x2 block of pixels into channels (space to depth), and last
                  moves the scores back. The net then runs at half resolution, four times cheaper,
                  but still reads and labels every pixel
    max_channels: the most channels of a level. Without a limit, three quarters of the weights are
                  in the lowest level, where depth (a wider view) helps and width does not
    skips:        False leaves out the skip connections: the plain encoder-decoder
    dropout:      share of the bottleneck's channels set to 0 in training, as in the paper, so that
                  the net does not depend on a few of them
    """

    classes: int = 13
    channels: int = 16
    depth: int = 4
    stem: int = 1
    max_channels: int = 1024
    skips: bool = True
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("classes", 2, 255),
            ("channels", 1, 1024),
            ("depth", 1, 8),
            ("stem", 1, 4),
            ("max_channels", self.channels, 4096),
            ("dropout", 0, 0.9),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"U-Net {name} is {value}; expected {low} to {high}")

    @property
    def multiple(self) -> int:
        """Height and width of a frame must be multiples of this many pixels."""
        return self.stem * 2**self.depth

    @property
    def widths(self) -> list[int]:
        """Channels of each level, from the picture's size down to the bottleneck."""
        return [
            min(self.channels * 2**level, self.max_channels) for level in range(self.depth + 1)
        ]

    def as_dict(self) -> dict[str, int | bool | float]:
        return asdict(self)


class DoubleConv(nn.Sequential):
    """Twice 3x3 convolution, batch norm, ReLU: (N, inputs, H, W) -> (N, outputs, H, W)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Down(nn.Sequential):
    """One step of the contracting path: (N, inputs, H, W) -> (N, outputs, H/2, W/2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.MaxPool2d(2), DoubleConv(inputs, outputs))


class Up(nn.Module):
    """One step of the expanding path: (N, inputs, H, W) -> (N, outputs, 2H, 2W).

    The skip it takes is (N, outputs, 2H, 2W), the features of that size on the way down.
    """

    def __init__(self, inputs: int, outputs: int, skips: bool) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        self.convolve = DoubleConv(2 * outputs if skips else outputs, outputs)
        self.skips = skips

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        features = self.enlarge(features)
        if self.skips:
            features = torch.cat((skip, features), dim=1)
        return self.convolve(features)


class UNet(nn.Module):
    """Contracting path, bottleneck, expanding path. See `UNetConfig`."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.stem = nn.PixelUnshuffle(config.stem) if config.stem > 1 else nn.Identity()
        self.first = DoubleConv(3 * config.stem**2, widths[0])
        levels = list(pairwise(widths))
        self.contract = nn.ModuleList(Down(upper, lower) for upper, lower in levels)
        self.dropout = nn.Dropout2d(config.dropout)
        self.expand = nn.ModuleList(Up(low, up, config.skips) for up, low in reversed(levels))
        self.head = nn.Conv2d(widths[0], config.classes * config.stem**2, 1)
        self.unfold = nn.PixelShuffle(config.stem) if config.stem > 1 else nn.Identity()
        self.apply(_initialise)

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (N, 3, H, W), normalised -> logits (N, classes, H, W).

        Raises ValueError if height or width is no multiple of `config.multiple`; the text names
        the size to pad or resize to.
        """
        return self.unfold(self.blocks(frames))

    def blocks(self, frames: Tensor) -> Tensor:
        """Logits before depth to space: (N, classes * stem^2, H / stem, W / stem).

        For each class, the pixels of a block row by row. A decision on these moves one plane of
        ids to full resolution, instead of a plane of logits for each class.
        """
        return self.head(self.features(frames))

    def features(self, frames: Tensor) -> Tensor:
        """Computes the features that the head reads: (N, channels, H / stem, W / stem)."""
        height, width = frames.shape[-2:]
        multiple = self.config.multiple
        if not torch.compiler.is_exporting() and (height % multiple or width % multiple):
            wider, higher = (-(-size // multiple) * multiple for size in (width, height))
            raise InputError(
                f"frames are {width}x{height}; this U-Net needs multiples of {multiple}: "
                f"pad or resize to {wider}x{higher}"
            )
        features = [self.first(self.stem(frames))]
        for down in self.contract:
            features.append(down(features[-1]))
        result = self.dropout(features.pop())
        for up in self.expand:
            result = up(result, features.pop())
        return result


def _initialise(module: nn.Module) -> None:
    """He et al. (2015): the variance of activations stays the same through ReLU layers."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def parameter_count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
