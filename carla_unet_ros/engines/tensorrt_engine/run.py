# SPDX-License-Identifier: Apache-2.0
"""Runs an engine on frames of one size: copy in, run, copy out, captured as one CUDA graph.

    frame uint8 [H, W, 4] -> pinned memory -> GPU -> labels, confidence uint8 [H, W]

Launching one graph costs the CPU far less than launching each kernel and copy of a U-Net. Memory,
stream and context are made once for all frames of the size.
"""

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from carla_unet_ros.engines.engine import EngineError
from carla_unet_ros.engines.model_checks import check_outputs
from carla_unet_ros.engines.tensorrt_engine.cuda import (
    DeviceMemory,
    Graph,
    PinnedMemory,
    Stream,
    use_device,
)
from carla_unet_ros.engines.tensorrt_engine.library import RunContext, library, tensorrt_module
from carla_unet_ros.labels import Uint8

if TYPE_CHECKING:
    import tensorrt

# TensorRT asks for tensors that begin at multiples of this many bytes.
_ALIGNMENT = 256


class LoadedEngine(NamedTuple):
    """An engine, the runtime that has to outlive it, and the number of its GPU."""

    runtime: "tensorrt.Runtime"
    engine: "tensorrt.ICudaEngine"
    device: int


def load_engine(content: bytes, device: int = 0) -> LoadedEngine:
    """An engine from its bytes, which must come from `built_engine`: loading them runs code.

    Call it only if a CUDA device answers: without one the library crashes. Raises EngineError if
    the bytes are no engine of this library or contract.
    """
    trt, lines = tensorrt_module(), library().lines
    fault = library().header_fault(content)
    if fault:
        raise EngineError(f"an engine is not loaded: {fault}")
    lines.clear()
    use_device(device)
    try:
        runtime = trt.Runtime(library().logger)
    except TypeError as error:
        raise library().error(f"{library()} cannot start") from error
    runtime.engine_host_code_allowed = False
    engine = runtime.deserialize_cuda_engine(content)
    if engine is None:
        raise library().error(f"{library()} cannot load the engine")
    _check_contract(engine)
    return LoadedEngine(runtime, engine, device)


