# SPDX-License-Identifier: Apache-2.0
"""The CUDA calls that an engine needs: one device, pinned and device memory, a stream, a graph.

Only `checked` reads the error codes of calls. cuda-bindings is imported when it is used, so this
module can be imported on any machine, and can say what is missing there.

Devices are counted from 0, in the order that CUDA_VISIBLE_DEVICES gives them.
"""

import ctypes
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, overload

import numpy as np

from carla_unet_ros.engines.engine import EngineError
from carla_unet_ros.labels import Uint8

if TYPE_CHECKING:
    from cuda.bindings.runtime import cudaError_t

_DRIVER = "libcuda.so.1"
_DRIVER_RELEASE = Path("/sys/module/nvidia/version")

# CUDA keeps the current device for each thread.
_thread = threading.local()

_Value = TypeVar("_Value")


class Device(NamedTuple):
    """The properties of a GPU that an engine depends on.

    name:               "NVIDIA GeForce RTX 4090"
    compute_capability: "8.9"
    driver:             its CUDA version and, if the kernel tells it, its release:
                        "13.0 (580.65.06)"
    number:             its index; an engine also runs on another GPU that is the same otherwise
    """

    name: str
    compute_capability: str
    driver: str
    number: int = 0


def device_number(device: str) -> int:
    """The N of "cuda:N"; "auto" is the first."""
    return 0 if device == "auto" else int(device.removeprefix("cuda:"))


def missing_device(number: int = 0) -> str:
    """Why a CUDA device cannot be used, as one phrase; empty if it can.

    The driver is checked first: without it, nothing else matters.
    """
    try:
        ctypes.CDLL(_DRIVER)
    except OSError:
        return f"no NVIDIA driver is loaded ({_DRIVER} cannot be opened)"
    try:
        import_module("cuda.bindings.runtime")
    except ImportError as error:
        return f"cuda-bindings cannot be imported ({error}): pip install cuda-bindings"
    runtime = _runtime()
    code, count = runtime.cudaGetDeviceCount()
    if code == runtime.cudaError_t.cudaErrorInsufficientDriver:
        return (
            f"the NVIDIA driver answers CUDA {_driver_cuda()}, too old for the CUDA "
            f"{_spelled(checked('reading its version', runtime.cudaRuntimeGetVersion()))} of "
            "cuda-bindings: update the driver, or install the cuda-bindings of its version"
        )
    if code != runtime.cudaError_t.cudaSuccess:
        return f"no CUDA device answers: {_error_text(code)}"
    if number < count:
        return ""
    there = ", ".join(f"cuda:{other}" for other in range(count)) or "none"
    return f"there is no CUDA device cuda:{number}; those that answer: {there}"


def device(number: int = 0) -> Device:
    """The device with this number. Raises EngineError if it does not answer."""
    properties = checked(
        "reading the GPU's properties", _runtime().cudaGetDeviceProperties(number)
    )
    driver = _driver_cuda()
    if _DRIVER_RELEASE.exists():
        driver += f" ({_DRIVER_RELEASE.read_text().strip()})"
    name = properties.name.split(b"\0")[0].decode()
    return Device(name, f"{properties.major}.{properties.minor}", driver, number)


def use_device(number: int) -> None:
    """Makes a device the current one of this thread. Raises EngineError."""
    # Every thread begins with device 0, so a build that needs no GPU makes no call.
    if getattr(_thread, "device", 0) != number:
        checked(f"changing to cuda:{number}", _runtime().cudaSetDevice(number))
        _thread.device = number


def free_memory() -> int:
    """Free memory of the device this thread uses, in bytes."""
    code, free, _total = _runtime().cudaMemGetInfo()
    checked("reading the free GPU memory", (code,))
    return free


@overload
def checked(doing: str, result: "tuple[cudaError_t]") -> None: ...
@overload
def checked(doing: str, result: "tuple[cudaError_t, _Value]") -> _Value: ...
def checked(doing: str, result: tuple[Any, ...]) -> Any:
    """The value a CUDA call returned beside its error code.

    Raises EngineError, which says what was being done, if the code is not success.
    """
    runtime = _runtime()
    code, *values = result
    if code != runtime.cudaError_t.cudaSuccess:
        # Reading the error clears it; otherwise the next call would report it.
        runtime.cudaGetLastError()
        raise EngineError(f"CUDA failed at {doing}: {_error_text(code)}")
    return values[0] if values else None


class PinnedMemory:
    """Host memory that the GPU reads and writes directly; `array` is uint8 [nbytes]."""

    def __init__(self, nbytes: int) -> None:
        doing = f"allocating {nbytes} bytes of pinned host memory"
        self.nbytes = nbytes
        self.address = checked(doing, _runtime().cudaMallocHost(nbytes))
        memory = (ctypes.c_uint8 * nbytes).from_address(self.address)
        self.array: Uint8 = np.frombuffer(memoryview(memory), np.uint8)

    def close(self) -> None:
        checked("freeing pinned host memory", _runtime().cudaFreeHost(self.address))


