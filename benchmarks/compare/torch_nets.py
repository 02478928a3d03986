# SPDX-License-Identifier: Apache-2.0
"""The nets torch runs: from a frame's bytes to its labels, all through the same FrameGraph.

Each takes what makes it faster without changing what it computes: all cores this process may
use, inference_mode, memory in the order channels_last; torch.compile also freezes the weights.
"""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from benchmarks.compare.contenders import FramePath, Skipped, Work
from carla_unet_ros.labels import Uint8
from carla_unet_ros.model_file import read_model
from carla_unet_ros.training.net.frame_graph import FrameGraph
from carla_unet_ros.training.net.pretrained import net_of_model


class TorchPath(FramePath):
    """A FrameGraph, or what torch.compile made of it."""

    def __init__(self, graph: nn.Module, autocast: bool = False) -> None:
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        self.software = f"torch {torch.__version__}"
        self._graph = cast(Any, graph).to(memory_format=torch.channels_last)
        self._autocast = autocast

    def run(self, fed: Uint8) -> Uint8:
        arithmetic = torch.autocast("cpu", torch.bfloat16) if self._autocast else nullcontext()
        with torch.inference_mode(), arithmetic:
            labels, _ = self._graph(torch.from_numpy(fed))
        return labels.numpy()


def graph_of(work: Work) -> FrameGraph:
    """What the model file holds, for torch to run."""
    path = Path(work.weights)
    return FrameGraph.of(net_of_model(path), read_model(path).metadata, folded=True)


def compiled(work: Work) -> FramePath:
    """Compiles on its first frame, here. Skipped where that fails, as without a C++ compiler."""
    from torch._inductor import config

    config.freezing = True
    config.compile_threads = 1  # in this very process: no others to be ended
    path = TorchPath(cast(nn.Module, torch.compile(graph_of(work), fullgraph=True)))
    try:
        path.run(np.load(work.frames)[0])
    except Exception as error:  # torch has a dozen kinds for it
        reason = str(error).strip().partition("\n")[0]
        raise Skipped(f"torch.compile fails here: {type(error).__name__}: {reason}") from error
    return path
