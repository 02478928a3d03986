# SPDX-License-Identifier: Apache-2.0
"""Turns a checkpoint into a model file: `carla_unet_export --checkpoint RUN/best.pt --out FILE`.

The file keeps the contract of `carla_unet_ros.model_file`: camera bytes in, class ids and
confidence out, metadata inside. It is checked before it is kept: OpenVINO must give the same
labels as torch on real frames. Its scores are measured with the node's Segmenter.
"""

import copy
import datetime
import logging
import sys
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from tqdm import tqdm

from carla_unet_ros import __version__
from carla_unet_ros.command_line import EMPTY, Configured, SizeOption, run_command
from carla_unet_ros.engines.openvino_engine import OpenVINOEngine
from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import LabelSet, carla_label_set
from carla_unet_ros.model_file import ModelMetadata, read_model, write_metadata
from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.training.data.drive_frames import DriveFrames
from carla_unet_ros.training.data.folders import (
    PairFolder,
    PairSource,
    camera_frame,
    split_names,
)
from carla_unet_ros.training.data.splits import evenly_spread
from carla_unet_ros.training.evaluate import evaluate
from carla_unet_ros.training.labelling.frames import mixed_frames
from carla_unet_ros.training.net.checkpoints import TrainedNet, read_trained_net
from carla_unet_ros.training.net.folding import fold
from carla_unet_ros.training.net.frame_graph import FrameGraph
from carla_unet_ros.training.net.logit_bias import read_biases, with_biases
from carla_unet_ros.training.net.statistics import measure_statistics
from carla_unet_ros.training.net.views import ONE_VIEW, Views
from carla_unet_ros.whole_files import prepare_file, write_whole

if TYPE_CHECKING:
    import onnx

OPSET = 18
LARGEST_DIFFERENCE = 1e-4
"""Largest share of pixels whose label may differ from torch's: rounding decides ties."""

_FRAMES_COMPARED = 8
_DRIVE_FRAMES = 40
_FRAMES_MEASURED = 160
"""Of each folder; fewer where it has fewer."""


@dataclass(frozen=True, kw_only=True)
class Options(Configured):
    """Write a checkpoint as one self-contained ONNX file, checked against torch."""

    # RUN/best.pt; several checkpoints of one training give the mean of their weights
    checkpoint: tuple[Path, ...]
    out: Path  # the ONNX file
    half: bool = False  # fp16, for TensorRT
    # also run on the mirrored frame and take the mean: a little more accurate, takes twice as
    # long
    flips: bool = False
    # also run on the frame in these smaller sizes, and take the mean
    also: Annotated[tuple[SizeOption, ...], EMPTY] = ()
    # CLASS=AMOUNT, such as Vehicles=1.5: added to the logit of the class, which is then missed
    # less often, but seen more often where it is not; 0.7 doubles its odds
    logit_bias: Annotated[tuple[str, ...], EMPTY] = ()
    # folders of frames, labelled or not, of train.txt where they have one: batch normalisation is
    # measured on these again, which a mean of checkpoints gains from, and a new town
    statistics: Annotated[tuple[Path, ...], EMPTY] = ()
    # frames are resized to this; a larger size finds thinner things, but is slower; default: as
    # trained
    network_size: SizeOption | None = None
    # folder of pairs; the file is checked and scored on its val.txt; default: the procedural
    # drive
    data: Path | None = None
    tags: str | None = None  # CARLA version whose tags the masks of --data hold

    def __post_init__(self) -> None:
        if not self.checkpoint:
            raise InputError("--checkpoint names no file")
        if self.data and not self.tags:
            raise InputError(f"--data {self.data} needs --tags, the CARLA version of its masks")
        if self.tags:
            carla_label_set(self.tags)


class ExportError(InputError):
    """A model that must not be written; the text says why."""


def export(
    trained: TrainedNet,
    out: Path,
    source: PairSource,
    half: bool = False,
    views: Views = ONE_VIEW,
) -> ModelMetadata:
    """Writes `out` and returns its metadata. ExportError if its labels differ from torch's.

    source: frames with labels, to compare the file with torch and to score it
    half:   use weights and arithmetic in fp16, which GPUs run faster
    views:  the views of a frame; n views take n times as long
    """
    metadata = described(trained, views, half)
    reference = FrameGraph.of(trained.net, metadata)
    exported = FrameGraph.of(fold(trained.net), metadata, folded=True)
    if half:
        exported.half()
        # With weights rounded to fp16, so that only the conversion is compared.
        reference = copy.deepcopy(exported).float()
    proto = to_onnx(exported)
    with tempfile.TemporaryDirectory(prefix="carla_unet_") as folder:
        draft = Path(folder) / "draft.onnx"
        save(proto, metadata, draft)
        check_labels(reference, draft, source, out)
        segmenter = Segmenter(draft, "openvino")
        iou = evaluate(segmenter, source).iou_in_truth()
        segmenter.close()
    if not iou:
        raise ExportError(f"{source.name} holds no labelled pixel: {out} is not written")
    metadata = replace(metadata, iou=iou, iou_data=f"{source.name} ({len(source)} frames)")
    save(proto, metadata, out)
    return metadata


