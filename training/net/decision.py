# SPDX-License-Identifier: Apache-2.0
"""Turns logits at the network's size into class ids and confidence at the camera's size.

    logits [classes, s * s, h, w]  ->  planes [1, 1, s h, s w]  ->  planes [1, 1, H, W]
                                `decide`                     `enlarged`

The class is decided at the network size. Then the winning id and its margin are enlarged; the
margin is the difference of its logit to the runner-up's. Between two pixels of one class, the
margins are interpolated. Between two classes, one margin is subtracted from the other, and the
edge is where they are equal. Where two classes meet, bilinearly enlarged logits would have their
edge at the same place. So 3 planes of camera size replace one for each class.

Ids are floats, and maxima are taken plane by plane, because OpenVINO and TensorRT run argmax as a
slow TopK.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_FAR_BELOW = -1e4


class Decision(NamedTuple):
    """Per pixel: the winning id, 255 x its probability, and its lead in logits (>= 0)."""

    labels: Tensor
    confidence: Tensor
    margin: Tensor


def decide(logits: Tensor) -> Decision:
    """Logits (classes, s * s, h, w), s x s pixels at each of h x w places -> (1, 1, s h, s w).

    Of equal logits the first wins, as with argmax.
    """
    best = logits[:1]
    # Numbers and not planes, because constants of the graph are stored in the model file.
    second, labels = best.new_tensor(_FAR_BELOW), best.new_tensor(0.0)
    for index in range(1, len(logits)):
        candidate = logits[index : index + 1]
        labels = torch.where(candidate > best, float(index), labels)
        second = torch.maximum(second, torch.minimum(best, candidate))
        best = torch.maximum(best, candidate)
    total = torch.exp(logits[:1] - best)
    for index in range(1, len(logits)):
        total = total + torch.exp(logits[index : index + 1] - best)
    side = math.isqrt(logits.shape[1])
    planes = Decision(labels, 255 / total, best - second)
    return Decision(*(F.pixel_shuffle(plane, side) for plane in planes)) if side > 1 else planes


def enlarged(decision: Decision, height: int, width: int) -> Decision:
    """A decision at another size: along each axis, the nearer and surer of two neighbours wins.

    Confidence is always interpolated, so at an edge it also depends on the other class.
    """
    return _along(2, height, _along(3, width, decision))


def _along(axis: int, size: int, decision: Decision) -> Decision:
    before, after, share = _neighbours(decision.margin.shape[axis], size, decision.margin)
    share = share.view(-1, 1) if axis == 2 else share
    one, other = (
        Decision(*(plane.index_select(axis, places) for plane in decision))
        for places in (before, after)
    )
    margin, against = (1 - share) * one.margin, share * other.margin
    wins = against > margin
    return Decision(
        torch.where(wins, other.labels, one.labels),
        (1 - share) * one.confidence + share * other.confidence,
        torch.where(one.labels == other.labels, margin + against, (margin - against).abs()),
    )


def _neighbours(pixels: int, size: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For `size` pixels over the length of `pixels`: the two nearest, and the second one's share.

    As in torch's bilinear interpolation without align_corners.
    """
    places = (torch.arange(size, device=like.device) + 0.5) * (pixels / size) - 0.5
    places = places.clamp(0, pixels - 1)
    before = places.floor()
    after = (before + 1).clamp(max=pixels - 1)
    return before.long(), after.long(), (places - before).to(like.dtype)
