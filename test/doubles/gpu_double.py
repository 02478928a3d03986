# SPDX-License-Identifier: Apache-2.0
"""A GPU that is not there: CUDA's calls and TensorRT's run time, as far as the engine uses them.

Memory is the host's, a stream is a list of work that `cudaStreamSynchronize` does, and the engine
answers blue as labels and green as confidence, so that a copy to the wrong place shows. Which
names and parameters there are is not this file's word: test_typings.py holds it to `typings/`.
"""

# ruff: noqa: ARG002 - the parameters are those of the real calls

import ctypes
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from rtx_double import FakeRuntimeConfig

SUCCESS = SimpleNamespace(name="cudaSuccess")
FAILURE = SimpleNamespace(name="cudaErrorUnknown")

Work = Callable[[], object]


class Stream(list[Work]):
    """Work not yet done. capturing: the graph under way, if any; device: the GPU that has it."""

    capturing: "list[Work] | None" = None

    def __init__(self, address: int, device: int) -> None:
        super().__init__()
        self.address = address
        self.device = device

    def __int__(self) -> int:
        return self.address


class FakeCuda:
    """Stands in for the module cuda.bindings.runtime.

    calls:   names of the calls made, in order
    failing: names of calls that fail
    alive:   what was made and not yet freed: memory, streams, graphs
    count:   how many GPUs there are
    used:    the numbers of those on which memory was allocated and streams were made
    """

    cudaStreamNonBlocking = 1
    cudaError_t = SimpleNamespace(
        cudaSuccess=SUCCESS,
        cudaErrorInsufficientDriver=SimpleNamespace(name="cudaErrorInsufficientDriver"),
        cudaErrorNoDevice=SimpleNamespace(name="cudaErrorNoDevice"),
    )
    cudaMemcpyKind = SimpleNamespace(
        cudaMemcpyHostToDevice="in",
        cudaMemcpyDeviceToHost="out",
    )
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal="thread")

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failing: set[str] = set()
        self.alive: dict[int, Any] = {}
        self.streams: dict[int, Stream] = {}
        self.count = 1
        self.used: set[int] = set()
        self._thread = threading.local()

    @property
    def device(self) -> int:
        """The one this thread uses."""
        return getattr(self._thread, "device", 0)

    def cudaSetDevice(self, device: int) -> tuple[Any]:
        assert device < self.count
        self._thread.device = device
        return self._answer("cudaSetDevice")[:1]

    def cudaGetErrorName(self, error: Any) -> tuple[Any, bytes]:
        return SUCCESS, error.name.encode()

    def cudaGetErrorString(self, error: Any) -> tuple[Any, bytes]:
        return SUCCESS, f"text of {error.name}".encode()

    def cudaGetLastError(self) -> tuple[Any]:
        return (SUCCESS,)

    def cudaGetDeviceCount(self) -> tuple[Any, int]:
        return self._answer("cudaGetDeviceCount", self.count)

    def cudaGetDeviceProperties(self, device: int) -> tuple[Any, Any]:
        properties = SimpleNamespace(name=b"Fake GPU\0\0\0", major=8, minor=9)
        return self._answer("cudaGetDeviceProperties", properties)

    def cudaDriverGetVersion(self) -> tuple[Any, int]:
        return self._answer("cudaDriverGetVersion", 13020)

    def cudaRuntimeGetVersion(self) -> tuple[Any, int]:
        return self._answer("cudaRuntimeGetVersion", 13050)

    def cudaMalloc(self, size: int) -> tuple[Any, int]:
        return self._allocate("cudaMalloc", size)

    def cudaMallocHost(self, size: int) -> tuple[Any, int]:
        return self._allocate("cudaMallocHost", size)

    def cudaFree(self, devPtr: int) -> tuple[Any]:
        return self._free("cudaFree", devPtr)

    def cudaFreeHost(self, ptr: int) -> tuple[Any]:
        return self._free("cudaFreeHost", ptr)

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Any, Any]:
        if "cudaStreamCreateWithFlags" in self.failing:
            return FAILURE, None
        stream = Stream(1000 + len(self.streams), self.device)
        self.used.add(self.device)
        self.streams[stream.address] = self.alive[stream.address] = stream
        return self._answer("cudaStreamCreateWithFlags", stream)

    def cudaStreamDestroy(self, stream: Stream) -> tuple[Any]:
        return self._free("cudaStreamDestroy", stream.address)

    def cudaMemcpyAsync(
        self, dst: int, src: int, count: int, kind: str, stream: Stream
    ) -> tuple[Any]:
        name = f"cudaMemcpyAsync {kind}"
        if name not in self.failing:
            self.queue(stream.address, lambda: ctypes.memmove(dst, src, count))
        return self._answer(name)[:1]

    def cudaStreamSynchronize(self, stream: Stream) -> tuple[Any]:
        while stream:
            stream.pop(0)()
        return self._answer("cudaStreamSynchronize")[:1]

    def cudaStreamBeginCapture(self, stream: Stream, mode: str) -> tuple[Any]:
        if "cudaStreamBeginCapture" not in self.failing:
            stream.capturing = []
        return self._answer("cudaStreamBeginCapture")[:1]

    def cudaStreamEndCapture(self, stream: Stream) -> tuple[Any, Any]:
        graph, stream.capturing = stream.capturing, None
        if "cudaStreamEndCapture" in self.failing:
            return FAILURE, None
        self.alive[id(graph)] = graph
        return self._answer("cudaStreamEndCapture", graph)

    def cudaGraphInstantiate(self, graph: list[Work], flags: int) -> tuple[Any, Any]:
        if "cudaGraphInstantiate" in self.failing:
            return FAILURE, None
        launchable = tuple(graph)
        self.alive[id(launchable)] = launchable
        return self._answer("cudaGraphInstantiate", launchable)

    def cudaGraphLaunch(self, graphExec: tuple[Work, ...], stream: Stream) -> tuple[Any]:
        if stream.device != self.device:
            return (FAILURE,)
        stream.extend(graphExec)
        return self._answer("cudaGraphLaunch")[:1]

    def cudaGraphDestroy(self, graph: list[Work]) -> tuple[Any]:
        return self._free("cudaGraphDestroy", id(graph))

    def cudaGraphExecDestroy(self, graphExec: tuple[Work, ...]) -> tuple[Any]:
        return self._free("cudaGraphExecDestroy", id(graphExec))

    def cudaEventCreate(self) -> tuple[Any, Any]:
        event = SimpleNamespace()
        self.alive[id(event)] = event
        return self._answer("cudaEventCreate", event)

    def cudaEventRecord(self, event: Any, stream: Stream) -> tuple[Any]:
        return self._answer("cudaEventRecord")[:1]

    def cudaEventElapsedTime(self, start: Any, end: Any) -> tuple[Any, float]:
        """Everything takes 2 ms."""
        return self._answer("cudaEventElapsedTime", 2.0)

    def cudaEventDestroy(self, event: Any) -> tuple[Any]:
        return self._free("cudaEventDestroy", id(event))

    def queue(self, stream: int, work: Work) -> None:
        capturing = self.streams[stream].capturing
        (self.streams[stream] if capturing is None else capturing).append(work)

    def _answer(self, name: str, value: Any = None) -> tuple[Any, Any]:
        self.calls.append(name)
        return (FAILURE, None) if name in self.failing else (SUCCESS, value)

    def _allocate(self, name: str, size: int) -> tuple[Any, int]:
        if name in self.failing:
            return self._answer(name)
        self.used.add(self.device)
        memory = ctypes.create_string_buffer(size)
        address = ctypes.addressof(memory)
        self.alive[address] = memory
        return self._answer(name, address)

    def _free(self, name: str, address: int) -> tuple[Any]:
        del self.alive[address]
        return self._answer(name)[:1]


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
