# SPDX-License-Identifier: Apache-2.0
"""The engines benchmarks.gpu compares: TensorRT as the node runs it, torch, ONNX Runtime.

Each takes a frame in host memory and returns labels in host memory, and is freed before the next
is opened. An engine that is not available raises NotHereError, with the reason.
"""

import contextlib
import copy
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from carla_unet_ros.camera_model import Size
from carla_unet_ros.engines.openvino_engine import OpenVINOEngine
from carla_unet_ros.engines.tensorrt_engine import cuda
from carla_unet_ros.engines.tensorrt_engine import engine as tensorrt_engine
from carla_unet_ros.engines.tensorrt_engine.build import Target, built_engine
from carla_unet_ros.engines.tensorrt_engine.engine_cache import EngineCache
from carla_unet_ros.engines.tensorrt_engine.run import FrameRun, load_engine
from carla_unet_ros.labels import Uint8
from carla_unet_ros.model_file import Model, read_model

if TYPE_CHECKING:
    from carla_unet_ros.training.net.frame_graph import FrameGraph


@dataclass(frozen=True)
class Case:
    """A model file, and the same weights as a torch module.

    graph: in the file's precision; None where `no_torch` says why not
    """

    model: Model
    graph: "FrameGraph | None"
    no_torch: str = ""

    @staticmethod
    def of(path: Path) -> "Case":
        model = read_model(path)
        try:
            from carla_unet_ros.training.net.frame_graph import FrameGraph
            from carla_unet_ros.training.net.pretrained import net_of_model

            graph = FrameGraph.of(net_of_model(path), model.metadata, folded=True)
        except (ImportError, ValueError) as error:
            return Case(model, None, str(error))
        return Case(model, graph.half() if model.metadata.precision == "fp16" else graph)


class NotHereError(Exception):
    """Raised for an engine that is not available; the text says why."""


class Runner(NamedTuple):
    """An engine ready for frames of one size.

    run:          frame uint8 [H, W, 4] -> labels uint8 [H, W], host to host
    milliseconds: times the net alone once, by CUDA events; None if that is not possible
    graph_fault:  why TensorRT's work could not be captured as a CUDA graph
    """

    run: Callable[[Uint8], Uint8]
    milliseconds: Callable[[], float] | None = None
    graph_fault: str = ""


Opener = Callable[[Case, Size], contextlib.AbstractContextManager[Runner]]


@contextlib.contextmanager
def tensorrt(case: Case, size: Size) -> Iterator[Runner]:
    """TensorRT as the node runs it, built without a timing cache."""
    if missing := tensorrt_engine.missing():
        raise NotHereError(missing)
    target = Target(case.model, size, cuda.device())
    with tempfile.TemporaryDirectory() as folder:
        engine = built_engine(target, EngineCache(Path(folder), print), print)
    with contextlib.ExitStack() as stack:
        run = stack.enter_context(closing(FrameRun(load_engine(engine), size.height, size.width)))
        watch = stack.enter_context(closing(cuda.Stopwatch()))
        work = run.execute
        if not run.graph_fault:
            # A graph of the net alone: queueing by the CPU may take longer than the GPU.
            net = stack.enter_context(closing(run.stream.capture(run.execute)))
            work = partial(net.launch, run.stream)

        def milliseconds() -> float:
            watch.start(run.stream)
            work()
            watch.stop(run.stream)
            run.stream.synchronise()
            return watch.milliseconds()

        yield Runner(lambda frame: run.run(frame)[0], milliseconds, run.graph_fault)


@contextlib.contextmanager
def torch_pipeline(
    case: Case, size: Size, device: str = "cuda", compiled: bool = False
) -> Iterator[Runner]:
    """A typical torch pipeline: pinned memory, asynchronous copies, one wait at the end.

    compiled: by torch.compile in its mode for small batches, which captures CUDA graphs
    """
    try:
        import torch
    except ImportError as error:
        raise NotHereError(f"torch cannot be imported ({error})") from error
    if case.graph is None:
        raise NotHereError(case.no_torch)
    if device == "cuda" and not torch.cuda.is_available():
        raise NotHereError(f"torch {torch.__version__} finds no CUDA device")
    width, height = size
    pinned = device == "cuda"
    module: Any = copy.deepcopy(case.graph).to(device)
    if compiled:
        module = torch.compile(module, mode="reduce-overhead", dynamic=False)
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

    @torch.inference_mode()
    def milliseconds() -> float:
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        module(gpu_frame)
        stop.record()
        stop.synchronize()
        return start.elapsed_time(stop)

    try:
        run(np.zeros((height, width, 4), np.uint8))
        yield Runner(run, milliseconds if pinned else None)
    finally:
        if compiled:
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
    yield Runner(lambda frame: np.asarray(session.run(both, {"frame": frame})[0]))


ENGINES: dict[str, Opener] = {
    "TensorRT": tensorrt,
    "torch eager": torch_pipeline,
    "torch.compile": partial(torch_pipeline, compiled=True),
    "ONNX Runtime CUDA": onnx_runtime,
}


def reference_labels(case: Case, frames: list[Uint8]) -> list[Uint8]:
    """The labels of OpenVINO, which runs the file in fp32 on the CPU."""
    engine = OpenVINOEngine(case.model, precision="f32")
    return [engine.infer(frame)[0] for frame in frames]
