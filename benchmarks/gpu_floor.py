"""The time below which no engine can come on a GPU: its arithmetic and copies at measured rates.

    floor, GPU alone     = max(operations / matrix rate, bytes of the net / rate of a device copy)
    floor, host to host  = that + the frame in and both label images out, at the rates of copies

Operations are those of the convolutions, two for a multiplication with its addition. Bytes are
what each convolution reads and writes once: its input, its weights, its output. Both are counted
in the ONNX file that the engines run.
"""

from collections.abc import Callable
from math import prod
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from carla_unet_ros.engines import cuda

if TYPE_CHECKING:
    import onnx

BYTES_OF_A_VALUE = {"fp32": 4, "fp16": 2, "int8": 1}

_COPIED = 2**26
_SIDE = 8192
_REPEATS = 20


class Work(NamedTuple):
    """What one frame costs. operations and nbytes: of the convolutions; see the module's text."""

    operations: int
    nbytes: int


class Rates(NamedTuple):
    """Measured on this GPU; operations and bytes a second.

    matrix:   by precision; empty without torch, which multiplies the matrices
    on_gpu:   bytes read plus bytes written, a copy from GPU memory to GPU memory
    """

    matrix: dict[str, float]
    to_gpu: float
    from_gpu: float
    on_gpu: float


class Floor(NamedTuple):
    """Milliseconds."""

    operations: float
    memory: float
    copies: float

    @property
    def gpu(self) -> float:
        return max(self.operations, self.memory)

    @property
    def host_to_host(self) -> float:
        return self.gpu + self.copies

    def milliseconds(self) -> dict[str, float]:
        """All of it by name."""
        return {**self._asdict(), "gpu": self.gpu, "host_to_host": self.host_to_host}


def work_of(path: Path, precision: str) -> Work:
    """Raises ValueError where the file does not tell the size of a convolution."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(onnx.load(path), data_prop=True).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        sizes = value.type.tensor_type.shape.dim
        shapes.setdefault(value.name, tuple(size.dim_value for size in sizes))
    operations = values = 0
    for node in graph.node:
        if node.op_type in ("Conv", "ConvTranspose"):
            operations += _operations(node, shapes)
            values += sum(prod(_shape(name, shapes)) for name in (*node.input[:2], node.output[0]))
    return Work(operations, values * BYTES_OF_A_VALUE[precision])


def measured_rates() -> Rates:
    """Takes about a second. Raises EngineError where CUDA fails."""
    host, gpu, other = (
        cuda.PinnedMemory(_COPIED),
        cuda.DeviceMemory(_COPIED),
        cuda.DeviceMemory(_COPIED),
    )
    stream = cuda.Stream()
    rates = Rates(
        _matrix_rates(),
        _COPIED / seconds_on_gpu(stream, lambda: stream.copy_in(host, gpu)),
        _COPIED / seconds_on_gpu(stream, lambda: stream.copy_out(gpu, host)),
        2 * _COPIED / seconds_on_gpu(stream, lambda: stream.copy_on_gpu(gpu, other)),
    )
    for resource in (stream, other, gpu, host):
        resource.close()
    return rates


def floor_of(work: Work, rates: Rates, precision: str, size: tuple[int, int]) -> Floor | None:
    """The floor for frames of `size` (width, height); None without a matrix rate."""
    if precision not in rates.matrix:
        return None
    pixels = prod(size)
    copies = 4 * pixels / rates.to_gpu + 2 * pixels / rates.from_gpu
    return Floor(
        1000 * work.operations / rates.matrix[precision],
        1000 * work.nbytes / rates.on_gpu,
        1000 * copies,
    )


def seconds_on_gpu(
    stream: cuda.Stream, queue_work: Callable[[], None], repeats: int = _REPEATS
) -> float:
    """Median time, by CUDA events, of what `queue_work` queues; three runs come before."""
    watch, seconds = cuda.Stopwatch(), []
    for turn in range(3 + repeats):
        watch.start(stream)
        queue_work()
        watch.stop(stream)
        stream.synchronise()
        if turn >= 3:
            seconds.append(watch.milliseconds() / 1000)
    watch.close()
    return median(seconds)


def _operations(node: "onnx.NodeProto", shapes: dict[str, tuple[int, ...]]) -> int:
    """A weight is used once for each output place; in a transposed convolution, each input's."""
    source, weights, result = (_shape(name, shapes) for name in (*node.input[:2], node.output[0]))
    places = result if node.op_type == "Conv" else source
    return 2 * prod(weights) * prod(places[2:]) * places[0]


def _shape(name: str, shapes: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    shape = shapes.get(name, ())
    if not all(shape) or not shape:
        raise ValueError(f"the file does not tell the shape of {name!r}")
    return shape


def _matrix_rates() -> dict[str, float]:
    """Products of large random matrices, in the arithmetic convolutions of a precision use."""
    try:
        import torch
    except ImportError:
        return {}
    if not torch.cuda.is_available():
        return {}
    torch.backends.cuda.matmul.allow_tf32 = True
    rates = {}
    for precision, dtype in (("fp32", torch.float32), ("fp16", torch.float16)):
        left, right = (torch.randn(_SIDE, _SIDE, device="cuda", dtype=dtype) for _ in range(2))
        seconds = []
        for turn in range(3 + _REPEATS):
            start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            torch.mm(left, right)
            stop.record()
            stop.synchronize()
            if turn >= 3:
                seconds.append(start.elapsed_time(stop) / 1000)
        rates[precision] = 2 * _SIDE**3 / median(seconds)
    return rates
