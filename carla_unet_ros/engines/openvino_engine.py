# SPDX-License-Identifier: Apache-2.0
"""The OpenVINO engine, for machines without an NVIDIA GPU. It uses the CPU by default.

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

# For each Intel device beside the CPU: its driver, and the file that the user must have access to.
_DRIVERS = {
    "GPU": ("intel-opencl-icd", "/dev/dri/renderD*"),
    "NPU": ("linux-npu-driver", "/dev/accel/accel*"),
}

# pybind11 turns exceptions of C++ into these.
_ERRORS = (RuntimeError, ValueError, IndexError, OverflowError, MemoryError)


@cache
def openvino_core() -> "openvino.Core":
    """The only Core of this process; it lasts as long as the process. Raises ImportError.

    A Core installs a stack for signal handlers, and at its end restores the stack it found. If two
    Cores exist and the first one ends first, the second restores the stack of the first, which is
    freed memory: the next signal that Python handles causes a segmentation fault.
    """
    import openvino

    return openvino.Core()


def missing(device: str = "auto") -> str:
    """Returns what OpenVINO lacks to run here, as one phrase; empty if nothing.

    device: "cpu"; "gpu" or "npu", which are Intel's; "auto" is the CPU
    """
    try:
        core = openvino_core()
    except ImportError as error:
        return f"OpenVINO cannot be imported ({error}): pip install openvino"
    plugin = _plugin(device)
    if plugin == "CPU":
        return ""
    # Several devices of a kind are called GPU.0, GPU.1, ...
    available = core.available_devices
    if plugin in {name.split(".")[0] for name in available}:
        return ""
    driver, file = _DRIVERS[plugin]
    return (
        f"OpenVINO finds no {plugin}, only {', '.join(available)}: install Intel's driver for it "
        f"({driver}) and let this user open {file}"
    )


class CompiledGraph:
    """The model for frames of one size."""

    def __init__(self, request: "openvino.InferRequest") -> None:
        self._request: openvino.InferRequest | None = request

    def run(self, frame: Uint8) -> tuple[Uint8, Uint8]:
        """Labels and confidence of one frame; the caller owns them. Raises one of _ERRORS."""
        import openvino

        request = self._request
        if request is None:
            raise EngineError("the engine is closed")
        # shared_memory: OpenVINO reads the frame's own bytes, without a copy.
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
        device: str = "auto",
        threads: int = 0,
    ) -> None:
        """Reads the model; nothing is compiled yet.

        precision: "f32" or "bf16" fixes the arithmetic; None leaves it to OpenVINO (bf16 where
                   the CPU has instructions for it). An int8 model runs as int8 either way.
        device:    "cpu"; "gpu" or "npu", which are Intel's; "auto" is the CPU
        threads:   most CPU threads to use; 0 leaves it to OpenVINO

        Raises EngineError.
        """
        if lack := missing(device):
            raise EngineError(lack)
        self.reason = reason
        self._path = model.path
        self._core = openvino_core()
        plugin = self._plugin = _plugin(device)
        self._config: dict[str, str | int] = {"PERFORMANCE_HINT": "LATENCY"}
        if precision:
            self._config["INFERENCE_PRECISION_HINT"] = precision
        if threads and plugin == "CPU":
            self._config["INFERENCE_NUM_THREADS"] = threads
        self._graph: openvino.Model | None = self._read(model)
        self._compiled: SizeCache[CompiledGraph] = SizeCache(log)
        self.device = self._described_device()
        self.precision = self._arithmetic(model)
        self.name = f"OpenVINO {_version()} {self.device} {self.precision}"

    def prepare(self, height: int, width: int) -> None:
        self._compiled.get(height, width, self._compile)

    def is_prepared(self, height: int, width: int) -> bool:
        return self._compiled.has(height, width)

    def infer(self, frame: Uint8) -> tuple[Uint8, Uint8]:
        height, width, _ = frame.shape
        graph = self._compiled.get(height, width, self._compile)
        try:
            return graph.run(frame)
        except EngineError:
            raise
        except _ERRORS as error:
            raise EngineError(
                f"{self.name} failed on a {width}x{height} frame with {self._path}: "
                f"{_reason(error)}"
            ) from error

    def close(self) -> None:
        self._compiled.close()
        self._graph = None

    def _compile(self, height: int, width: int) -> CompiledGraph:
        original = self._graph
        if original is None:
            raise EngineError("the engine is closed")
        # A copy, which shares the weights: reshaping changes a graph in place.
        graph = original.clone()
        try:
            graph.reshape([height, width, 4])
            compiled = self._core.compile_model(graph, self._plugin, self._config)
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

    def _read(self, model: Model) -> "openvino.Model":
        content = read_unchanged(model)
        try:
            # From the bytes that were checked, because the file may change.
            return self._core.read_model(content)
        except _ERRORS as error:
            raise EngineError(f"OpenVINO cannot read {model.path}: {_reason(error)}") from error

    def _described_device(self) -> str:
        if threads := self._config.get("INFERENCE_NUM_THREADS"):
            return f"CPU (at most {threads} threads)"
        if self._plugin == "CPU":
            return "CPU"
        return f"{self._plugin} {self._core.get_property(self._plugin, 'FULL_DEVICE_NAME')}"

    def _arithmetic(self, model: Model) -> str:
        """The arithmetic OpenVINO will use on this device."""
        if model.metadata.precision == "int8":
            return "int8"
        if hint := self._config.get("INFERENCE_PRECISION_HINT"):
            return str(hint)
        capabilities = self._core.get_property(self._plugin, "OPTIMIZATION_CAPABILITIES")
        if self._plugin == "CPU":
            return "bf16" if "BF16" in capabilities else "f32"
        return "f16" if "FP16" in capabilities else "f32"


def _version() -> str:
    import openvino

    return openvino.__version__.split("-")[0]


def _plugin(device: str) -> str:
    """OpenVINO's own name of a device."""
    return "CPU" if device == "auto" else device.upper()


def _described(output: "openvino.ConstOutput") -> str:
    """Type and shape, "uint8 [48, 64]"; an unknown length is a "?"."""
    kind = output.element_type.get_type_name()
    shape = output.partial_shape
    text = str(shape) if shape.is_dynamic else str(list(output.shape))
    return f"{'uint8' if kind == 'u8' else kind} {text}"


def _reason(error: Exception) -> str:
    """Returns OpenVINO's error text in one line, without the locations in its source."""
    lines = str(error).splitlines()
    told = [line for line in lines if not line.startswith(("Exception from ", "Check '"))]
    return " ".join(" ".join(told or lines).split())
