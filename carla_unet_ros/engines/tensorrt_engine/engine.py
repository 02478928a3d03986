# SPDX-License-Identifier: Apache-2.0
"""The TensorRT engine: runs a model file on an NVIDIA GPU.

Each frame size gets an engine of its own, from the cache or built on the first frame, so cameras
of several sizes can share a TensorRTEngine. Importing this module needs neither TensorRT nor a
GPU; call `missing` before opening an engine.
"""

from pathlib import Path

from carla_unet_ros.engines.engine import EngineError, Log
from carla_unet_ros.engines.size_cache import SizeCache
from carla_unet_ros.engines.tensorrt_engine import cuda
from carla_unet_ros.engines.tensorrt_engine import library as tensorrt_library
from carla_unet_ros.engines.tensorrt_engine.build import Target, built_engine, cached_engine
from carla_unet_ros.engines.tensorrt_engine.build_progress import Progress, build_with_progress
from carla_unet_ros.engines.tensorrt_engine.engine_cache import EngineCache
from carla_unet_ros.engines.tensorrt_engine.run import FrameRun, LoadedEngine, load_engine
from carla_unet_ros.labels import Uint8
from carla_unet_ros.model_file import Model

_WITHOUT_GRAPH = " (no CUDA graph)"


def missing(device: str = "auto") -> str:
    """Returns what TensorRT lacks to run here, as one phrase; empty if nothing.

    device: "cuda:N"; "auto" is the first

    The device is checked first: without one, the library itself may crash.
    """
    no_device = cuda.missing_device(cuda.device_number(device))
    no_library = tensorrt_library.missing_library(load=not no_device)
    return "; ".join(filter(None, (no_device, no_library)))


def unsupported(device: str = "auto") -> str:
    """Why the library is not made for this GPU, though it may run; empty if it is.

    Call it only if `missing` returns nothing.
    """
    found = cuda.device(cuda.device_number(device))
    return tensorrt_library.library().unsupported(found.compute_capability)


def opened(target: Target, loaded: LoadedEngine, cache: EngineCache, log: Log) -> FrameRun:
    """An engine ready for frames. A log line is written if that takes seconds.

    TensorRT-RTX compiles the kernels only here, on the GPU, so the cache keeps them too.
    """
    width, height = target.size
    kernels = cache.read(target.kernels_key) or b""

    def open_run(progress: Progress) -> FrameRun:
        progress.start("opening on the GPU", 1)
        return FrameRun(loaded, height, width, kernels=kernels)

    run = build_with_progress(open_run, log)
    if run.kernels:
        with cache.lock():
            cache.write(target.kernels_key, run.kernels)
    return run


class TensorRTEngine:
    """See `carla_unet_ros.engines.Engine`."""

    def __init__(
        self, model: Model, reason: str, cache: Path | None, log: Log, device: str = "auto"
    ) -> None:
        """device: "cuda:N"; "auto" is the first

        Raises EngineError if the cache's folder is another user's or no cache.
        """
        self.reason = reason
        self._model = model
        self._log = log
        self._cache = EngineCache(cache, log)
        self._device = cuda.device(cuda.device_number(device))
        self._runs: SizeCache[FrameRun] = SizeCache(log)
        library = tensorrt_library.library()
        self.device = f"cuda:{self._device.number} {self._device.name}"
        self.precision = model.metadata.precision
        which = f" cuda:{self._device.number}" if self._device.number else ""
        self.name = f"{library} {self._device.name}{which} {model.metadata.precision}"

    def prepare(self, height: int, width: int) -> None:
        self._runs.get(height, width, self._open)

    def is_prepared(self, height: int, width: int) -> bool:
        return self._runs.has(height, width)

    def infer(self, frame: Uint8) -> tuple[Uint8, Uint8]:
        height, width, _ = frame.shape
        return self._runs.get(height, width, self._open).run(frame)

    def close(self) -> None:
        self._runs.close()

    def _open(self, height: int, width: int) -> FrameRun:
        target = Target(self._model, (width, height), self._device)
        run = opened(target, self._load(target), self._cache, self._log)
        if run.graph_fault:
            self._log(f"{width}x{height} frames run without a CUDA graph: {run.graph_fault}")
            self.name = f"{self.name.removesuffix(_WITHOUT_GRAPH)}{_WITHOUT_GRAPH}"
        return run

    def _load(self, target: Target) -> LoadedEngine:
        cached = cached_engine(target, self._cache)
        if cached is not None:
            try:
                return load_engine(cached, target.device.number)
            except EngineError as error:
                self._log(f"the engine in {self._cache.folder} is built again: {error}")
        anew = cached is not None
        built = built_engine(target, self._cache, self._log, anew)
        return load_engine(built, target.device.number)
