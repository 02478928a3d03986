# SPDX-License-Identifier: Apache-2.0
"""The step of training, and that its state goes on where it was taken."""

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from torch import Tensor

from carla_unet_ros.errors import InputError
from carla_unet_ros.training.net.losses import SegmentationLoss
from carla_unet_ros.training.net.unet import UNet, UNetConfig
from carla_unet_ros.training.run.devices import Machine
from carla_unet_ros.training.run.learner import Learner, Optimisation

pytestmark = pytest.mark.training

PLAN = Optimisation(epochs=10, frames=9, batch=4, rate=1e-2)
"""9 frames are two batches of 4: 20 steps in all."""


def learner(plan: Optimisation = PLAN, fabric: Fabric | None = None) -> Learner:
    torch.manual_seed(0)
    net = UNet(UNetConfig(classes=3, channels=4, depth=1, stem=2))
    loss = SegmentationLoss(torch.ones(3), dice=1.0, smoothing=0.0)
    return Learner(net, loss, plan, fabric or Machine("fp32", "cpu", "1").launch())


def batch(seed: int) -> tuple[Tensor, Tensor]:
    """Frames whose class is the brightest of their three colours."""
    generator = torch.Generator().manual_seed(seed)
    colours = torch.randint(256, (4, 3, 16, 16), dtype=torch.uint8, generator=generator)
    return colours, colours.argmax(dim=1).to(torch.uint8)


def same(state: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(torch.equal(state["net"][name], other["net"][name]) for name in state["net"])


def test_steps_bring_the_loss_down() -> None:
    learning = learner()
    losses = [float(learning.step(*batch(0))) for _ in range(10)]
    assert losses[-1] < 0.9 * losses[0]


def test_an_epoch_has_as_many_steps_as_whole_batches() -> None:
    assert learner().steps == 2


def test_the_rate_rises_to_the_highest_in_a_tenth_of_the_steps_and_falls() -> None:
    """Of 20 steps the first has a 25th of the highest rate, the second the highest itself."""
    learning, rates = learner(), []
    for seed in range(20):
        rates.append(learning.rate)
        learning.step(*batch(seed))
    assert rates[:2] == pytest.approx([1e-2 / 25, 1e-2])
    assert rates[1:] == sorted(rates[1:], reverse=True)


def test_a_state_goes_on_where_it_was_taken() -> None:
    unbroken, broken, resumed = learner(), learner(), learner()
    for seed in range(4):
        unbroken.step(*batch(seed))
    for seed in range(2):
        broken.step(*batch(seed))
    resumed.load_state_dict(broken.state_dict())
    assert not same(resumed.state_dict(), unbroken.state_dict())
    for seed in range(2, 4):
        resumed.step(*batch(seed))
    assert same(resumed.state_dict(), unbroken.state_dict())
    assert resumed.rate == unbroken.rate
    for name, weight in unbroken.average.net.state_dict().items():
        assert torch.equal(resumed.average.net.state_dict()[name], weight), name


def test_a_state_of_another_number_of_steps_is_refused() -> None:
    other = learner(Optimisation(epochs=10, frames=4, batch=4))
    other.step(*batch(0))
    with pytest.raises(ValueError, match=r"started with 10 steps in all, but .* it has 20"):
        learner().load_state_dict(other.state_dict())


@pytest.mark.parametrize(("frames", "batch", "epochs"), [(3, 4, 1), (4, 0, 1), (4, 4, 0)])
def test_a_plan_without_a_step_is_refused(frames: int, batch: int, epochs: int) -> None:
    with pytest.raises(ValueError, match="expected at least one epoch"):
        Optimisation(epochs=epochs, frames=frames, batch=batch)


def test_a_loss_that_is_not_finite_ends_the_training_in_a_sentence() -> None:
    learning = learner()
    learning.step(*batch(0))
    with torch.no_grad():
        learning.net.module.head.weight.fill_(float("inf"))
    with pytest.raises(InputError, match=r"step 2: the loss is nan, .* use a smaller --rate"):
        learning.step(*batch(0))


def test_a_step_whose_gradients_overflow_in_fp16_is_left_out_and_not_an_error() -> None:
    """2 ** 40 times the loss overflows in fp16; each such step halves that, and goes on."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    fabric = Fabric(accelerator="cpu", plugins=[MixedPrecision("16-mixed", "cpu", scaler)])
    learning = learner(fabric=fabric)
    before = learning.state_dict()["net"]["head.weight"].clone()
    learning.step(*batch(0))
    assert scaler.get_scale() == 2.0**39
    assert torch.equal(learning.state_dict()["net"]["head.weight"], before)
    scaler.update(1.0)
    learning.step(*batch(0))
    assert not torch.equal(learning.state_dict()["net"]["head.weight"], before)
    with torch.no_grad():
        learning.net.module.head.weight.fill_(float("inf"))
    with pytest.raises(InputError, match="the loss is nan"):
        learning.step(*batch(0))
