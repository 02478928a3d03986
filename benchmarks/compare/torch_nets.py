# SPDX-License-Identifier: Apache-2.0
"""The torch contenders: each runs the same FrameGraph from a frame's bytes to its labels.

Each uses the settings that make it faster without changing the result: all cores available to
this process, inference_mode, channels_last memory; torch.compile also freezes the weights.
"""

import os
from contextlib import nullcontext
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
    """Runs a FrameGraph, compiled by torch.compile or not."""

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
    """Loads the net of the fp32 file as a torch module."""
    metadata = read_model(work.weights).metadata
    return FrameGraph.of(net_of_model(work.weights), metadata, folded=True)


def compiled(work: Work) -> FramePath:
    """Compiles the net, on one frame. Raises Skipped if that fails, as without a C++ compiler."""
    from torch._inductor import config

    config.freezing = True
    config.compile_threads = 1  # compile in this process, so that no others need to be ended
    path = TorchPath(cast(nn.Module, torch.compile(graph_of(work), fullgraph=True)))
    try:
        path.run(np.load(work.frames)[0])
    except Exception as error:  # torch raises a dozen types here
        reason = str(error).strip().partition("\n")[0]
        raise Skipped(f"torch.compile fails here: {type(error).__name__}: {reason}") from error
    return path
