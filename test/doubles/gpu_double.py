# SPDX-License-Identifier: Apache-2.0
"""A GPU that is not there: TensorRT's run time, on the double of CUDA, as the engine uses it.

The engine answers blue as labels and green as confidence, so that a copy to the wrong place shows.
Which names and parameters there are is not this file's word: test_typings.py holds it to
`typings/`.
"""

# ruff: noqa: ARG002 - the parameters are those of the real calls

import ctypes
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cuda_double import FakeCuda
from rtx_double import FakeRuntimeConfig

from carla_unet_ros.engines.tensorrt_engine import cuda
from carla_unet_ros.engines.tensorrt_engine import library as tensorrt_library
from carla_unet_ros.engines.tensorrt_engine import run as tensorrt_run


def fake_gpu(monkeypatch: pytest.MonkeyPatch) -> "FakeTensorRT":
    """A GPU, and a TensorRT that really builds and seems to run; its `cuda` is the GPU.

    Skips the test where no TensorRT is installed.
    """
    if tensorrt_library.missing_library():
        pytest.skip(tensorrt_library.missing_library())
    trt = FakeTensorRT(FakeCuda(), tensorrt_library.tensorrt_module().TensorIOMode)
    # None is the process itself, which can always be opened.
    monkeypatch.setattr(cuda, "_DRIVER", None)
    monkeypatch.setattr(cuda, "_DRIVER_RELEASE", Path("/no/release"))
    monkeypatch.setattr(cuda, "_runtime", lambda: trt.cuda)
    monkeypatch.setattr(cuda, "_thread", threading.local())
    monkeypatch.setattr(tensorrt_run, "tensorrt_module", lambda: trt)
    return trt


class FakeTensorRT:
    """Stands in for the module, as far as running goes.

    faults:   names of methods that fail
    loaded:   what was deserialised, in order
    compiled: how often kernels were compiled, as TensorRT-RTX does
    """

    compiled = 0

    def __init__(self, cuda: FakeCuda, modes: Any) -> None:
        self.cuda = cuda
        self.faults: set[str] = set()
        self.loaded: list[bytes] = []
        self.TensorIOMode = modes

    def Runtime(self, logger: Any) -> "FakeRuntime":
        return FakeRuntime(self)


class FakeRuntime:
    """Stands in for tensorrt.Runtime."""

    def __init__(self, trt: FakeTensorRT) -> None:
        self._trt = trt
        self.engine_host_code_allowed = True

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> "FakeEngine | None":
        assert not self.engine_host_code_allowed
        self._trt.loaded.append(serialized_engine)
        if "deserialize_cuda_engine" in self._trt.faults:
            return None
        if "deserialize_cuda_engine once" in self._trt.faults:
            self._trt.faults.remove("deserialize_cuda_engine once")
            return None
        return FakeEngine(self._trt)


class FakeEngine:
    """Stands in for tensorrt_rtx.ICudaEngine."""

    tensors: tuple[str, ...] = ("frame", "labels", "confidence")

    def __init__(self, trt: FakeTensorRT) -> None:
        self._trt = trt
        self._config: Any = None
        self.num_io_tensors = len(self.tensors)

    def get_tensor_name(self, index: int) -> str:
        return self.tensors[index]

    def get_tensor_mode(self, name: str) -> Any:
        modes = self._trt.TensorIOMode
        return modes.INPUT if name == "frame" else modes.OUTPUT

    def get_tensor_dtype(self, name: str) -> Any:
        wrong = f"get_tensor_dtype {name}" in self._trt.faults
        return SimpleNamespace(name="FLOAT" if wrong else "UINT8")

    def create_runtime_config(self) -> Any:
        self._config = FakeRuntimeConfig(self._trt.faults)
        return self._config

    def create_execution_context(self, runtime_config: Any = None) -> "FakeContext | None":
        """TensorRT-RTX is given the config that was made."""
        if "create_execution_context" in self._trt.faults:
            return None
        assert runtime_config is self._config
        if runtime_config is not None:
            assert runtime_config.dynamic_shapes_kernel_specialization_strategy.name == "EAGER"
            self._trt.compiled += runtime_config.compile()
        return FakeContext(self._trt)


class FakeContext:
    """Stands in for tensorrt_rtx.IExecutionContext."""

    def __init__(self, trt: FakeTensorRT) -> None:
        self._cuda = trt.cuda
        self._faults = trt.faults
        self._shape: tuple[int, ...] = ()
        self._addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._shape = shape
        return name == "frame" and "set_input_shape" not in self._faults

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (1, 1) if "get_tensor_shape" in self._faults else self._shape[:2]

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._cuda.calls.append(f"set_tensor_address {name}")
        self._addresses[name] = memory
        return "set_tensor_address" not in self._faults

    def is_stream_capturable(self, stream: int) -> bool:
        return "is_stream_capturable" not in self._faults

    def execute_async_v3(self, stream_handle: int) -> bool:
        stream = self._cuda.streams[stream_handle]
        if stream.device != self._cuda.device:
            return False
        capturing = stream.capturing is not None
        self._cuda.calls.append("execute_async_v3")
        self._cuda.queue(stream_handle, self._answer)
        fault = "execute_async_v3 while capturing" if capturing else "execute_async_v3"
        return fault not in self._faults

    def _answer(self) -> None:
        height, width, _ = self._shape
        frame = ctypes.string_at(self._addresses["frame"], height * width * 4)
        ctypes.memmove(self._addresses["labels"], frame[0::4], height * width)
        ctypes.memmove(self._addresses["confidence"], frame[1::4], height * width)
