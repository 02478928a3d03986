"""The nets torch runs: from a frame's bytes to its labels, all through the same FrameGraph.

Each takes what makes it faster without changing what it computes: all cores this process may
use, inference_mode, memory in the order channels_last; torch.compile also freezes the weights,
which lets it fold the batch norms away.
"""

import importlib
import os
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import torch
from compare_contenders import FramePath, Skipped, Work
from torch import Tensor, nn

from carla_unet_ros.labels import Uint8
from carla_unet_ros.training.net.checkpoints import read_trained_net
from carla_unet_ros.training.net.frame_graph import FrameGraph
from carla_unet_ros.training.net.unet import UNet, UNetConfig
from carla_unet_ros.training.net.views import Views


class TorchPath(FramePath):
    """A FrameGraph, or what torch.compile made of it."""

    def __init__(self, graph: nn.Module, autocast: bool = False) -> None:
        self.software = f"torch {torch.__version__}"
        self._graph = cast(Any, graph).to(memory_format=torch.channels_last)
        self._autocast = autocast

    def run(self, fed: Uint8) -> Uint8:
        arithmetic = torch.autocast("cpu", torch.bfloat16) if self._autocast else nullcontext()
        with torch.inference_mode(), arithmetic:
            labels, _ = self._graph(torch.from_numpy(fed))
        return labels.numpy()


class CompiledPath(TorchPath):
    """Compiles on its first frame; Skipped where that fails, as without a C++ compiler."""

    def __init__(self, graph: nn.Module) -> None:
        from torch._inductor import config

        config.freezing = True
        # Compiles in this very process: no others to be ended.
        config.compile_threads = 1
        super().__init__(cast(nn.Module, torch.compile(graph, fullgraph=True)))
        self._compiled = False

    def run(self, fed: Uint8) -> Uint8:
        try:
            labels = super().run(fed)
        except Exception as error:  # torch has a dozen kinds for it
            if self._compiled:
                raise
            raise Skipped(f"torch.compile fails here: {_first_line(error)}") from error
        self._compiled = True
        return labels


class AnyNet(nn.Module):
    """Another's net in the place of a `UNet`: takes and gives the same as one without a stem."""

    def __init__(self, net: nn.Module, classes: int, multiple: int) -> None:
        super().__init__()
        self.net = net
        self.config = SimpleNamespace(classes=classes, multiple=multiple)

    def blocks(self, frames: Tensor) -> Tensor:
        return self.net(frames)


def use_all_cores() -> None:
    torch.set_num_threads(len(os.sched_getaffinity(0)))


def net_of(work: Work) -> UNet:
    """The net of the checkpoint, else one with random weights, the same in every process."""
    if work.checkpoint:
        return read_trained_net(Path(work.checkpoint)).net
    torch.manual_seed(0)
    return UNet(UNetConfig(**work.net)).eval()


def graph_of(work: Work) -> FrameGraph:
    """What the model file holds, for torch to run."""
    seen = Views(work.also, work.flips).of(net_of(work))
    return FrameGraph(seen, work.network_size).eval()


def eager(work: Work) -> FramePath:
    use_all_cores()
    return TorchPath(graph_of(work))


def autocast(work: Work) -> FramePath:
    use_all_cores()
    return TorchPath(graph_of(work), autocast=True)


def compiled(work: Work) -> FramePath:
    use_all_cores()
    return CompiledPath(graph_of(work))


def smp(work: Work) -> FramePath:
    """segmentation_models_pytorch's Unet with random weights; its five halvings need 32s."""
    # Not to be found in the project's own environment.
    models: Any = importlib.import_module("segmentation_models_pytorch")
    use_all_cores()
    torch.manual_seed(0)
    classes = work.net["classes"]
    net = models.Unet("resnet34", encoder_weights=None, classes=classes)
    try:
        graph = FrameGraph(cast(UNet, AnyNet(net, classes, multiple=32)), work.network_size)
    except ValueError as error:
        raise Skipped(str(error)) from error
    path = TorchPath(graph.eval())
    path.software = f"segmentation_models_pytorch {models.__version__}, {path.software}"
    return path


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
