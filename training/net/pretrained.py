# SPDX-License-Identifier: Apache-2.0
"""Loads initial weights from a checkpoint or from a model file such as the shipped one.

A trained net learns a new town from a few hundred frames; a net with random weights does not.
`carla_unet_train --init carla_unet.onnx` needs no checkpoint. A net with more channels can start
from a narrower one (Net2Net, Chen et al. 2016), which saves most of its training.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import LabelSet
from carla_unet_ros.model_file import ModelError, find_model, read_model
from carla_unet_ros.training.net.checkpoints import CheckpointError, read_checkpoint
from carla_unet_ros.training.net.folding import fold, unfold
from carla_unet_ros.training.net.unet import UNet, UNetConfig
from carla_unet_ros.training.net.views import head_of_one

_OUTER = re.compile(r"^(net\.)+")
"""The prefix of weights' names in an exported file, once for each module around the net."""


def start_from(net: UNet, path: Path, labels: LabelSet, colours: Callable[[], Tensor]) -> None:
    """Gives `net` the weights of a checkpoint or of a model file.

    labels:  the classes to learn; if the file has others, the last layer stays as it is
    colours: returns training frames, (N, 3, H, W), normalised; a model file has no statistics of
             batch normalisation, so they are computed from these

    Raises CheckpointError or ModelError if the file is unusable, or its net is another or wider.
    """
    try:
        path = _existing(path)
        if _is_checkpoint(path):
            state = read_checkpoint(path)
            weights, found = state["average"], LabelSet.from_json(state["label_set"])
        else:
            model = read_model(path)
            weights, found = _training_weights(model.path, net.config, colours), model.label_set
        if found.to_json() != labels.to_json():
            weights = {name: value for name, value in weights.items() if "head." not in name}
        net.load_state_dict(widened(_for_each_pixel(weights, net), net))
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} holds another net than {net.config}: give --depth and --stem as it was "
            "trained, and --channels and --max-channels as it was trained or more "
            f"({str(error).splitlines()[-1].strip()})"
        ) from error


def _existing(path: Path) -> Path:
    """The path of a file; a bare name may be that of a shipped model. Raises CheckpointError."""
    if path.is_file():
        return path
    try:
        return find_model(path)
    except ModelError as error:
        what = "is no regular file" if path.exists() else "does not exist"
        what = "is a folder" if path.is_dir() else what
        raise CheckpointError(
            f"--init {path} {what}; expected a checkpoint of carla_unet_train or a model file of "
            "carla_unet_export"
        ) from error


