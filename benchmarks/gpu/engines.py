# SPDX-License-Identifier: Apache-2.0
"""The engines benchmarks.gpu compares: TensorRT as the node runs it, torch, ONNX Runtime.

Each takes a frame in host memory and returns labels in host memory, and is freed before the next
is opened. An engine that is not available raises NotHereError, with the reason.
"""

import contextlib
import copy
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from benchmarks.gpu.cases import Case
from carla_unet_ros.engines import EngineError
from carla_unet_ros.engines.openvino_engine import OpenVINOEngine
from carla_unet_ros.engines.tensorrt_engine import cuda
from carla_unet_ros.engines.tensorrt_engine import engine as tensorrt_engine
from carla_unet_ros.engines.tensorrt_engine.build import Target, built_engine
from carla_unet_ros.engines.tensorrt_engine.engine_cache import EngineCache
from carla_unet_ros.engines.tensorrt_engine.run import FrameRun, load_engine
from carla_unet_ros.labels import Uint8
from carla_unet_ros.model_file import read_model

Size = tuple[int, int]

_REPEATS = 100


class NotHereError(Exception):
    """Raised for an engine that is not available; the text says why."""


class Runner(NamedTuple):
    """An engine ready for frames of one size.

    run:     frame uint8 [H, W, 4] -> labels uint8 [H, W], host to host
    seconds: measures the net alone, by CUDA events; None if that is not possible
    notes:   what opening it cost or found
    """

    run: Callable[[Uint8], Uint8]
    seconds: Callable[[], float] | None
    notes: dict[str, Any]


Opener = Callable[[Case, Size], contextlib.AbstractContextManager[Runner]]


@contextlib.contextmanager
def tensorrt(case: Case, size: Size) -> Iterator[Runner]:
    """TensorRT as the node runs it."""
    missing = tensorrt_engine.missing()
    if missing:
        raise NotHereError(missing)
    width, height = size
    engine, built = _built(case.model.path, size)
    started = time.perf_counter()
    run = FrameRun(load_engine(engine), height, width)
    opened = time.perf_counter() - started
    notes = {"build_s": built, "open_s": opened, "engine_bytes": len(engine)}
    try:
        yield Runner(
            lambda frame: run.run(frame)[0],
            lambda: _tensorrt_seconds(run),
            {**notes, "graph_fault": run.graph_fault},
        )
    finally:
        run.close()


@contextlib.contextmanager
def torch_eager(case: Case, size: Size, device: str = "cuda") -> Iterator[Runner]:
    yield _torch_runner(case, size, device, lambda module: module)


@contextlib.contextmanager
def torch_compile(case: Case, size: Size, device: str = "cuda") -> Iterator[Runner]:
    """torch.compile in its mode for small batches, which captures CUDA graphs."""
    torch = _torch()
    try:
        yield _torch_runner(
            case,
            size,
            device,
            lambda module: torch.compile(module, mode="reduce-overhead", dynamic=False),
        )
    finally:
        torch.compiler.reset()


@contextlib.contextmanager
def onnx_runtime(case: Case, size: Size) -> Iterator[Runner]:
    del size
    try:
        import onnxruntime  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise NotHereError(f"onnxruntime-gpu cannot be imported ({error})") from error
    wanted = "CUDAExecutionProvider"
    if wanted not in onnxruntime.get_available_providers():
        raise NotHereError(f"this onnxruntime {onnxruntime.__version__} has no {wanted}")
    # Finds the CUDA and cuDNN that pip installed; releases before 1.21 need torch for that.
    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    session = onnxruntime.InferenceSession(str(case.model.path), providers=[wanted])
    if session.get_providers()[0] != wanted:
        raise NotHereError(f"onnxruntime could not start its {wanted}")
    both = ["labels", "confidence"]
    yield Runner(lambda frame: np.asarray(session.run(both, {"frame": frame})[0]), None, {})


