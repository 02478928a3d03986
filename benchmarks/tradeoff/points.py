# SPDX-License-Identifier: Apache-2.0
"""Ways to run a trained net, each as a Segmenter of its own.

Each network size and number of views has one ONNX file; fp32 and bf16 are two precisions of the
same file, and int8 is quantised from it.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from carla_unet_ros.command_line import parse_size
from carla_unet_ros.engines.openvino_engine import OpenVINOEngine, openvino_core
from carla_unet_ros.model_file import read_model, write_metadata
from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.training.data.folders import PairSource
from carla_unet_ros.training.export import check_labels, described, save, to_onnx
from carla_unet_ros.training.net.checkpoints import TrainedNet
from carla_unet_ros.training.net.folding import fold
from carla_unet_ros.training.net.frame_graph import FrameGraph
from carla_unet_ros.training.net.views import ONE_VIEW, Views
from carla_unet_ros.training.quantize import to_int8

PRECISIONS = ("fp32", "bf16", "int8")
_HINTS = {"fp32": "f32", "bf16": "bf16"}


@dataclass(frozen=True)
class Way:
    """network: (width, height) that frames are resized to; precision: one of PRECISIONS, or ""
    for OpenVINO's own choice; views: further views of the frame."""

    network: tuple[int, int]
    precision: str = ""
    views: Views = ONE_VIEW

    @property
    def file(self) -> str:
        """Name of the model file, which ways in other precisions share."""
        sizes = (f"{width}x{height}" for width, height in (self.network, *self.views.also))
        return f"{'_'.join(sizes)}{'_flips' * self.views.flips}.onnx"


def parse_way(text: str) -> Way:
    """Parses `448x320,flips,int8`; further sizes are views, too. Raises ValueError for others."""
    size, *words = text.split(",")
    way = Way(parse_size(size))
    for word in words:
        if word in PRECISIONS:
            way = replace(way, precision=word)
        elif word == "flips":
            way = replace(way, views=replace(way.views, flips=True))
        else:
            also = (*way.views.also, parse_size(word))
            way = replace(way, views=replace(way.views, also=also))
    return way


def usual_ways(network: tuple[int, int], multiple: int) -> list[Way]:
    """The ways worth comparing: each precision, two smaller sizes, a mirrored view."""
    width, height = network
    ways: list[Way] = []
    for share in (1, 0.85, 0.7):
        across, down = (max(1, round(side * share / multiple)) for side in (width, height))
        size = across * multiple, down * multiple
        ways += [Way(size, "int8", views) for views in (ONE_VIEW, Views(flips=True))]
    ways += [Way(network, name) for name in PRECISIONS if name != "bf16" or has_bf16()]
    return list(dict.fromkeys(ways))


def has_bf16() -> bool:
    """Whether this CPU has bf16 instructions; without them OpenVINO silently runs fp32."""
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def open_way(
    trained: TrainedNet, way: Way, folder: Path, calibration: PairSource, frames: int
) -> Segmenter:
    """Exports the net to `folder` and opens it on the CPU in the precision of `way`.

    folder:      holds this net only; a file that two ways share is exported once
    calibration: training frames to compare the file with torch; int8 takes its scales from
                 `frames` of them

    Raises ExportError if the file's results differ from torch's.
    """
    path = folder / way.file
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        metadata = described(replace(trained, network_size=way.network), way.views)
        graph = FrameGraph.of(fold(trained.net), metadata, folded=True)
        save(to_onnx(graph), metadata, path)
        check_labels(FrameGraph.of(trained.net, metadata), path, calibration, path)
    if way.precision == "int8":
        model, path = read_model(path), path.with_suffix(".int8.onnx")
        proto = to_int8(model, calibration, frames)
        write_metadata(proto, replace(model.metadata, precision="int8"))
        path.write_bytes(proto.SerializeToString())
    segmenter = Segmenter(path, "openvino")
    if hint := _HINTS.get(way.precision):
        segmenter.engine.close()
        segmenter.engine = OpenVINOEngine(segmenter.model, precision=hint)
    return segmenter
