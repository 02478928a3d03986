# SPDX-License-Identifier: Apache-2.0
"""The U-Net: shapes, what the skips and the stem change, and that it learns."""

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from carla_unet_ros.training.net.unet import UNet, UNetConfig, parameter_count

pytestmark = pytest.mark.training


@pytest.mark.parametrize("skips", [True, False])
@pytest.mark.parametrize("stem", [1, 2])
def test_logits_have_one_plane_a_class_at_full_resolution(skips: bool, stem: int) -> None:
    net = UNet(UNetConfig(classes=5, channels=4, depth=3, stem=stem, skips=skips))
    logits = net(torch.zeros(2, 3, 48, 80))
    assert logits.shape == (2, 5, 48, 80)


def test_behind_a_stem_each_pixel_of_a_block_gets_an_answer_of_its_own() -> None:
    """Of class 1's four planes at half resolution, the second is the right upper pixel's."""
    net = UNet(UNetConfig(classes=3, channels=4, depth=2, stem=2)).eval()
    with torch.no_grad():
        bias = torch.zeros(12)
        bias[4 + 1] = 100
        net.head.bias = torch.nn.Parameter(bias)
        blocks, logits = (answer(torch.zeros(1, 3, 16, 16)) for answer in (net.blocks, net))
    assert blocks.shape == (1, 12, 8, 8)
    assert (logits.argmax(1)[0, 0::2, 1::2] == 1).all()
    assert (logits[0, 1, 1::2] < 100).all()
    assert (logits[0, 1, 0::2, 0::2] < 100).all()


def test_odd_size_is_refused_with_the_size_to_use() -> None:
    net = UNet(UNetConfig(channels=2, depth=3, stem=2))
    with pytest.raises(ValueError, match=r"101x50.*multiples of 16.*112x64"):
        net(torch.zeros(1, 3, 50, 101))


def test_classic_unet_has_the_size_of_the_paper() -> None:
    """Ronneberger's net with 64 channels: 31 million weights."""
    net = UNet(UNetConfig(classes=2, channels=64, depth=4))
    assert parameter_count(net) == pytest.approx(31.04e6, rel=0.002)


def test_width_stops_doubling_at_max_channels() -> None:
    assert UNetConfig(channels=16, depth=5, max_channels=128).widths == [16, 32, 64, 128, 128, 128]


def test_without_skips_nothing_reaches_the_output_but_through_the_bottleneck() -> None:
    """With the bottleneck silenced, only a net with skips still sees the picture."""
    frames = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    for skips in (True, False):
        torch.manual_seed(0)
        net = UNet(UNetConfig(classes=3, channels=4, depth=2, skips=skips)).eval()
        net.contract[-1].register_forward_hook(lambda *_: torch.zeros(1, 16, 8, 8))
        outputs = [net(frame) for frame in frames]
        assert torch.equal(*outputs) is not skips


def test_first_and_last_layer_get_gradients() -> None:
    net = UNet(UNetConfig(classes=3, channels=4, depth=2, stem=2))
    net(torch.rand(2, 3, 32, 32)).square().sum().backward()
    for layer in (net.first, net.head):
        gradient = next(layer.parameters()).grad
        assert gradient is not None
        assert gradient.any()


def test_dropout_silences_channels_in_training_alone() -> None:
    torch.manual_seed(0)
    net = UNet(UNetConfig(classes=3, channels=4, depth=2, dropout=0.5))
    seen: list[Any] = []
    net.dropout.register_forward_hook(lambda _, __, output: seen.append(output))
    frames = torch.rand(8, 3, 32, 32)
    net(frames)
    net.eval()(frames)
    silent = [(features == 0).all(dim=(2, 3)).float().mean().item() for features in seen]
    assert silent[0] > 0.3
    assert silent[1] < 0.1


def test_learns_to_tell_left_from_right() -> None:
    torch.manual_seed(0)
    net = UNet(UNetConfig(classes=2, channels=4, depth=2))
    frames = torch.rand(4, 3, 16, 16)
    truth = (frames[:, 0] > 0.5).long()
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(net(frames), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (net(frames).argmax(1) == truth).float().mean() > 0.95


@pytest.mark.parametrize(
    "wrong", [{"classes": 1}, {"depth": 0}, {"stem": 9}, {"max_channels": 3}, {"dropout": 1.0}]
)
def test_impossible_nets_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        UNetConfig(**wrong)
