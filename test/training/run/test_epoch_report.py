# SPDX-License-Identifier: Apache-2.0
"""What a training shows of itself: the mean loss is read when it is shown, and not before."""

import pytest

torch = pytest.importorskip("torch")

from carla_unet_ros.training.run.report import MeanLoss

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
