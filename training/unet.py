"""The U-Net of Ronneberger, Fischer and Brox (2015), written out by hand.

    frames (N, 3, H, W)  ->  logits (N, classes, H / s, W / s)     s = stem, 1 or 2

A plain CNN for classification only contracts: each level halves the picture and doubles the
channels until one answer for the whole picture is left. A U-Net expands again, level by level,
and joins to every level of the way up the features of the same size from the way down (the skip
connections). The bottleneck knows *what* is in the picture, the skips know *where*: that is what
keeps a pole two pixels wide two pixels wide. `skips=False` builds the encoder-decoder without
them, so that the difference can be measured.

Where this departs from the paper, as nearly everyone does now: 3x3 convolutions are padded
(the output is as large as the input), and each is followed by batch normalisation.
"""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class UNetConfig:
    """What defines the net; stored in every checkpoint.

    classes:  number of class ids the net tells apart
    channels: channels of the first level; each level down doubles them (the paper: 64)
    depth:    how often the picture is halved (the paper: 4)
    stem:     2 folds each 2x2 block of pixels into channels first (space to depth), so the same
              net runs at half resolution, four times cheaper, and still reads every pixel
    skips:    False leaves out the skip connections: the plain encoder-decoder
    """

    classes: int = 13
    channels: int = 16
    depth: int = 4
    stem: int = 1
    skips: bool = True

    def __post_init__(self) -> None:
        for name, low, high in (
            ("classes", 2, 255),
            ("channels", 1, 1024),
            ("depth", 1, 8),
            ("stem", 1, 4),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"U-Net {name} is {value}; expected {low} to {high}")

    @property
    def multiple(self) -> int:
        """Height and width of a frame must be multiples of this many pixels."""
        return self.stem * 2**self.depth

    def as_dict(self) -> dict[str, int | bool]:
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
    """One step of the contracting path: (N, C, H, W) -> (N, 2C, H/2, W/2)."""

    def __init__(self, inputs: int) -> None:
        super().__init__(nn.MaxPool2d(2), DoubleConv(inputs, 2 * inputs))


class Up(nn.Module):
    """One step of the expanding path: (N, 2C, H, W) and the skip (N, C, 2H, 2W) -> (N, C, 2H, 2W)."""

    def __init__(self, inputs: int, skips: bool) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(inputs, inputs // 2, 2, stride=2)
        self.convolve = DoubleConv(inputs if skips else inputs // 2, inputs // 2)
        self.skips = skips

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        features = self.enlarge(features)
        if self.skips:
            features = torch.cat((skip, features), dim=1)
        return self.convolve(features)


class UNet(nn.Module):
    """Contracting path, bottleneck, expanding path; see the module's text and `UNetConfig`."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.channels * 2**level for level in range(config.depth + 1)]
        self.stem = nn.PixelUnshuffle(config.stem) if config.stem > 1 else nn.Identity()
        self.first = DoubleConv(3 * config.stem**2, widths[0])
        self.contract = nn.ModuleList(Down(width) for width in widths[:-1])
        self.expand = nn.ModuleList(Up(width, config.skips) for width in reversed(widths[1:]))
        self.head = nn.Conv2d(widths[0], config.classes, 1)
        self.apply(_initialise)

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (N, 3, H, W), normalised -> logits (N, classes, H / stem, W / stem).

        Raises ValueError where height or width is not a multiple of `config.multiple`, and names
        the size to pad or resize to.
        """
        height, width = frames.shape[-2:]
        multiple = self.config.multiple
        if not torch.compiler.is_exporting() and (height % multiple or width % multiple):
            raise ValueError(
                f"frames are {width}x{height}; this U-Net needs multiples of {multiple}: "
                f"pad or resize to {-(-width // multiple) * multiple}x{-(-height // multiple) * multiple}"
            )
        features = [self.first(self.stem(frames))]
        for down in self.contract:
            features.append(down(features[-1]))
        result = features.pop()
        for up in self.expand:
            result = up(result, features.pop())
        return self.head(result)


def _initialise(module: nn.Module) -> None:
    """He et al. (2015): keeps the variance of the activations level through ReLU layers."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def parameter_count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
