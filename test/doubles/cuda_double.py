# SPDX-License-Identifier: Apache-2.0
"""The module cuda.bindings.runtime on a machine without a GPU, as far as the engine uses it.

Memory is the host's, and a stream is a list of work that `cudaStreamSynchronize` does. Which names
and parameters there are is not this file's word: test_typings.py holds it to `typings/`.
"""

import ctypes
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

# ruff: noqa: ARG002 - the parameters are those of the real calls


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
