"""The graph a model file holds: camera bytes in, class ids and confidence out.

    frame uint8 [H, W, 4] BGRA  ->  labels uint8 [H, W], confidence uint8 [H, W]

Validation during training, the exported file and the benchmark's torch run are all this module,
so none of them can normalise or resize in a way of its own.

The class is decided at the network size, before the pixels of a block are laid out, and one plane
of ids is enlarged (nearest); or, with `smooth`, the probabilities are enlarged first: edges are
finer then, and 13 planes of camera size are moved instead of one. Deciding is two maxima instead
of argmax, which OpenVINO and TensorRT run through a slow TopK; both give the same ids.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from carla_unet_ros.model_file import ModelMetadata
from carla_unet_ros.training.unet import UNet
from carla_unet_ros.training.views import ManySizes, Mirrored, Views

MEAN = 0.45
STD = 0.25


def normalise(colours: Tensor) -> Tensor:
    """R, G, B in 0..1 -> what the U-Net is fed; one mean and deviation for all channels."""
    return (colours - MEAN) / STD


class FrameGraph(nn.Module):
    """See the module's text. `network_size` is (width, height), multiples of `config.multiple`.

    folded: the net comes from `folding.fold`: the same labels for fewer milliseconds
    """

    def __init__(
        self,
        net: UNet | Mirrored | ManySizes,
        network_size: tuple[int, int],
        smooth: bool = False,
        folded: bool = False,
    ) -> None:
        super().__init__()
        width, height = network_size
        multiple = net.config.multiple
        if width % multiple or height % multiple or min(network_size) < multiple:
            raise ValueError(
                f"network size is {width}x{height}; this U-Net needs multiples of {multiple}"
            )
        self.net = net
        self.folded = folded
        self.network_size = network_size
        self.smooth = smooth

    @classmethod
    def of(cls, net: UNet, metadata: ModelMetadata, folded: bool = False) -> "FrameGraph":
        """What a model file with this metadata holds, at rest."""
        seen = Views(metadata.also, metadata.flips).of(net)
        return cls(seen, metadata.network_size, metadata.smooth, folded).eval()

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        height, width = frame.shape[0], frame.shape[1]
        dtype = next(self.net.parameters()).dtype
        planes = frame.to(dtype).permute(2, 0, 1)[None]  # B, G, R, alpha
        planes = F.interpolate(
            normalise(planes / 255), self.network_size[::-1], mode="bilinear", align_corners=False
        )
        colours = planes if self.folded else planes[:, [2, 1, 0]]
        if self.smooth:
            shares = self.net(colours).softmax(dim=1)
            shares = F.interpolate(shares, (height, width), mode="bilinear", align_corners=False)
            labels, best = _argmax_by_planes(shares[0][:, None])
            confidence = 255 * best
        else:
            labels, confidence = decide(self._by_class(colours))
            # Pixel centres meet pixel centres. ONNX has no such operator for torch, which would
            # spell it out in index arithmetic; `export.to_onnx` sets the one Resize instead.
            mode = "nearest" if torch.compiler.is_exporting() else "nearest-exact"
            labels = F.interpolate(labels, (height, width), mode=mode)
            confidence = F.interpolate(confidence, (height, width), mode=mode)
        return labels[0, 0].to(torch.uint8), confidence[0, 0].to(torch.uint8)

    def _by_class(self, colours: Tensor) -> Tensor:
        """Logits (classes, s * s, h, w): s x s pixels at each of h x w places; s: 1 or stem."""
        net = self.net
        logits = net(colours) if isinstance(net, ManySizes) else net.blocks(colours)
        return logits.view(net.config.classes, -1, *logits.shape[-2:])


def decide(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (classes, s * s, h, w) -> winning id and 255 x its probability, (1, 1, s h, s w)."""
    side = math.isqrt(logits.shape[1])
    labels, best = _argmax(logits)
    confidence = 255 / torch.exp(logits - best).sum(dim=0, keepdim=True)
    if side > 1:
        labels, confidence = F.pixel_shuffle(labels, side), F.pixel_shuffle(confidence, side)
    return labels, confidence


def _argmax(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (classes, ...) -> winning id as a float and its logit, each (1, ...).

    Of equal logits the first wins, as argmax has it: ids are counted down from the last.
    """
    classes = len(logits)
    best = logits.amax(dim=0, keepdim=True)
    countdown = torch.arange(classes, 0, -1, dtype=logits.dtype, device=logits.device)
    winners = torch.where(logits >= best, countdown.view(classes, 1, 1, 1), 0.0)
    return classes - winners.amax(dim=0, keepdim=True), best


def _argmax_by_planes(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The same as `_argmax`, faster where resizing has left the classes in planes of their own."""
    best = logits[:1]
    labels = torch.zeros_like(best)
    for index in range(1, len(logits)):
        candidate = logits[index : index + 1]
        wins = candidate > best
        labels = torch.where(wins, float(index), labels)
        best = torch.where(wins, candidate, best)
    return labels, best
