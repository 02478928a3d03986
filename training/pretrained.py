"""Weights to start from: a checkpoint, or a model file such as the shipped one.

A few hundred frames of one's own are enough to teach a net that has seen others a new town; from
random weights they are not. `carla_unet_train --init carla_unet.onnx` needs no checkpoint.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from carla_unet_ros.labels import LabelSet
from carla_unet_ros.model_file import read_model
from carla_unet_ros.training.checkpoints import CheckpointError, read_checkpoint
from carla_unet_ros.training.folding import unfold
from carla_unet_ros.training.unet import UNet

_PREFIX = "net."  # of the names that export gives a net's weights


def start_from(net: UNet, path: Path, labels: LabelSet, colours: Callable[[], Tensor]) -> None:
    """Gives `net` the weights of a checkpoint or of a model file.

    labels:  the classes to learn; where the file has others, the last layer stays as it is
    colours: gives frames to be trained on, (N, 3, H, W), normalised: a model file has no
             statistics of batch normalisation, so they are taken from these

    Raises CheckpointError or ModelError where the file is unusable or of another net.
    """
    if path.suffix == ".onnx":
        model = read_model(path)
        weights, found = weights_of_model(model.path), model.label_set
    else:
        state = read_checkpoint(path)
        weights, found = state["average"], LabelSet.from_json(state["label_set"])
    if found.to_json() != labels.to_json():
        weights = {name: value for name, value in weights.items() if "head." not in name}
    weights = _for_each_pixel(weights, net)
    try:
        if path.suffix == ".onnx":
            unfold(net, weights, colours())
        else:
            net.load_state_dict(net.state_dict() | weights)
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} holds another net than {net.config}: give --channels, --depth, --stem and "
            f"--max-channels as it was trained ({str(error).splitlines()[-1].strip()})"
        ) from error


def weights_of_model(path: Path) -> dict[str, Tensor]:
    """What a model file holds of the net that `folding.fold` gave, fp32, by name.

    Raises CheckpointError for a file without them, such as an int8 one.
    """
    import onnx
    from onnx import numpy_helper

    weights = {
        tensor.name.removeprefix(_PREFIX): torch.tensor(
            numpy_helper.to_array(tensor), dtype=torch.float32
        )
        for tensor in onnx.load(path).graph.initializer
        if tensor.name.startswith(_PREFIX) and tensor.name.endswith(("weight", "bias"))
    }
    if "first.0.weight" not in weights:
        raise CheckpointError(
            f"{path} holds no weights to start from; take a file of carla_unet_export, not one of "
            "carla_unet_quantize"
        )
    return weights


def _for_each_pixel(weights: dict[str, Tensor], net: UNet) -> dict[str, Tensor]:
    """The same with a head that says of each pixel of a block what it said of the whole block."""
    pixels = net.config.stem**2
    if "head.weight" not in weights or pixels * len(weights["head.weight"]) != len(
        net.head.weight
    ):
        return weights
    grown = {
        name: weights[name].repeat_interleave(pixels, dim=0)
        for name in ("head.weight", "head.bias")
        if name in weights
    }
    return weights | grown
