"""OpenVINO on the CPU: the engine for machines without a GPU.

The graph is specialised to the camera's size on the first frame (fixed shapes are a third
faster than dynamic ones), and kept for the sizes seen last, so that cameras of several sizes can
share one engine.
"""

from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from carla_unet_ros.engines import SIZES_KEPT, EngineError
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


class OpenVINOEngine:
    """See `carla_unet_ros.engines.Engine`.

    precision: "f32" or "bf16" fixes the arithmetic; None leaves it to OpenVINO (bf16 where the
    CPU has instructions for it). An int8 model runs as int8 either way.
    """

    def __init__(self, model: Model, reason: str = "asked for", precision: str | None = None):
        try:
            import openvino

            self._core = openvino_core()
        except ImportError as error:
            raise EngineError(
                f"OpenVINO cannot be imported ({error}); install it with: pip install openvino"
            ) from error
        self.reason = reason
        self._config: dict[str, str] = {"PERFORMANCE_HINT": "LATENCY"}
        if precision:
            self._config["INFERENCE_PRECISION_HINT"] = precision
        try:
            self._graph = self._core.read_model(model.path)
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot read {model.path}: {error}") from error
        self._request = lru_cache(SIZES_KEPT)(self._compiled)
        self.name = f"OpenVINO {openvino.__version__.split('-')[0]} CPU {self._arithmetic(model)}"

    def prepare(self, height: int, width: int) -> None:
        self._request(height, width)

    def infer(self, frame: Uint8) -> tuple[Uint8, Uint8]:
        import openvino

        height, width, _ = frame.shape
        try:
            request = self._request(height, width)
            # shared_memory: the frame's own bytes are read, nothing is copied in.
            request.set_tensor("frame", openvino.Tensor(frame, shared_memory=True))
            request.infer()
        except RuntimeError as error:
            raise EngineError(
                f"{self.name} failed on a {width}x{height} frame: {error}"
            ) from error
        labels = np.array(request.get_tensor("labels").data)
        return labels, np.array(request.get_tensor("confidence").data)

    def close(self) -> None:
        self._request.cache_clear()

    def _compiled(self, height: int, width: int) -> "openvino.InferRequest":
        """The graph for frames of one size."""
        self._graph.reshape([height, width, 4])
        return self._core.compile_model(self._graph, "CPU", self._config).create_infer_request()

    def _arithmetic(self, model: Model) -> str:
        """The arithmetic OpenVINO will use on this CPU, without compiling anything."""
        if model.metadata.precision == "int8":
            return "int8"
        if hint := self._config.get("INFERENCE_PRECISION_HINT"):
            return hint
        capabilities = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return "bf16" if "BF16" in capabilities else "f32"
