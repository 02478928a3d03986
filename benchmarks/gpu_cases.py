"""What benchmarks/gpu.py runs: a net in a precision, as a model file and as torch runs it.

Both have the same weights: those of the shipped model, read back out of its file, or random ones
for the U-Net of the paper (64 channels, four levels, at full resolution).
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from carla_unet_ros.labels import Uint8, carla_13
from carla_unet_ros.model_file import Model, ModelMetadata, read_model
from carla_unet_ros.stand_in.drive import Drive

if TYPE_CHECKING:
    from torch import Tensor

    from carla_unet_ros.training.net.frame_graph import FrameGraph
    from carla_unet_ros.training.net.unet import UNet, UNetConfig

CLASSIC_NETWORK = (800, 608)

_FRAMES = 8
_STRIDE = 25


@dataclass(frozen=True)
class Case:
    """A net in a precision.

    graph:     the net for torch; None where `no_torch` says why not
    reference: the net in fp32, from whose labels differences are counted
    """

    name: str
    model: Model
    reference: Model
    graph: "FrameGraph | None"
    no_torch: str = ""

    @property
    def precision(self) -> str:
        return self.model.metadata.precision


def cases_of_file(path: Path, folder: Path) -> list[Case]:
    """The file as it is and, if its weights can be read back, in fp16; files go to `folder`."""
    model = read_model(path)
    name = f"{model.name} {model.metadata.precision}"
    try:
        net = net_of(path)
    except (ImportError, ValueError) as error:
        return [Case(name, model, model, None, str(error))]
    cases = [Case(name, model, model, _graph(net, model.metadata))]
    if model.metadata.precision == "fp32":
        cases.append(_exported(f"{model.name} fp16", net, model.metadata, folder, model))
    return cases


def classic_cases(folder: Path, network: tuple[int, int] = CLASSIC_NETWORK) -> list[Case]:
    """The U-Net of the paper with random weights. Raises ImportError without torch."""
    import torch

    from carla_unet_ros.training.net.folding import fold
    from carla_unet_ros.training.net.unet import UNet, UNetConfig

    torch.manual_seed(0)
    net = fold(UNet(UNetConfig(channels=64)))
    metadata = ModelMetadata(carla_13(), network, "fp32", "none: random weights", "", "")
    full = _exported("classic 64 channels fp32", net, metadata, folder)
    half = _exported("classic 64 channels fp16", net, metadata, folder, full.model)
    return [full, half]


def net_of(path: Path) -> "UNet":
    """The U-Net of a model file, folded as export folds it, in fp32.

    Raises ImportError without torch, and ValueError where the file holds other weights than a
    U-Net's under their own names, as an int8 file does.
    """
    from carla_unet_ros.training.net.checkpoints import CheckpointError
    from carla_unet_ros.training.net.folding import fold
    from carla_unet_ros.training.net.pretrained import weights_of_model
    from carla_unet_ros.training.net.unet import UNet

    try:
        weights = weights_of_model(path)
        net = fold(UNet(_config(weights)))
        # The exporter leaves out a bias that is zero.
        zeros = {name: 0 * bias for name, bias in net.named_parameters() if name.endswith("bias")}
        net.load_state_dict({**zeros, **weights})
    except (CheckpointError, KeyError, RuntimeError) as error:
        raise ValueError(f"{path} does not hold a U-Net's weights by name: {error}") from error
    return net


def drive_frames(size: tuple[int, int]) -> list[Uint8]:
    """Frames of the procedural drive at (width, height), each another place."""
    drive = Drive(*size)
    return [np.ascontiguousarray(drive.frame(_STRIDE * turn).frame) for turn in range(_FRAMES)]


def _config(weights: "Mapping[str, Tensor]") -> "UNetConfig":
    """The config that gives weights of these shapes. Raises KeyError where none does."""
    from carla_unet_ros.training.net.unet import UNetConfig

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


def _graph(net: "UNet", metadata: ModelMetadata) -> "FrameGraph":
    from carla_unet_ros.training.net.frame_graph import FrameGraph

    graph = FrameGraph.of(copy.deepcopy(net), metadata, folded=True)
    return graph.half() if metadata.precision == "fp16" else graph


def _exported(
    name: str,
    net: "UNet",
    metadata: ModelMetadata,
    folder: Path,
    reference: Model | None = None,
) -> Case:
    """Exports the net in the precision that the name ends with."""
    from carla_unet_ros.training import export

    metadata = replace(metadata, precision=name.split()[-1])
    graph = _graph(net, metadata)
    path = folder / f"{name.replace(' ', '_')}.onnx"
    export.save(export.to_onnx(graph), metadata, path)
    model = read_model(path)
    return Case(name, model, reference or model, graph)
