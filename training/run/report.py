# SPDX-License-Identifier: Apache-2.0
"""Reports a training: progress bar, a line per epoch, history, curves, TensorBoard."""

import json
import socket
import time
from io import BytesIO
from pathlib import Path

import torch
from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.summary.writer.record_writer import RecordWriter
from torch import Tensor

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


def write_events(figures: dict[str, float], epoch: int, folder: Path) -> None:
    """Writes an epoch's figures as an event file of TensorBoard. Raises OSError.

    Not by a SummaryWriter: its thread prints a traceback where the disk is full.
    """
    now = time.time()
    values = [Summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
    content = BytesIO()
    records = RecordWriter(content)
    for event in (
        Event(wall_time=now, file_version="brain.Event:2"),
        Event(wall_time=now, step=epoch, summary=Summary(value=values)),
    ):
        records.write(event.SerializeToString())
    # TensorBoard takes the files of a folder in the order of their names.
    name = f"events.out.tfevents.{now:017.6f}.{socket.gethostname()}.{epoch}"
    write_whole(folder / name, content.getvalue())


def report_epoch(history: list[dict[str, float]], out: Path) -> None:
    """Writes history.json, curves.png and tensorboard/, and prints the last epoch's figures."""
    write_whole(out / "history.json", json.dumps(history, indent=1, allow_nan=False))
    plots.learning_curves(history, out / "curves.png")
    figures = history[-1]
    write_events(figures, len(history), out / "tensorboard")
    summary = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
    print(f"epoch {len(history)}: {summary}", flush=True)