def _is_checkpoint(path: Path) -> bool:
    """Whether the content is a checkpoint's, which is a zip archive, and no model file's."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise CheckpointError(f"--init {path} cannot be read: {error.strerror}") from error
    return start == b"PK\x03\x04" or not start


def _training_weights(
    path: Path, config: UNetConfig, colours: Callable[[], Tensor]
) -> dict[str, Tensor]:
    """The state of the net, as wide as it is, that a model file was exported from."""
    weights = weights_of_model(path)
    channels = len(weights["first.0.weight"])
    most = max(len(weight) for name, weight in weights.items() if name.endswith(".0.weight"))
    narrow = UNet(replace(config, channels=channels, max_channels=most))
    head = weights.pop("head.weight")  # the last layer may be of other classes
    bias = weights.pop("head.bias", torch.zeros(len(head)))
    unfold(narrow, weights, colours())
    return narrow.state_dict() | {"head.weight": head, "head.bias": bias}


def weights_of_model(path: Path) -> dict[str, Tensor]:
    """Returns the weights in a model file of the net from `folding.fold`, fp32, by name.

    Raises CheckpointError for a file without them, such as an int8 one.
    """
    import onnx
    from onnx import numpy_helper

    weights = {
        _OUTER.sub("", tensor.name): torch.tensor(
            numpy_helper.to_array(tensor), dtype=torch.float32
        )
        for tensor in onnx.load(path).graph.initializer
        if _OUTER.match(tensor.name) and tensor.name.endswith(("weight", "bias"))
    }
    if "first.0.weight" not in weights:
        raise CheckpointError(
            f"{path} holds no weights to start from; take a file of carla_unet_export, not one of "
            "carla_unet_quantize"
        )
    # The bias of a mirrored file stays what it is, the mean of itself and its mirror image.
    if "head.weight" in weights:
        features = len(weights["first.0.weight"])
        weights["head.weight"] = head_of_one(weights["head.weight"], features)
    return weights


def net_of_model(path: Path) -> UNet:
    """The net whose weights a model file holds, folded as export folds it, in fp32.

    Raises ValueError if the file does not hold a U-Net's weights by name, as an int8 file.
    """
    try:
        weights = weights_of_model(path)
        net = fold(UNet(_config_of(weights)))
        # The exporter leaves out a bias that is zero.
        zeros = {name: 0 * bias for name, bias in net.named_parameters() if name.endswith("bias")}
        net.load_state_dict({**zeros, **weights})
    except (CheckpointError, KeyError, RuntimeError) as error:
        raise InputError(f"{path} does not hold a U-Net's weights by name: {error}") from error
    return net


def _config_of(weights: Mapping[str, Tensor]) -> UNetConfig:
    """The config of a net with weights of these shapes. KeyError if there is none."""
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


def _for_each_pixel(weights: dict[str, Tensor], net: UNet) -> dict[str, Tensor]:
    """The weights with a head for each pixel of a block: each gets those of the whole block."""
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


def widened(weights: dict[str, Tensor], net: UNet) -> dict[str, Tensor]:
    """The state of `net` that computes what a net of as many or fewer channels computed.

    The additional channels keep their random weights, and other channels read them with weights of
    0. So they change nothing at first, and learn from the first step on.

    Raises RuntimeError if `weights` are those of a wider net, or of one with another depth or
    stem, or if only one of the two has skips.
    """
    state = net.state_dict()
    missing = [name for name in state if name not in weights and "head." not in name]
    if missing:
        raise RuntimeError(f"it has no {missing[0]}")
    outputs, inputs, *_ = weights["expand.0.convolve.0.weight"].shape
    if (inputs == 2 * outputs) != net.config.skips:
        raise RuntimeError("one of them has skips, the other none")
    if weights["first.0.weight"].shape[1] != state["first.0.weight"].shape[1]:
        raise RuntimeError("one of them has another stem")
    return state | {
        name: _widened(weight, state[name], *_layout(name, net.config.skips))
        if name in state
        else weight  # load_state_dict reports it
        for name, weight in weights.items()
    }


def _layout(name: str, skips: bool) -> tuple[int, int, int]:
    """A weight's dimension of outputs, its dimension of inputs, and the number of parts of these.

    Inputs after a skip have two parts, and each part grows at its own end.
    """
    if name.endswith("enlarge.weight"):
        return 1, 0, 1
    return 0, 1, 2 if skips and name.endswith("convolve.0.weight") else 1


def _widened(narrow: Tensor, wide: Tensor, outputs: int, inputs: int, parts: int) -> Tensor:
    """`wide` with `narrow` in its corner, and zeros from new inputs to old outputs."""
    if narrow.shape == wide.shape or narrow.dim() == 0:
        return narrow
    if any(old > new for old, new in zip(narrow.shape, wide.shape, strict=True)):
        raise RuntimeError(f"a weight is {list(narrow.shape)} there, {list(wide.shape)} here")
    grown = wide.clone()
    kept = grown.narrow(outputs, 0, narrow.shape[outputs])
    if narrow.dim() == 1:
        kept.copy_(narrow)
        return grown
    kept.zero_()
    for part, weights in enumerate(narrow.chunk(parts, inputs)):
        start = part * wide.shape[inputs] // parts
        kept.narrow(inputs, start, weights.shape[inputs]).copy_(weights)
    return grown