def described(trained: TrainedNet, views: Views = ONE_VIEW, half: bool = False) -> ModelMetadata:
    """The metadata of this net's model file, without scores."""
    return ModelMetadata(
        label_set=trained.label_set,
        network_size=trained.network_size,
        precision="fp16" if half else "fp32",
        training_data=f"{trained.training_data}; epoch {trained.epoch}",
        created=datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        project_version=__version__,
        flips=views.flips,
        also=views.also,
    )


def to_onnx(graph: FrameGraph) -> "onnx.ModelProto":
    """The graph as ONNX, with dynamic height and width of the frame."""
    sizes = {
        0: torch.export.Dim("height", min=16, max=16384),
        1: torch.export.Dim("width", min=16, max=16384),
    }
    width, height = graph.network_size
    example = torch.zeros(height + 3, width + 5, 4, dtype=torch.uint8)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            graph,
            (example,),
            dynamo=True,
            input_names=["frame"],
            output_names=["labels", "confidence"],
            dynamic_shapes={"frame": sizes},
            opset_version=OPSET,
            verbose=False,
        )
    if program is None:
        raise ExportError("torch.onnx.export returned no program")
    proto = program.model_proto
    _forget_the_exporter(proto.graph)
    return proto


def _forget_the_exporter(graph: "onnx.GraphProto") -> None:
    """Removes the exporter's notes from each node, which hold paths of this machine."""
    for part in (*graph.node, *graph.value_info, *graph.input, *graph.output):
        del part.metadata_props[:]


def save(proto: "onnx.ModelProto", metadata: ModelMetadata, path: Path) -> None:
    """Writes the model with its metadata. A reader sees the old file or the new one."""
    import onnx

    write_metadata(proto, metadata)
    onnx.checker.check_model(proto)
    write_whole(path, proto.SerializeToString())


def check_labels(graph: FrameGraph, path: Path, source: PairSource, out: Path) -> None:
    """Raises ExportError, which names `out`, if the file's labels differ from torch's."""
    difference = label_difference(graph, path, source)
    if difference > LARGEST_DIFFERENCE:
        raise ExportError(
            f"{difference:.4%} of the labels differ from torch's on {source.name}; at most "
            f"{LARGEST_DIFFERENCE:.2%} may: {out} is not written"
        )


@torch.no_grad()
def label_difference(graph: FrameGraph, path: Path, source: PairSource) -> float:
    """Share of pixels that torch and the file label differently, both in full precision."""
    engine = OpenVINOEngine(read_model(path), precision="f32")
    different = pixels = 0
    for index in evenly_spread(len(source), _FRAMES_COMPARED):
        frame = camera_frame(source.read(index).frame)
        expected, _ = graph(torch.from_numpy(frame))
        labels, _ = engine.infer(frame)
        different += np.count_nonzero(labels != expected.numpy())
        pixels += labels.size
    engine.close()
    return different / pixels


def held_back_frames(data: Path | None, tags: str, labels: LabelSet) -> PairSource:
    """The validation part of a folder, or of the procedural drive without a folder."""
    if data is None:
        return DriveFrames(_DRIVE_FRAMES, labels, first_seed=0)
    return PairFolder(data, tags, labels, split_names(data)[1])


def fitted(trained: TrainedNet, folders: Sequence[Path]) -> TrainedNet:
    """The net with batch normalisation measured on frames of these folders. Raises DataError."""
    net = copy.deepcopy(trained.net)
    frames = tqdm(mixed_frames(folders, _FRAMES_MEASURED), "statistics", unit="frame")
    measure_statistics(net, map(camera_frame, frames), trained.network_size)
    about = f"{trained.training_data}; statistics: {', '.join(each.name for each in folders)}"
    return replace(trained, net=net, training_data=about)


def _export(options: Options) -> None:
    prepare_file(options.out)
    trained = read_trained_net(*options.checkpoint)
    trained = with_biases(trained, read_biases(options.logit_bias))
    if options.network_size:
        trained = replace(trained, network_size=options.network_size)
    if options.statistics:
        trained = fitted(trained, options.statistics)
    source = held_back_frames(options.data, options.tags or "", trained.label_set)
    views = Views(options.also, options.flips)
    metadata = export(trained, options.out, source, options.half, views)
    mean = sum(metadata.iou.values()) / len(metadata.iou)
    size = options.out.stat().st_size / 1e6
    print(f"{options.out}: {size:.1f} MB, mean IoU {mean:.3f} on {metadata.iou_data}")


def main(argv: list[str] | None = None) -> int:
    return run_command(Options, "carla_unet_export", _export, argv)


if __name__ == "__main__":
    sys.exit(main())
