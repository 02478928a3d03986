"""OpenVINO on the CPU: the engine for machines without a GPU.

The graph is compiled anew for each size of frames (fixed shapes are a third faster than dynamic
ones), so that cameras of several sizes can share one engine.
"""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from carla_unet_ros.engines.engine import EngineError, Log
from carla_unet_ros.engines.size_cache import SizeCache
from carla_unet_ros.labels import Uint8
from carla_unet_ros.model_file import Model

if TYPE_CHECKING:
    import openvino


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
        """One frame; the caller owns the two arrays. Raises RuntimeError where OpenVINO fails."""
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
        self._core = openvino_core()
        self._config: dict[str, str] = {"PERFORMANCE_HINT": "LATENCY"}
        if precision:
            self._config["INFERENCE_PRECISION_HINT"] = precision
        try:
            self._graph: openvino.Model | None = self._core.read_model(model.path)
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot read {model.path}: {error}") from error
        self._compiled: SizeCache[CompiledGraph] = SizeCache(log)
        self.name = f"OpenVINO {openvino.__version__.split('-')[0]} CPU {self._arithmetic(model)}"

    def prepare(self, height: int, width: int) -> None:
        self._compiled.get(height, width, self._compile)

    def infer(self, frame: Uint8) -> tuple[Uint8, Uint8]:
        height, width, _ = frame.shape
        graph = self._compiled.get(height, width, self._compile)
        try:
            return graph.run(frame)
        except RuntimeError as error:
            raise EngineError(
                f"{self.name} failed on a {width}x{height} frame: {error}"
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
            return CompiledGraph(compiled.create_infer_request())
        except RuntimeError as error:
            raise EngineError(
                f"{self.name} cannot be prepared for {width}x{height} frames: {error}"
            ) from error

    def _arithmetic(self, model: Model) -> str:
        """The arithmetic OpenVINO will use on this CPU, without compiling anything."""
        if model.metadata.precision == "int8":
            return "int8"
        if hint := self._config.get("INFERENCE_PRECISION_HINT"):
            return hint
        capabilities = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return "bf16" if "BF16" in capabilities else "f32"
