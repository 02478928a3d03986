# SPDX-License-Identifier: Apache-2.0
"""The moving average of weights, worked out by hand."""

import pytest

torch = pytest.importorskip("torch")

from carla_unet_ros.training.net.unet import UNet, UNetConfig
from carla_unet_ros.training.run.moving_average import MovingAverage

pytestmark = pytest.mark.training


def net_of(value: float) -> UNet:
    """All weights and statistics are `value`; each normalisation has seen so many batches."""
    net = UNet(UNetConfig(channels=2, depth=1))
    with torch.no_grad():
        for tensor in (*net.parameters(), *net.buffers()):
            tensor.fill_(value)
    return net


def averaged(*values: float, decay: float) -> float:
    average = MovingAverage(net_of(7.0), decay)
    for value in values:
        average.update(net_of(value))
    (found,) = {round(weight.mean().item(), 5) for weight in average.net.parameters()}
    return found


def test_the_first_weights_are_the_average() -> None:
    assert averaged(3.0, decay=0.5) == 3.0


def test_at_first_it_is_near_a_plain_mean_whatever_the_decay() -> None:
    """0 and then 11: the second counts for 9 / 11."""
    assert averaged(0.0, 11.0, decay=0.999) == 9.0


def test_later_the_newest_counts_for_1_minus_the_decay() -> None:
    """9 / (10 + n) is below 0.5 from the tenth on: 0 ten times, then 8, counts for a half."""
    assert averaged(*[0.0] * 10, 8.0, decay=0.5) == 4.0


def test_counters_of_batches_are_the_newest_and_statistics_are_averaged() -> None:
    average = MovingAverage(net_of(7.0), 0.999)
    for value in (0.0, 11.0):
        average.update(net_of(value))
    state = average.net.state_dict()
    assert int(state["first.1.num_batches_tracked"]) == 11
    torch.testing.assert_close(state["first.1.running_mean"], torch.full((2,), 9.0))
