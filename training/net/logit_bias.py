# SPDX-License-Identifier: Apache-2.0
"""Adds a bias to the logits of classes, so that rare ones are missed less often.

Training rewards a net for the classes that fill its frames, so it misses the rare ones where it is
unsure. A bias of b multiplies the odds of a class against each other one by e^b (logit adjustment,
Menon et al. 2021). It needs no training, and the net takes no longer.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import LabelSet
from carla_unet_ros.training.net.checkpoints import TrainedNet
from carla_unet_ros.training.net.unet import UNet


def read_biases(words: Sequence[str]) -> dict[str, float]:
    """CLASS=AMOUNT of each word. InputError for a word of another form."""
    biases = {}
    for word in words:
        name, _, amount = word.rpartition("=")
        try:
            biases[name] = float(amount)
        except ValueError:
            biases[name] = math.nan
        if not name or not math.isfinite(biases[name]):
            raise InputError(f"{word!r} is no bias; expected CLASS=AMOUNT, such as Vehicles=1.5")
    return biases


@torch.no_grad()
def add_biases(net: UNet, labels: LabelSet, biases: Mapping[str, float]) -> None:
    """Adds these amounts to the logits of their classes. ValueError for an unknown class."""
    ids = labels.ids(biases)
    assert net.head.bias is not None
    by_class = net.head.bias.view(net.config.classes, -1)  # a logit for each pixel of a block
    for number, amount in zip(ids, biases.values(), strict=True):
        by_class[number] += amount


def with_biases(trained: TrainedNet, biases: Mapping[str, float]) -> TrainedNet:
    """The same net with these amounts added to the logits of its classes.

    Raises ValueError for a class that it does not know.
    """
    if not biases:
        return trained
    net = copy.deepcopy(trained.net)
    add_biases(net, trained.label_set, biases)
    text = ", ".join(f"{name} {amount:+g}" for name, amount in biases.items())
    return replace(trained, net=net, training_data=f"{trained.training_data}; logits: {text}")
