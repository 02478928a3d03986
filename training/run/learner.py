# SPDX-License-Identifier: Apache-2.0
"""The training step, and its state: weights, their average, optimiser, learning rate."""

from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim.lr_scheduler import OneCycleLR

from carla_unet_ros.errors import InputError
from carla_unet_ros.training.net.distributed import share_statistics
from carla_unet_ros.training.net.frame_graph import normalise
from carla_unet_ros.training.net.losses import SegmentationLoss, one_of_each_block
from carla_unet_ros.training.net.unet import UNet
from carla_unet_ros.training.run.moving_average import MovingAverage

_LARGEST_GRADIENT = 5.0


@dataclass(frozen=True)
class Optimisation:
    """AdamW with a one-cycle learning rate (Smith and Topin 2019)."""

    epochs: int = 60  # number of epochs; each ends with a validation and a checkpoint
    frames: int = 1200  # frames drawn for one epoch
    batch: int = 8  # frames a step, for each process
    rate: float = 2e-3  # highest learning rate, reached after a tenth of the steps
    weight_decay: float = 1e-2  # pull of the weights towards 0
    average: float = 0.998  # decay of the moving average of the weights, which is exported
    seed: int = 0  # seed of the first weights, the choice of frames and the augmentation

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch) < 1 or self.frames < self.batch:
            raise InputError(
                f"{self.epochs} epochs of {self.frames} frames in batches of {self.batch}: "
                "expected at least one epoch of at least one batch"
            )


class Learner:
    """A net with its loss, optimiser, learning rate and moving average.

    steps: steps of an epoch; frames that do not fill a batch of all processes are left out
    """

    def __init__(
        self, net: UNet, loss: SegmentationLoss, plan: Optimisation, fabric: Fabric
    ) -> None:
        if fabric.world_size > 1:
            share_statistics(net)
        optimizer = torch.optim.AdamW(net.parameters(), plan.rate, weight_decay=plan.weight_decay)
        self.steps = plan.frames // (plan.batch * fabric.world_size)
        self._stem = net.config.stem
        self._fabric = fabric
        self._loss = loss.to(fabric.device)
        self.net, self._optimizer = fabric.setup(net, optimizer)
        self.average = MovingAverage(net, plan.average)
        steps = plan.epochs * self.steps
        rising = 0.1 if steps != 10 else 0.2  # OneCycleLR divides by 0 if the rise ends at step 0
        self._schedule = OneCycleLR(optimizer, plan.rate, steps, pct_start=rising)

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return float(self._schedule.get_last_lr()[0])

    def step(self, colours: Tensor, labels: Tensor) -> Tensor:
        """Does one step of the optimiser. Returns the loss of the batch of all processes.

        colours: uint8 [N, 3, H, W], R, G, B; labels: uint8 [N, H, W]

        Raises InputError if the loss or a gradient is not finite.
        """
        colours = normalise(colours.float() / 255).contiguous(memory_format=torch.channels_last)
        logits, labels = (
            one_of_each_block(values, self._stem, self._schedule.last_epoch)
            for values in (self.net(colours), labels)
        )
        loss = self._loss(logits, labels)
        self._fabric.backward(loss)
        self._clip_gradients(loss)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._schedule.step()
        self.average.update(self.net.module)
        return loss.detach()

    def _clip_gradients(self, loss: Tensor) -> None:
        """Raises InputError if the loss or a gradient is not finite, but not where fp16 overflows.

        In fp16 the loss is scaled, first by too much: the scaler then leaves out the step, and
        scales by half as much. Only a loss that is itself not finite has no end of this.
        """
        scaled = getattr(self._fabric.strategy.precision, "scaler", None) is not None
        norm = self._fabric.clip_gradients(
            self.net, self._optimizer, max_norm=_LARGEST_GRADIENT, error_if_nonfinite=False
        )
        checked = loss.detach() if scaled else norm
        if checked is not None and not torch.isfinite(checked):
            raise InputError(
                f"step {self._schedule.last_epoch + 1}: the loss is {float(loss.detach()):.4g}, "
                "and its gradients are not finite: use a smaller --rate, or --precision fp32"
            )

    def state_dict(self) -> dict[str, Any]:
        return {
            "net": self.net.module.state_dict(),
            "average": self.average.net.state_dict(),
            "averaged": self.average.steps,
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores a state of `state_dict`.

        Raises InputError if that training had another number of steps.
        """
        before, now = state["schedule"]["total_steps"], self._schedule.total_steps
        if before != now:
            raise InputError(
                f"the run was started with {before} steps in all, but with the present number "
                f"of processes it has {now}: resume it with the number of the start"
            )
        self.net.module.load_state_dict(state["net"])
        self.average.net.load_state_dict(state["average"])
        self.average.steps = state["averaged"]
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
