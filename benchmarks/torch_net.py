"""The U-Net of a model file as torch runs it: what other engines are compared with."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from carla_unet_ros.training.net.checkpoints import CheckpointError
from carla_unet_ros.training.net.folding import fold
from carla_unet_ros.training.net.pretrained import weights_of_model
from carla_unet_ros.training.net.unet import UNet, UNetConfig


def net_of(path: Path) -> UNet:
    """The net whose weights a model file holds, folded as export folds it, in fp32.

    ValueError where the file holds other weights than a U-Net's under their own names, as an
    int8 file does.
    """
    try:
        weights = weights_of_model(path)
        net = fold(UNet(_config(weights)))
        # The exporter leaves out a bias that is zero.
        zeros = {name: 0 * bias for name, bias in net.named_parameters() if name.endswith("bias")}
        net.load_state_dict({**zeros, **weights})
    except (CheckpointError, KeyError, RuntimeError) as error:
        raise ValueError(f"{path} does not hold a U-Net's weights by name: {error}") from error
    return net


def _config(weights: Mapping[str, Tensor]) -> UNetConfig:
    """The config that gives weights of these shapes. KeyError where none does."""
    channels, _, size, _ = weights["first.0.weight"].shape
    inner = (weight for name, weight in weights.items() if not name.startswith("head."))
    joined = weights["expand.0.convolve.0.weight"].shape[1]
    enlarged = weights["expand.0.enlarge.weight"].shape[1]
    return UNetConfig(
        classes=len(weights["head.weight"]) // (size // 3) ** 2,
        channels=channels,
        depth=len({name.split(".")[1] for name in weights if name.startswith("contract.")}),
        stem=size // 3,
        max_channels=max(len(weight) for weight in inner if weight.ndim == 4),
        skips=joined > enlarged,
    )
