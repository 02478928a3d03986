# SPDX-License-Identifier: Apache-2.0
"""The cases of benchmarks.gpu: a net in one precision, as a model file and as a torch module.

Both have the same weights, read from the file.
"""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from carla_unet_ros.model_file import Model, ModelMetadata, read_model

if TYPE_CHECKING:
    from carla_unet_ros.training.net.frame_graph import FrameGraph
    from carla_unet_ros.training.net.unet import UNet


@dataclass(frozen=True)
class Case:
    """A net in one precision.

    graph:     the net for torch; None where `no_torch` says why not
    reference: the net in fp32, whose labels are the reference for differing ones
    """

    name: str
    model: Model
    reference: Model
    graph: "FrameGraph | None"
    no_torch: str = ""


def cases_of_file(path: Path, folder: Path) -> list[Case]:
    """The file as it is and, if its weights can be read back, in fp16; files go to `folder`."""
    model = read_model(path)
    name = f"{model.name} {model.metadata.precision}"
    try:
        from carla_unet_ros.training.net.pretrained import net_of_model

        net = net_of_model(path)
    except (ImportError, ValueError) as error:
        return [Case(name, model, model, None, str(error))]
    cases = [Case(name, model, model, _graph(net, model.metadata))]
    if model.metadata.precision == "fp32":
        cases.append(_in_half_precision(net, model, folder))
    return cases


def _in_half_precision(net: "UNet", model: Model, folder: Path) -> Case:
    from carla_unet_ros.training import export

    metadata = replace(model.metadata, precision="fp16")
    graph, path = _graph(net, metadata), folder / f"{model.name}_fp16.onnx"
    export.save(export.to_onnx(graph), metadata, path)
    return Case(f"{model.name} fp16", read_model(path), model, graph)


def _graph(net: "UNet", metadata: ModelMetadata) -> "FrameGraph":
    from carla_unet_ros.training.net.frame_graph import FrameGraph

    graph = FrameGraph.of(copy.deepcopy(net), metadata, folded=True)
    return graph.half() if metadata.precision == "fp16" else graph
