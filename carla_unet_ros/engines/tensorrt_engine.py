"""TensorRT on a GPU: the engine for a vehicle.

Each size of frames gets its own engine, out of the cache or built on the first frame, and keeps
it, so that cameras of several sizes can share this. Importing this module needs neither
TensorRT nor a GPU; ask `missing` before opening it.
"""

from pathlib import Path

from carla_unet_ros.engines import cuda, tensorrt_library
from carla_unet_ros.engines.build_progress import Progress, build_with_progress
from carla_unet_ros.engines.engine import EngineError, Log
from carla_unet_ros.engines.engine_cache import EngineCache
from carla_unet_ros.engines.size_cache import SizeCache
from carla_unet_ros.engines.tensorrt_build import Target, built_engine, cached_engine
from carla_unet_ros.engines.tensorrt_run import FrameRun, LoadedEngine, load_engine
from carla_unet_ros.labels import Uint8
from carla_unet_ros.model_file import Model

_WITHOUT_GRAPH = " (no CUDA graph)"


def missing() -> str:
    """What TensorRT lacks to run here, as one phrase; empty where it lacks nothing.

    The device is asked first: the library itself may crash where there is none.
    """
    device = cuda.missing_device()
    library = tensorrt_library.missing_library(load=not device)
    return "; ".join(filter(None, (device, library)))


def unsupported() -> str:
    """Why the library is not made for this GPU, though it may run; empty where it is.

    Only to be asked where `missing` is empty.
    """
    return tensorrt_library.library().unsupported(cuda.device().compute_capability)


def opened(target: Target, loaded: LoadedEngine, cache: EngineCache, log: Log) -> FrameRun:
    """An engine ready for frames. `log` is told where that takes seconds.

    TensorRT-RTX compiles the kernels only here, on the GPU; so they are kept in the cache, too.
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

    def __init__(self, model: Model, reason: str, cache: Path | None, log: Log) -> None:
        """Raises EngineError where the cache's folder is another user's."""
        self.reason = reason
        self._model = model
        self._log = log
        self._cache = EngineCache(cache, log)
        self._device = cuda.device()
        self._runs: SizeCache[FrameRun] = SizeCache(log)
        library = tensorrt_library.library()
        self.name = f"{library} {self._device.name} {model.metadata.precision}"

    def prepare(self, height: int, width: int) -> None:
        self._runs.get(height, width, self._open)

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
                return load_engine(cached)
            except EngineError as error:
                self._log(f"the engine in {self._cache.folder} is built again: {error}")
        anew = cached is not None
        return load_engine(built_engine(target, self._cache, self._log, anew))
