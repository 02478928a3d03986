"""Three ways from the network's size to the camera's, to see what each costs and gives.

nearest:        the label of the nearest pixel
margins:        what model files do, see `carla_unet_ros.training.net.decision`
probabilities:  those of all classes are enlarged bilinearly, then the largest wins
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from carla_unet_ros.training.net.decision import Decision, decide
from carla_unet_ros.training.net.frame_graph import FrameGraph


class _Nearest(FrameGraph):
    def _answer(self, logits: Tensor, height: int, width: int) -> Decision:
        planes = decide(logits)
        rows, columns = (
            ((torch.arange(size) + 0.5) * (pixels / size)).long()
            for pixels, size in zip(planes.labels.shape[2:], (height, width), strict=True)
        )
        return Decision(*(p.index_select(3, columns).index_select(2, rows) for p in planes))


class _Probabilities(FrameGraph):
    def _answer(self, logits: Tensor, height: int, width: int) -> Decision:
        classes, pixels, rows, columns = logits.shape
        planes = logits.view(1, classes * pixels, rows, columns)
        shares = F.pixel_shuffle(planes, math.isqrt(pixels)).softmax(dim=1)
        shares = F.interpolate(shares, (height, width), mode="bilinear", align_corners=False)
        best = shares[:, :1]
        labels = torch.zeros_like(best[..., :1, :1])
        for index in range(1, classes):
            candidate = shares[:, index : index + 1]
            labels = torch.where(candidate > best, float(index), labels)
            best = torch.maximum(best, candidate)
        return Decision(labels, 255 * best, best)


GRAPHS = {"nearest": _Nearest, "margins": FrameGraph, "probabilities": _Probabilities}
