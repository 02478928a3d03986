"""OpenVINO on the CPU: the engine for machines without a GPU.

The graph is compiled anew for each size of frames (fixed shapes are a third faster than dynamic
ones), so that cameras of several sizes can share one engine.
"""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from carla_unet_ros.engines.engine import EngineError, Log
from carla_unet_ros.engines.model_checks import check_outputs, read_unchanged
from carla_unet_ros.engines.size_cache import SizeCache
from carla_unet_ros.labels import Uint8
from carla_unet_ros.model_file import Model

if TYPE_CHECKING:
    import openvino

_OUTPUTS = ("labels", "confidence")

# What pybind11 makes of the exceptions of C++.
_ERRORS = (RuntimeError, ValueError, IndexError, OverflowError, MemoryError)


@cache
def openvino_core() -> "openvino.Core":
    """The one Core of this process, which lasts as long as the process. ImportError without it.

    A Core puts in a stack for signal handlers, and at its end the one that it found. Of two, the
    first to be made and to end takes its stack with it, and the second puts that one back in: the
    next signal that Python handles is then a segmentation fault.
    """
    import openvino

    return openvino.Core()


def missing() -> str:
    """What OpenVINO lacks to run here, as one phrase; empty where it lacks nothing."""
    try:
        openvino_core()
    except ImportError as error:
        return f"OpenVINO cannot be imported ({error}): pip install openvino"
    return ""


class CompiledGraph:
    """The model for frames of one size."""

    def __init__(self, request: "openvino.InferRequest") -> None:
        self._request: openvino.InferRequest | None = request

    def run(self, frame: Uint8) -> tuple[Uint8, Uint8]:
        """One frame; the caller owns the two arrays. Raises what OpenVINO does, see _ERRORS."""
        import openvino

        request = self._request
        if request is None:
            raise EngineError("the engine is closed")
        # shared_memory: the frame's own bytes are read, nothing is copied in.
        request.set_tensor("frame", openvino.Tensor(frame, shared_memory=True))
        request.infer()
        labels = np.array(request.get_tensor("labels").data)
        return labels, np.array(request.get_tensor("confidence").data)

    def close(self) -> None:
        self._request = None


class OpenVINOEngine:
    """See `carla_unet_ros.engines.Engine`."""

    def __init__(
        self,
        model: Model,
        reason: str = "asked for",
        precision: str | None = None,
        log: Log = lambda _: None,
    ) -> None:
        """precision: "f32" or "bf16" fixes the arithmetic; None leaves it to OpenVINO (bf16 where
        the CPU has instructions for it). An int8 model runs as int8 either way.

        Raises EngineError.
        """
        if lack := missing():
            raise EngineError(lack)
        import openvino

        self.reason = reason
        self._path = model.path
        self._core = openvino_core()
        self._config: dict[str, str] = {"PERFORMANCE_HINT": "LATENCY"}
        if precision:
            self._config["INFERENCE_PRECISION_HINT"] = precision
        content = read_unchanged(model)
        try:
            # Not from the path: what is checked is what runs, and only that.
            self._graph: openvino.Model | None = self._core.read_model(content)
        except _ERRORS as error:
            raise EngineError(f"OpenVINO cannot read {model.path}: {_reason(error)}") from error
        self._compiled: SizeCache[CompiledGraph] = SizeCache(log)
        self.name = f"OpenVINO {openvino.__version__.split('-')[0]} CPU {self._arithmetic(model)}"

    def prepare(self, height: int, width: int) -> None:
        self._compiled.get(height, width, self._compile)

    def infer(self, frame: Uint8) -> tuple[Uint8, Uint8]:
        height, width, _ = frame.shape
        graph = self._compiled.get(height, width, self._compile)
        try:
            return graph.run(frame)
        except _ERRORS as error:
            raise EngineError(
                f"{self.name} failed on a {width}x{height} frame with {self._path}: "
                f"{_reason(error)}"
            ) from error

    def close(self) -> None:
        self._compiled.close()
        self._graph = None

    def _compile(self, height: int, width: int) -> CompiledGraph:
        if self._graph is None:
            raise EngineError("the engine is closed")
        # A copy, which shares the weights: reshaping a graph changes it for all who hold it.
        graph = self._graph.clone()
        try:
            graph.reshape([height, width, 4])
            compiled = self._core.compile_model(graph, "CPU", self._config)
            outputs = {
                name: _described(compiled.output(name)) for name in ("labels", "confidence")
            }
            request = compiled.create_infer_request()
        except _ERRORS as error:
            raise EngineError(
                f"{self.name} cannot prepare {self._path} for {width}x{height} frames: "
                f"{_reason(error)}"
            ) from error
        check_outputs(f"{self.name} on {self._path}", outputs, height, width)
        return CompiledGraph(request)

    def _arithmetic(self, model: Model) -> str:
        """The arithmetic OpenVINO will use on this CPU, without compiling anything."""
        if model.metadata.precision == "int8":
            return "int8"
        if hint := self._config.get("INFERENCE_PRECISION_HINT"):
            return hint
        capabilities = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return "bf16" if "BF16" in capabilities else "f32"


def _described(output: "openvino.ConstOutput") -> str:
    """Type and shape, "uint8 [48, 64]"; a length that only a frame will tell is a "?"."""
    kind = output.element_type.get_type_name()
    shape = output.partial_shape
    text = str(shape) if shape.is_dynamic else str(list(output.shape))
    return f"{'uint8' if kind == 'u8' else kind} {text}"


def _reason(error: Exception) -> str:
    """What OpenVINO says, in one line, without the places in its source that it comes from."""
    lines = str(error).splitlines()
    told = [line for line in lines if not line.startswith(("Exception from ", "Check '"))]
    return " ".join(" ".join(told or lines).split())
