# SPDX-License-Identifier: Apache-2.0
"""The graph in a model file: camera bytes in, class ids and confidence out.

    frame uint8 [H, W, 4] BGRA  ->  labels uint8 [H, W], confidence uint8 [H, W]

Validation during training, the exported file and the benchmark's torch run all use this module, so
all of them normalise and resize in the same way.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from carla_unet_ros.errors import InputError
from carla_unet_ros.model_file import ModelMetadata
from carla_unet_ros.training.net.decision import Decision, decide, enlarged
from carla_unet_ros.training.net.unet import UNet
from carla_unet_ros.training.net.views import ManySizes, Mirrored, Views

MEAN = 0.45
STD = 0.25


def normalise(colours: Tensor) -> Tensor:
    """R, G, B in 0..1 -> the U-Net's input. All channels have one mean and deviation."""
    return (colours - MEAN) / STD


def planes_of(
    frame: Tensor, network_size: tuple[int, int], dtype: torch.dtype = torch.float32
) -> Tensor:
    """Frame uint8 [H, W, 4] -> (1, 4, height, width), normalised: B, G, R, alpha."""
    # Normalise before permuting, so that OpenVINO never makes planes of camera size. Use fp32
    # also for a net in fp16, which would round the mean.
    pixels = normalise(frame.float() / 255)
    return F.interpolate(
        pixels.to(dtype).permute(2, 0, 1)[None],
        network_size[::-1],
        mode="bilinear",
        align_corners=False,
    )


class FrameGraph(nn.Module):
    """The graph of a model file. See the module's docstring.

    network_size: (width, height), multiples of `config.multiple`
    folded:       the net comes from `folding.fold`, and gives the same labels faster
    """

    def __init__(
        self,
        net: UNet | Mirrored | ManySizes,
        network_size: tuple[int, int],
        folded: bool = False,
    ) -> None:
        super().__init__()
        width, height = network_size
        multiple = net.config.multiple
        if width % multiple or height % multiple or min(network_size) < multiple:
            raise InputError(
                f"network size is {width}x{height}; this U-Net needs multiples of {multiple}"
            )
        self.net = net
        self.folded = folded
        self.network_size = network_size

    @classmethod
    def of(cls, net: UNet, metadata: ModelMetadata, folded: bool = False) -> "FrameGraph":
        """Builds the graph of a model file with this metadata, in evaluation mode."""
        seen = Views(metadata.also, metadata.flips).of(net)
        return cls(seen, metadata.network_size, folded).eval()

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        height, width = frame.shape[0], frame.shape[1]
        planes = planes_of(frame, self.network_size, next(self.net.parameters()).dtype)
        colours = planes if self.folded else planes[:, [2, 1, 0]]
        labels, confidence, _ = self._answer(self._by_class(colours).float(), height, width)
        return labels[0, 0].to(torch.uint8), confidence[0, 0].to(torch.uint8)

    def _answer(self, logits: Tensor, height: int, width: int) -> Decision:
        return enlarged(decide(logits), height, width)

    def _by_class(self, colours: Tensor) -> Tensor:
        """Logits (classes, s * s, h, w): s x s pixels at each of h x w places; s: 1 or stem."""
        net = self.net
        logits = net(colours) if isinstance(net, ManySizes) else net.blocks(colours)
        return logits.view(net.config.classes, -1, *logits.shape[-2:])
