# SPDX-License-Identifier: Apache-2.0
"""Reports a training: progress bar, a line per epoch, history, curves, TensorBoard."""

import json
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from carla_unet_ros.training import plots
from carla_unet_ros.whole_files import write_whole


class MeanLoss:
    """The mean of an epoch's losses, a tqdm postfix.

    The sum stays on the device, because reading it waits for the GPU. The progress bar reads it
    when it is drawn, not at every step.
    """

    def __init__(self, device: torch.device) -> None:
        self._total = torch.zeros((), device=device)
        self._steps = 0

    def add(self, loss: Tensor) -> None:
        self._total += loss
        self._steps += 1

    def __float__(self) -> float:
        return float(self._total / self._steps)

    def __str__(self) -> str:
        return f", loss {float(self):.3f}" if self._steps else ""


def report_epoch(history: list[dict[str, float]], out: Path) -> None:
    """Writes history.json, curves.png and tensorboard/, and prints the last epoch's figures."""
    write_whole(out / "history.json", json.dumps(history, indent=1, allow_nan=False))
    plots.learning_curves(history, out / "curves.png")
    figures = history[-1]
    with SummaryWriter(str(out / "tensorboard")) as writer:
        for name, value in figures.items():
            writer.add_scalar(name, value, len(history))
    summary = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
    print(f"epoch {len(history)}: {summary}", flush=True)
