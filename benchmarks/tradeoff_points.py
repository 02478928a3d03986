"""What benchmarks/tradeoff.py measures: variants of a trained net, each as a Segmenter of its own.

One ONNX file for each network size and way of enlarging; fp32 and bf16 are two arithmetics of the
same file, int8 is made from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from carla_unet_ros.engines.openvino_engine import OpenVINOEngine, openvino_core
from carla_unet_ros.model_file import read_model, write_metadata
from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.training.checkpoints import TrainedNet
from carla_unet_ros.training.datasets import Pair, PairSource
from carla_unet_ros.training.export import export
from carla_unet_ros.training.options import size_argument
from carla_unet_ros.training.quantize import to_int8
from carla_unet_ros.training.views import ONE_VIEW, Views

AXES = ("size", "enlarging", "precision", "views")
PRECISIONS = ("fp32", "bf16", "int8")

_COMPARED = 2
_WORDS = ("flips", "smooth")
_HINTS = {"fp32": "f32", "bf16": "bf16"}


@dataclass(frozen=True)
class Variant:
    """One way to run a net.

    network: (width, height) that frames are resized to
    smooth:  False enlarges the labels to camera size, True the probabilities
    views:   other looks at the frame that the mean is taken of
    """

    network: tuple[int, int]
    smooth: bool
    precision: str
    views: Views = ONE_VIEW

    @property
    def enlarged(self) -> str:
        return "probabilities" if self.smooth else "labels"


def variants(
    base: Variant,
    axes: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    precisions: Sequence[str],
) -> list[Variant]:
    """The base first, then one axis varied at a time; none twice."""
    found = [base]
    if "size" in axes:
        found += [replace(base, network=size) for size in sizes]
    if "enlarging" in axes:
        found.append(replace(base, smooth=not base.smooth))
    if "precision" in axes:
        found += [replace(base, precision=precision) for precision in precisions]
    if "views" in axes:
        width, height = base.network
        smaller = [size for size in sizes if size[0] < width and size[1] < height]
        ends = tuple(dict.fromkeys((*smaller[:1], *smaller[-1:])))
        found += [replace(base, views=Views(also, flips=True)) for also in ((), ends)]
    return list(dict.fromkeys(found))


def way_argument(text: str) -> Variant:
    """`448x320,flips,smooth` -> that variant, its arithmetic left open ("").

    Further sizes are views, too. Raises argparse.ArgumentTypeError.
    """
    size, *rest = text.split(",")
    also = tuple(size_argument(part) for part in rest if part not in _WORDS)
    return Variant(size_argument(size), "smooth" in rest, "", Views(also, "flips" in rest))


def fitted(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """The nearest size whose sides are multiples of this many pixels, at least one of them."""
    width, height = (max(1, round(side / multiple)) * multiple for side in size)
    return width, height


def precisions_here() -> tuple[str, ...]:
    """Those this CPU has instructions for; the others would be emulated, or silently be fp32."""
    capabilities = openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return tuple(name for name in PRECISIONS if name != "bf16" or "BF16" in capabilities)


def open_variant(
    trained: TrainedNet, variant: Variant, folder: Path, calibration: PairSource, frames: int
) -> Segmenter:
    """The net as a model file in `folder`, opened on the CPU in the variant's arithmetic.

    folder:      of this net alone; a file that two variants share is exported once
    calibration: training frames, on which the file is compared with torch, and from `frames` of
                 which int8 reads its scales

    Raises ExportError where the file does not do what torch does.
    """
    width, height = variant.network
    path = folder / f"{width}x{height}_{variant.enlarged}_{variant.views.count}.onnx"
    if not path.exists():
        resized = replace(trained, network_size=variant.network)
        source = _Some(calibration, _COMPARED)
        export(resized, path, source, smooth=variant.smooth, views=variant.views)
    if variant.precision == "int8":
        path = _as_int8(path, calibration, frames)
    segmenter = Segmenter(path, "openvino")
    if variant.precision in _HINTS:
        segmenter.engine.close()
        segmenter.engine = OpenVINOEngine(segmenter.model, precision=_HINTS[variant.precision])
    return segmenter


class _Some:
    """The first frames of a source."""

    def __init__(self, source: PairSource, count: int) -> None:
        self.name = source.name
        self._source = source
        self._count = min(count, len(source))

    def __len__(self) -> int:
        return self._count

    def read(self, index: int) -> Pair:
        return self._source.read(index)


def _as_int8(path: Path, calibration: PairSource, frames: int) -> Path:
    """Beside the file, whatever int8 costs: the cost is what the benchmark is for."""
    model = read_model(path)
    out = path.with_suffix(".int8.onnx")
    proto = to_int8(model, calibration, frames)
    write_metadata(proto, replace(model.metadata, precision="int8"))
    out.write_bytes(proto.SerializeToString())
    return out
