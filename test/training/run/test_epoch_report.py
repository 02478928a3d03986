# SPDX-License-Identifier: Apache-2.0
"""What a training shows of itself: the mean loss is read when it is shown, and not before."""

import os
import threading
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from carla_unet_ros.training.run.report import MeanLoss, write_events

pytestmark = pytest.mark.training


def test_the_mean_of_the_losses_so_far() -> None:
    mean = MeanLoss(torch.device("cpu"))
    assert str(mean) == ""
    for loss in (1.0, 2.0, 6.0):
        mean.add(torch.tensor(loss))
    assert float(mean) == 3.0
    assert str(mean) == ", loss 3.000"


def test_adding_a_loss_reads_nothing_from_the_device() -> None:
    """A tensor on `meta` has no value: whoever reads it gets an error."""
    mean = MeanLoss(torch.device("meta"))
    mean.add(torch.ones((), device="meta"))
    with pytest.raises(RuntimeError):
        str(mean)


def test_tensorboard_shows_the_figures_of_every_epoch(tmp_path: Path) -> None:
    write_events({"loss": 2.5, "mean IoU town": 0.25}, 1, tmp_path / "tensorboard")
    write_events({"loss": 1.5, "mean IoU town": 0.5}, 2, tmp_path / "tensorboard")
    shown = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(point.step, point.value) for point in shown.Scalars("loss")] == [(1, 2.5), (2, 1.5)]
    assert [point.value for point in shown.Scalars("mean IoU town")] == [0.25, 0.5]


def test_a_full_disk_is_an_error_of_the_system_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that writes would print a traceback of its own."""
    threads = threading.active_count()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        write_events({"loss": 2.5}, 1, tmp_path)
    assert not list(tmp_path.iterdir())
    assert threading.active_count() == threads