class DeviceMemory:
    """Memory on the GPU."""

    def __init__(self, nbytes: int) -> None:
        doing = f"allocating {nbytes} bytes of GPU memory"
        self.nbytes = nbytes
        self.address = checked(doing, _runtime().cudaMalloc(nbytes))

    def close(self) -> None:
        checked("freeing GPU memory", _runtime().cudaFree(self.address))


class Stream:
    """A queue of work on the GPU; it does not wait for other queues."""

    def __init__(self) -> None:
        runtime = _runtime()
        flags = runtime.cudaStreamNonBlocking
        self.handle = checked("creating a stream", runtime.cudaStreamCreateWithFlags(flags))

    @property
    def address(self) -> int:
        return int(self.handle)

    def copy_in(self, host: PinnedMemory, device: DeviceMemory) -> None:
        """Queues a copy of all of `host`."""
        runtime = _runtime()
        kind = runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        checked(
            "copying to the GPU",
            runtime.cudaMemcpyAsync(device.address, host.address, host.nbytes, kind, self.handle),
        )

    def copy_out(self, device: DeviceMemory, host: PinnedMemory) -> None:
        """Queues a copy that fills all of `host`."""
        runtime = _runtime()
        kind = runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        checked(
            "copying from the GPU",
            runtime.cudaMemcpyAsync(host.address, device.address, host.nbytes, kind, self.handle),
        )

    def synchronise(self) -> None:
        """Waits until everything queued is done."""
        checked("waiting for the GPU", _runtime().cudaStreamSynchronize(self.handle))

    def capture(self, queue_work: Callable[[], None]) -> "Graph":
        """Records what `queue_work` queues on this stream, instead of running it.

        Only this thread's calls are recorded; other threads may go on using CUDA. Raises what
        `queue_work` raises, and EngineError if the work cannot be recorded.
        """
        runtime = _runtime()
        mode = runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        checked("beginning a capture", runtime.cudaStreamBeginCapture(self.handle, mode))
        try:
            queue_work()
        except BaseException:
            self._abandon_capture()
            raise
        return Graph(checked("ending a capture", runtime.cudaStreamEndCapture(self.handle)))

    def close(self) -> None:
        checked("destroying a stream", _runtime().cudaStreamDestroy(self.handle))

    def _abandon_capture(self) -> None:
        """Ends a capture whose work failed. Errors here are ignored: the work's own is raised."""
        runtime = _runtime()
        _code, graph = runtime.cudaStreamEndCapture(self.handle)
        if graph:
            runtime.cudaGraphDestroy(graph)
        # Last, because destroying nothing is an error too.
        runtime.cudaGetLastError()


class Graph:
    """Work recorded by `Stream.capture`. One call launches all of it, any number of times."""

    def __init__(self, graph: Any) -> None:
        runtime = _runtime()
        try:
            self._launchable = checked(
                "instantiating a CUDA graph", runtime.cudaGraphInstantiate(graph, 0)
            )
        finally:
            checked("destroying a CUDA graph", runtime.cudaGraphDestroy(graph))

    def launch(self, stream: Stream) -> None:
        launched = _runtime().cudaGraphLaunch(self._launchable, stream.handle)
        checked("launching a CUDA graph", launched)

    def close(self) -> None:
        checked("destroying a CUDA graph", _runtime().cudaGraphExecDestroy(self._launchable))


class Stopwatch:
    """Measures the time between two points of a stream's queue, on the GPU (CUDA events)."""

    def __init__(self) -> None:
        runtime = _runtime()
        self._start = checked("creating an event", runtime.cudaEventCreate())
        self._stop = checked("creating an event", runtime.cudaEventCreate())

    def start(self, stream: Stream) -> None:
        checked("recording an event", _runtime().cudaEventRecord(self._start, stream.handle))

    def stop(self, stream: Stream) -> None:
        checked("recording an event", _runtime().cudaEventRecord(self._stop, stream.handle))

    def milliseconds(self) -> float:
        """The measured time. Call it after the stream was synchronised."""
        elapsed = _runtime().cudaEventElapsedTime(self._start, self._stop)
        return checked("reading the time between two events", elapsed)

    def close(self) -> None:
        for event in (self._start, self._stop):
            checked("destroying an event", _runtime().cudaEventDestroy(event))


# No return type: modules have no type to write, and pyright infers it from the stubs.
def _runtime():
    from cuda.bindings import runtime

    return runtime


def _driver_cuda() -> str:
    version = checked("reading the driver's version", _runtime().cudaDriverGetVersion())
    return _spelled(version)


def _spelled(version: int) -> str:
    """CUDA's 13050 -> "13.5"."""
    return f"{version // 1000}.{version % 1000 // 10}"


def _error_text(code: "cudaError_t") -> str:
    runtime = _runtime()
    _, name = runtime.cudaGetErrorName(code)
    _, text = runtime.cudaGetErrorString(code)
    return f"{name.decode()} ({text.decode()})"