class FrameRun:
    """An engine with its memory for frames of one size. `close` waits for a running frame.

    stream:      the queue of all its work
    kernels:     what TensorRT-RTX compiled for this GPU, which takes seconds; the next FrameRun
                 of this engine takes it, also in another process
    graph_fault: why the work could not be captured as a graph; empty if it was, or if no graph
                 was asked for
    """

    def __init__(
        self,
        loaded: LoadedEngine,
        height: int,
        width: int,
        graph: bool = True,
        kernels: bytes = b"",
    ) -> None:
        """Runs one black frame, so that the first real frame is as fast as the next.

        graph:   False queues each operation by itself, for every frame
        kernels: those of an earlier FrameRun of this engine, or empty

        Raises EngineError, and then leaves nothing allocated.
        """
        pixels = height * width
        confidence_at = -(-pixels // _ALIGNMENT) * _ALIGNMENT
        self._device = loaded.device
        self._lock = threading.Lock()
        self._graph: Graph | None = None
        self.graph_fault = ""
        use_device(self._device)
        with ExitStack() as stack:
            self.stream = _closed_by(stack, Stream())
            self._frame = _closed_by(stack, PinnedMemory(4 * pixels))
            # Both outputs are in one block, so that one copy fetches them.
            self._outputs = _closed_by(stack, PinnedMemory(confidence_at + pixels))
            self._gpu_frame = _closed_by(stack, DeviceMemory(self._frame.nbytes))
            self._gpu_outputs = _closed_by(stack, DeviceMemory(self._outputs.nbytes))
            self._loaded: LoadedEngine | None = loaded
            stack.callback(self._drop)
            self._prepared = _closed_by(stack, _context(loaded.engine, height, width, kernels))
            self._bind("frame", self._gpu_frame.address)
            self._bind("labels", self._gpu_outputs.address)
            self._bind("confidence", self._gpu_outputs.address + confidence_at)
            self._labels = self._outputs.array[:pixels].reshape(height, width)
            self._confidence = self._outputs.array[confidence_at:].reshape(height, width)
            self._frame.array[:] = 0
            self._queue()
            self.stream.synchronise()
            if graph:
                self._capture(stack)
            self.kernels = self._prepared.compiled()
            self._frees = stack.pop_all()

    def run(self, frame: Uint8) -> tuple[Uint8, Uint8]:
        """Labels and confidence of one frame, host to host. The caller owns the two arrays."""
        use_device(self._device)
        with self._lock:
            if self._context is None:
                raise EngineError("the engine is closed")
            self._frame.array[:] = frame.reshape(-1)
            if self._graph:
                self._graph.launch(self.stream)
            else:
                self._queue()
            self.stream.synchronise()
            return self._labels.copy(), self._confidence.copy()

    def execute(self) -> None:
        """Queues the network alone, without copies: it uses the frame in GPU memory."""
        context = self._context
        if context is None or not context.execute_async_v3(self.stream.address):
            raise library().error(f"{library()} cannot run the engine")

    def close(self) -> None:
        """Frees everything. A second call does nothing."""
        with self._lock:
            self._frees.close()

    def _drop(self) -> None:
        """Frees the engine, after its context."""
        self._loaded = None

    @property
    def _context(self) -> "tensorrt.IExecutionContext | None":
        """None once this is closed."""
        return self._prepared.context

    def _queue(self) -> None:
        self.stream.copy_in(self._frame, self._gpu_frame)
        self.execute()
        self.stream.copy_out(self._gpu_outputs, self._outputs)

    def _capture(self, stack: ExitStack) -> None:
        context = self._context
        assert context is not None
        self.graph_fault = library().capture_refusal(context, self.stream.address)
        if self.graph_fault:
            return
        try:
            graph = _closed_by(stack, self.stream.capture(self._queue))
            graph.launch(self.stream)
            self.stream.synchronise()
        except EngineError as error:
            self.graph_fault = str(error)
            # Raises if the failure broke more than the graph.
            self._queue()
            self.stream.synchronise()
        else:
            self._graph = graph

    def _bind(self, tensor: str, address: int) -> None:
        context = self._context
        assert context is not None
        if not context.set_tensor_address(tensor, address):
            raise library().error(f"{library()} refuses the memory for {tensor}")


class _Closable(Protocol):
    def close(self) -> None: ...


_Resource = TypeVar("_Resource", bound=_Closable)


def _closed_by(stack: ExitStack, resource: _Resource) -> _Resource:
    stack.callback(resource.close)
    return resource


def _context(
    engine: "tensorrt.ICudaEngine", height: int, width: int, kernels: bytes
) -> RunContext:
    """A context for frames of one size. EngineError if the engine is for another size."""
    prepared = library().create_context(engine, kernels)
    context = prepared.context
    if context is None:
        raise library().error(f"{library()} cannot prepare the engine to run (GPU memory?)")
    if not context.set_input_shape("frame", (height, width, 4)):
        raise library().error(f"the engine does not take {width}x{height} frames")
    outputs = {name: _output(engine, context, name) for name in ("labels", "confidence")}
    check_outputs("the TensorRT engine", outputs, height, width)
    return prepared


def _output(
    engine: "tensorrt.ICudaEngine", context: "tensorrt.IExecutionContext", name: str
) -> str:
    """Type and shape, "uint8 [48, 64]"."""
    shape = context.get_tensor_shape(name)
    sizes = [shape[index] for index in range(len(shape))]
    return f"{engine.get_tensor_dtype(name).name.lower()} {sizes}"


def _check_contract(engine: "tensorrt.ICudaEngine") -> None:
    trt = tensorrt_module()
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
    is_named_right = inputs == ["frame"] and set(names) == {"frame", "labels", "confidence"}
    if not is_named_right or engine.get_tensor_dtype("frame").name != "UINT8":
        types = [f"{name} of {engine.get_tensor_dtype(name).name}" for name in names]
        raise EngineError(
            f"the engine has the tensors {', '.join(types)}, of which {inputs} are inputs; "
            "expected UINT8 frame, labels, confidence, of which frame is the input"
        )
