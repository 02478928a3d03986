# SPDX-License-Identifier: Apache-2.0
"""Makes a step of many processes equal to a step of one process with all their frames.

Each process sees a part of the batch, but three things depend on all of it: mean and variance of
batch normalisation, the mean of cross-entropy, and the regions that Dice compares. This module
sums them over all processes, and the gradient flows back through the sum. Every process then holds
the loss of the whole batch. So with n processes, the gradients that flow back through a sum are n
times too large. DistributedDataParallel takes the mean over the processes, which corrects that.

A single process does none of this.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


def processes() -> int:
    """The number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def all_sum(values: Tensor) -> Tensor:
    """Sums a tensor over all processes; its shape is the same in all. Differentiable."""
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
    """Batch normalisation over the frames of all processes, which have equally many.

    torch.nn.SyncBatchNorm works only on CUDA; this class also works on a CPU. Its state is that of
    BatchNorm2d.
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
        """Updates the running statistics as BatchNorm2d does, with the unbiased variance."""
        share = self.momentum or 0.0
        self.get_buffer("running_mean").lerp_(mean, share)
        self.get_buffer("running_var").lerp_(variance * count / (count - 1), share)
        self.get_buffer("num_batches_tracked").add_(1)


def share_statistics(net: nn.Module) -> None:
    """Replaces the net's BatchNorm2d layers by SharedBatchNorm2d layers of the same state."""
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
