# SPDX-License-Identifier: Apache-2.0
"""Makes a step of many processes equal to a step of one process with all their frames.

Each process sees its part of the batch, yet three things belong to the whole: the mean and the
variance of batch normalisation, the mean of cross-entropy, and the regions that Dice compares.
Their sums are taken over all processes here, and the gradient flows back through the sum. Every
process then holds the loss of the whole batch, so the gradients that flow back through a sum add
up to as many times too much as there are processes; the mean over the processes that
DistributedDataParallel takes puts that right.

A single process neither needs nor pays for any of this.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


def processes() -> int:
    """The number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def all_sum(values: Tensor) -> Tensor:
    """Sum over the processes of a tensor of one shape, the same in all; differentiable."""
    return values if processes() == 1 else _AllSum.apply(values)  # pyright: ignore[reportReturnType]


class _AllSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        del ctx
        total = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _AllSum.forward(ctx, *gradients)


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation over the frames of all processes, each of which has as many.

    torch.nn.SyncBatchNorm does this for CUDA alone; this runs on a CPU, too. Checkpoints are
    those of BatchNorm2d.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        values = input.float()
        variance, mean = torch.var_mean(values, (0, 2, 3), correction=0)
        means, variances = _of_all(torch.stack((mean, variance))).unbind(1)
        mean = means.mean(0)
        variance = (variances + (means - mean) ** 2).mean(0)  # law of total variance
        self._remember(mean, variance, processes() * values[:, 0].numel())
        scale = self.weight * (variance + self.eps).rsqrt()
        shift = self.bias - mean * scale
        normal = torch.addcmul(shift[:, None, None], values, scale[:, None, None])
        return normal.to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Moves the running statistics as BatchNorm2d does, with the unbiased variance."""
        share = self.momentum or 0.0
        self.get_buffer("running_mean").lerp_(mean, share)
        self.get_buffer("running_var").lerp_(variance * count / (count - 1), share)
        self.get_buffer("num_batches_tracked").add_(1)


def share_statistics(net: nn.Module) -> None:
    """Makes the net's batch normalisation layers SharedBatchNorm2d, their state kept."""
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                shared = SharedBatchNorm2d(child.num_features)
                shared.load_state_dict(child.state_dict())
                setattr(module, name, shared)


def _of_all(values: Tensor) -> Tensor:
    """The tensors of all processes, [processes, ...]; differentiable."""
    places = values.new_zeros(processes(), *values.shape)
    places[dist.get_rank()] = values
    return all_sum(places)
