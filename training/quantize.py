# SPDX-License-Identifier: Apache-2.0
"""Makes an int8 model file of an fp32 one: `carla_unet_quantize --data DIR --tags V --out FILE`.

Weights and activations become 8-bit integers with a scale each, written into the same ONNX graph
as pairs of QuantizeLinear and DequantizeLinear: one file that OpenVINO and TensorRT run as int8
(see `quantised_graph`). Every convolution is quantised: with stem or head in float, mean IoU
changed by less than 0.1 point.

NNCF finds the scales by running frames through the net (post-training quantisation); no torch is
needed. It uses frames of the training list, and pictures without labels where they are named:
values beyond those of all these frames are cut off. The last fifth of the training list is held
back: its scores decide whether the file is kept.
"""

import datetime
import logging
import math
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from carla_unet_ros.command_line import EMPTY, Configured, check_ranges, run_command
from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import LabelSet, Uint8, carla_label_set
from carla_unet_ros.model_file import SHIPPED_MODEL, Model, read_model, write_metadata
from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.training.data.drive_frames import DriveFrames
from carla_unet_ros.training.data.folders import (
    DataError,
    PairFolder,
    PairSource,
    camera_frame,
    split_names,
)
from carla_unet_ros.training.data.splits import evenly_spread
from carla_unet_ros.training.evaluate import Evaluation, evaluate
from carla_unet_ros.training.labelling.frames import FrameFolder
from carla_unet_ros.training.net.quantised_graph import concatenate_integers, make_signed
from carla_unet_ros.whole_files import prepare_file, write_whole

if TYPE_CHECKING:
    import onnx

LARGEST_LOSS = 0.01
"""The largest loss of mean IoU that is accepted: one point."""

_HELD_BACK = 0.2


@dataclass(frozen=True, kw_only=True)
class Options(Configured):
    """Make an int8 model file, if it is good enough."""

    model: Path = SHIPPED_MODEL  # fp32 ONNX file of carla_unet_export
    data: Path | None = None  # folder of pairs; without, the procedural drive
    tags: str | None = None  # CARLA version whose tags the masks of --data hold
    out: Path  # the int8 ONNX file
    # folders of pictures to calibrate on, too, such as other towns, fog and night
    unlabelled: Annotated[tuple[Path, ...], EMPTY] = ()
    frames: int = 200  # frames to calibrate on, of each folder as many

    def __post_init__(self) -> None:
        if self.data and not self.tags:
            raise InputError(f"--data {self.data} needs --tags, the CARLA version of its masks")
        if self.tags:
            carla_label_set(self.tags)
        check_ranges(self, frames=(1, math.inf))


class QuantisationError(InputError):
    """A file that cannot be quantised, or loses too much; the text says why."""


def quantise(
    model: Model,
    calibration: PairSource,
    held_back: PairSource,
    out: Path,
    frames: int,
    unlabelled: Sequence[FrameFolder] = (),
) -> tuple[Evaluation, Evaluation]:
    """Writes `out`, and returns the scores of the model and of its int8 form.

    calibration: frames to calibrate on; `frames` of them are used, evenly spread
    held_back:   frames to score both on
    unlabelled:  more to calibrate on, `frames` of each

    Raises QuantisationError if int8 loses more than LARGEST_LOSS.
    """
    proto = to_int8(model, calibration, frames, unlabelled)
    metadata = replace(
        model.metadata,
        precision="int8",
        created=datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
    )
    with tempfile.TemporaryDirectory(prefix="carla_unet_") as folder:
        draft = Path(folder) / "draft.onnx"
        write_metadata(proto, metadata)
        draft.write_bytes(proto.SerializeToString())
        before = _scored(model.path, held_back, model.metadata.precision)
        after = _scored(draft, held_back, metadata.precision)
    loss = before.matrix.mean_iou() - after.matrix.mean_iou()
    if not loss <= LARGEST_LOSS:
        raise QuantisationError(
            f"int8 loses {100 * loss:.1f} points of mean IoU on {held_back.name} "
            f"({before.matrix.mean_iou():.3f} to {after.matrix.mean_iou():.3f}), at most "
            f"{100 * LARGEST_LOSS:.0f} may be lost: {out} is not written. Try more --frames"
        )
    about = f"{held_back.name} (the last {len(held_back)} training frames, held back)"
    write_metadata(proto, replace(metadata, iou=after.iou_in_truth(), iou_data=about))
    write_whole(out, proto.SerializeToString())
    return before, after


