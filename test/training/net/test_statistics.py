# SPDX-License-Identifier: Apache-2.0
"""Batch normalisation measured again: statistics of the frames; nothing else changes."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn

from carla_unet_ros.training.net.frame_graph import MEAN, STD
from carla_unet_ros.training.net.statistics import freeze_statistics, measure_statistics
from carla_unet_ros.training.net.unet import UNet, UNetConfig

pytestmark = pytest.mark.training

SIZE = (32, 16)


@pytest.fixture
def net() -> UNet:
    torch.manual_seed(1)
    return UNet(UNetConfig(classes=3, channels=4, depth=2, dropout=0.5))


def frames(count: int) -> list[np.ndarray]:
    generator = np.random.default_rng(2)
    return [generator.integers(0, 256, (20, 40, 4), np.uint8) for _ in range(count)]


def norms(net: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]


def test_a_grey_frame_has_the_mean_of_its_grey_and_no_variance(net: UNet) -> None:
    """Behind a first convolution that hands on the red plane."""
    first = net.first[0]
    assert isinstance(first, nn.Conv2d)
    with torch.no_grad():
        first.weight.zero_()
        first.weight[:, 0, 1, 1] = 1
    measure_statistics(net, [np.full((20, 40, 4), 51, np.uint8)], SIZE)
    norm = norms(net)[0]
    assert norm.running_mean is not None
    assert norm.running_var is not None
    np.testing.assert_allclose(norm.running_mean.numpy(), (0.2 - MEAN) / STD, rtol=1e-5)
    np.testing.assert_allclose(norm.running_var.numpy(), 0, atol=1e-9)


def test_what_was_measured_before_does_not_count(net: UNet) -> None:
    """Dropout is off, so that two measurements agree."""
    measure_statistics(net, frames(9), SIZE)
    first = {name: value.clone() for name, value in net.state_dict().items()}
    for norm in norms(net):
        assert norm.running_mean is not None
        norm.running_mean += 5
    measure_statistics(net, frames(9), SIZE)
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, first[name])
    assert not net.training
    assert {norm.momentum for norm in norms(net)} == {0.1}


def test_weights_stay_as_they_are(net: UNet) -> None:
    before = [value.clone() for value in net.parameters()]
    measure_statistics(net, frames(3), SIZE)
    for value, old in zip(net.parameters(), before, strict=True):
        assert torch.equal(value, old)


def test_frozen_statistics_do_not_move_in_training(net: UNet) -> None:
    measure_statistics(net, frames(8), SIZE)
    before = {name: value.clone() for name, value in net.named_buffers()}
    net.train()
    freeze_statistics(net)
    net(torch.randn(2, 3, 16, 32)).sum().backward()
    assert net.training
    for name, value in net.named_buffers():
        assert torch.equal(value, before[name])