ENGINES: dict[str, Opener] = {
    "TensorRT": tensorrt,
    "torch eager": torch_eager,
    "torch.compile": torch_compile,
    "ONNX Runtime CUDA": onnx_runtime,
}


def reference_labels(case: Case, frames: list[Uint8]) -> tuple[str, list[Uint8]]:
    """The engine that ran the net in fp32 on the CPU, and its labels; no labels if none could."""
    try:
        engine = OpenVINOEngine(case.reference, precision="f32")
    except EngineError as error:
        return f"nothing: {error}", []
    return engine.name, [engine.infer(frame)[0] for frame in frames]


def _built(path: Path, size: Size) -> tuple[bytes, float]:
    """Builds an engine without a timing cache; returns it and the seconds that took."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        target = Target(read_model(path), size, cuda.device())
        engine = built_engine(target, EngineCache(Path(folder), print), print)
    return engine, time.perf_counter() - started


def _tensorrt_seconds(run: FrameRun) -> float:
    """Times a CUDA graph of the net alone: queueing by the CPU may take longer than the GPU."""
    if run.graph_fault:
        return _seconds_on_gpu(run.stream, run.execute)
    net = run.stream.capture(run.execute)
    try:
        return _seconds_on_gpu(run.stream, lambda: net.launch(run.stream))
    finally:
        net.close()


def _seconds_on_gpu(stream: cuda.Stream, queue_work: Callable[[], None]) -> float:
    """Median time, by CUDA events, of the work `queue_work` queues, after three warm-up runs."""
    watch, seconds = cuda.Stopwatch(), []
    for turn in range(3 + _REPEATS):
        watch.start(stream)
        queue_work()
        watch.stop(stream)
        stream.synchronise()
        if turn >= 3:
            seconds.append(watch.milliseconds() / 1000)
    watch.close()
    return median(seconds)


def _torch():
    try:
        import torch
    except ImportError as error:
        raise NotHereError(f"torch cannot be imported ({error})") from error
    return torch


def _torch_runner(
    case: Case, size: Size, device: str, prepare: Callable[[Any], Callable[..., Any]]
) -> Runner:
    """A typical torch pipeline: pinned memory, asynchronous copies, one wait at the end."""
    torch = _torch()
    if case.graph is None:
        raise NotHereError(case.no_torch)
    if device == "cuda" and not torch.cuda.is_available():
        raise NotHereError(f"torch {torch.__version__} finds no CUDA device")
    width, height = size
    pinned = device == "cuda"
    module = prepare(copy.deepcopy(case.graph).to(device))
    host_frame = torch.empty(height, width, 4, dtype=torch.uint8, pin_memory=pinned)
    host_labels, host_confidence = (
        torch.empty(height, width, dtype=torch.uint8, pin_memory=pinned) for _ in range(2)
    )
    gpu_frame = torch.empty_like(host_frame, device=device, pin_memory=False)

    @torch.inference_mode()
    def run(frame: Uint8) -> Uint8:
        host_frame.copy_(torch.from_numpy(frame))
        gpu_frame.copy_(host_frame, non_blocking=True)
        labels, confidence = module(gpu_frame)
        host_labels.copy_(labels, non_blocking=True)
        host_confidence.copy_(confidence, non_blocking=True)
        if pinned:
            torch.cuda.synchronize()
        return host_labels.numpy().copy()

    started = time.perf_counter()
    run(np.zeros((height, width, 4), np.uint8))
    notes = {"first_frame_s": time.perf_counter() - started}
    return Runner(run, (lambda: _torch_seconds(module, gpu_frame)) if pinned else None, notes)


def _torch_seconds(module: Callable[..., Any], frame: Any) -> float:
    torch = _torch()
    seconds = []
    with torch.inference_mode():
        for _ in range(_REPEATS):
            start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            module(frame)
            stop.record()
            stop.synchronize()
            seconds.append(start.elapsed_time(stop) / 1000)
    return median(seconds)