def to_int8(
    model: Model, calibration: PairSource, frames: int, unlabelled: Sequence[FrameFolder] = ()
) -> "onnx.ModelProto":
    """The model's graph with its convolutions in int8, symmetric, weights scaled per channel.

    The scales are read from `frames` frames of each source, evenly spread.
    """
    import nncf
    import onnx

    nncf.set_log_level(logging.ERROR)
    proto = onnx.load(model.path)
    readers = calibration_frames(calibration, frames, unlabelled)
    dataset = nncf.Dataset(readers, lambda read: {"frame": camera_frame(read())})
    quantised = nncf.quantize(
        proto,
        dataset,
        # Symmetric, as TensorRT needs it.
        preset=nncf.QuantizationPreset.PERFORMANCE,
        target_device=nncf.TargetDevice.CPU,
        subset_size=len(readers),
        ignored_scope=nncf.IgnoredScope(names=_not_convolutions(proto)),
    )
    make_signed(quantised)
    concatenate_integers(quantised)
    onnx.checker.check_model(quantised, full_check=True)
    return quantised


def calibration_frames(
    calibration: PairSource, frames: int, unlabelled: Sequence[FrameFolder]
) -> list[Callable[[], Uint8]]:
    """What reads the frames to calibrate on, [H, W, 3], B, G, R; one at a time is in memory."""
    readers: list[Callable[[], Uint8]] = [
        partial(_labelled, calibration, index) for index in evenly_spread(len(calibration), frames)
    ]
    for folder in unlabelled:
        names = [folder.names[index] for index in evenly_spread(len(folder.names), frames)]
        readers += [partial(folder.read_frame, name) for name in names]
    return readers


def _labelled(pairs: PairSource, index: int) -> Uint8:
    return pairs.read(index).frame


def calibration_split(names: list[str]) -> tuple[list[str], list[str]]:
    """Splits names: those to calibrate on, and the last fifth, to score on."""
    first = len(names) - max(1, round(_HELD_BACK * len(names)))
    if not first:
        raise DataError("one frame is too few to calibrate on and hold one back")
    return names[:first], names[first:]


def _not_convolutions(proto: "onnx.ModelProto") -> list[str]:
    """Names of the arithmetic around the net, which gains nothing from int8."""
    kept = ("Conv", "ConvTranspose", "MaxPool", "Relu", "Concat")
    return [node.name for node in proto.graph.node if node.op_type not in kept]


def _scored(path: Path, source: PairSource, precision: str) -> Evaluation:
    print(f"scoring {precision} on {len(source)} held-back frames", file=sys.stderr)
    segmenter = Segmenter(path, "openvino")
    try:
        return evaluate(segmenter, source)
    finally:
        segmenter.close()


def _sources(data: Path | None, tags: str, labels: LabelSet) -> tuple[PairSource, ...]:
    """Frames to calibrate on and frames to score on: of a folder, or of the procedural drive."""
    if data is None:
        return DriveFrames(200, labels), DriveFrames(40, labels, first_seed=0)
    parts = calibration_split(split_names(data)[0])
    return tuple(PairFolder(data, tags, labels, part) for part in parts)


def _quantise(options: Options) -> None:
    prepare_file(options.out)
    model = read_model(options.model)
    if model.metadata.precision != "fp32":
        raise QuantisationError(f"{model.path} is {model.metadata.precision}; expected fp32")
    calibration, held_back = _sources(options.data, options.tags or "", model.label_set)
    unlabelled = [FrameFolder(folder) for folder in options.unlabelled]
    before, after = quantise(
        model, calibration, held_back, options.out, options.frames, unlabelled
    )
    print(
        f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB, mean IoU "
        f"{after.matrix.mean_iou():.4f}, was {before.matrix.mean_iou():.4f}, on the held-back "
        f"part of {held_back.name}"
    )


def main(argv: list[str] | None = None) -> int:
    return run_command(Options, "carla_unet_quantize", _quantise, argv)


if __name__ == "__main__":
    sys.exit(main())
