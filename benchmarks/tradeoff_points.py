"""What benchmarks/tradeoff.py measures: variants of a trained net, each as a Segmenter of its own.

One ONNX file for each network size, way of enlarging and number of views; fp32 and bf16 are two
arithmetics of the same file, int8 is made from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tradeoff_enlarging import GRAPHS

from carla_unet_ros.command_line import parse_size
from carla_unet_ros.engines.openvino_engine import OpenVINOEngine, openvino_core
from carla_unet_ros.model_file import read_model, write_metadata
from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.training.data.folders import PairSource
from carla_unet_ros.training.export import check_labels, described, save, to_onnx
from carla_unet_ros.training.net.checkpoints import TrainedNet
from carla_unet_ros.training.net.folding import fold
from carla_unet_ros.training.net.views import ONE_VIEW, Views
from carla_unet_ros.training.quantize import to_int8

AXES = ("size", "enlarging", "precision", "views")
PRECISIONS = ("fp32", "bf16", "int8")

_HINTS = {"fp32": "f32", "bf16": "bf16"}


@dataclass(frozen=True)
class Variant:
    """One way to run a net.

    network:   (width, height) that frames are resized to
    precision: one of PRECISIONS
    enlarging: how labels come to camera size, one of `tradeoff_enlarging.GRAPHS`
    views:     other looks at the frame that the mean is taken of
    """

    network: tuple[int, int]
    precision: str
    enlarging: str = "margins"
    views: Views = ONE_VIEW


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
        found += [replace(base, enlarging=way) for way in GRAPHS]
    if "precision" in axes:
        found += [replace(base, precision=precision) for precision in precisions]
    if "views" in axes:
        width, height = base.network
        smaller = [size for size in sizes if size[0] < width and size[1] < height]
        ends = tuple(dict.fromkeys((*smaller[:1], *smaller[-1:])))
        found += [replace(base, views=Views(also, flips=True)) for also in ((), ends)]
    return list(dict.fromkeys(found))


def way_argument(text: str) -> Variant:
    """`448x320,flips,int8` -> that variant; where no arithmetic is named, it is left open ("").

    Further sizes are views, too. Raises ValueError.
    """
    size, *words = text.split(",")
    way = Variant(parse_size(size), "")
    for word in words:
        if word in PRECISIONS:
            way = replace(way, precision=word)
        elif word in GRAPHS:
            way = replace(way, enlarging=word)
        elif word == "flips":
            way = replace(way, views=replace(way.views, flips=True))
        else:
            also = (*way.views.also, parse_size(word))
            way = replace(way, views=replace(way.views, also=also))
    return way


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
    path = folder / f"{width}x{height}_{variant.enlarging}_{variant.views.count}.onnx"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        metadata = described(replace(trained, network_size=variant.network), variant.views)
        graph = GRAPHS[variant.enlarging]
        save(to_onnx(graph.of(fold(trained.net), metadata, folded=True)), metadata, path)
        check_labels(graph.of(trained.net, metadata), path, calibration, path)
    if variant.precision == "int8":
        path = _as_int8(path, calibration, frames)
    segmenter = Segmenter(path, "openvino")
    if variant.precision in _HINTS:
        segmenter.engine.close()
        segmenter.engine = OpenVINOEngine(segmenter.model, precision=_HINTS[variant.precision])
    return segmenter


def _as_int8(path: Path, calibration: PairSource, frames: int) -> Path:
    """Beside the file, whatever int8 costs: the cost is what the benchmark is for."""
    model = read_model(path)
    out = path.with_suffix(".int8.onnx")
    proto = to_int8(model, calibration, frames)
    write_metadata(proto, replace(model.metadata, precision="int8"))
    out.write_bytes(proto.SerializeToString())
    return out
