# SPDX-License-Identifier: Apache-2.0
"""A bias is added to all logits of its class, and to no other."""

import pytest

torch = pytest.importorskip("torch")

from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import carla_13
from carla_unet_ros.training.net.checkpoints import TrainedNet
from carla_unet_ros.training.net.logit_bias import read_biases, with_biases
from carla_unet_ros.training.net.unet import UNet, UNetConfig

pytestmark = pytest.mark.training


def test_each_pixels_logit_of_the_class_grows_and_the_first_net_stays() -> None:
    net = UNet(UNetConfig(channels=2, depth=1, stem=2)).eval()
    trained = TrainedNet(net, carla_13(), (8, 8), "frames", 1)
    biased = with_biases(trained, {"Vehicles": 1.5, "Poles": -0.5})
    frame = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        difference = biased.net(frame) - net(frame)
    expected = torch.zeros(13)
    expected[carla_13().ids(["Vehicles", "Poles"])] = torch.tensor([1.5, -0.5])
    torch.testing.assert_close(difference, expected[None, :, None, None].expand(1, 13, 8, 8))
    assert biased.training_data == "frames; logits: Vehicles +1.5, Poles -0.5"


def test_biases_are_read() -> None:
    assert read_biases(["None/Unlabeled=-1", "Poles=.5"]) == {"None/Unlabeled": -1, "Poles": 0.5}


@pytest.mark.parametrize("word", ["Poles", "=1", "Poles=", "Poles=much", "Poles=nan"])
def test_other_words_are_explained(word: str) -> None:
    with pytest.raises(InputError, match="expected CLASS=AMOUNT, such as"):
        read_biases([word])


def test_unknown_classes_are_named() -> None:
    trained = TrainedNet(UNet(UNetConfig(channels=2, depth=1)), carla_13(), (8, 8), "", 1)
    with pytest.raises(ValueError, match="no class 'Cars'"):
        with_biases(trained, {"Cars": 1})
