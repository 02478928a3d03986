# SPDX-License-Identifier: Apache-2.0
"""Gets a TensorRT engine for a model file and one frame size: from the cache, or by a build.

The network is strongly typed: the model file alone says what is computed in fp32, fp16 or int8.
Height and width are dynamic in the file. A profile fixes them, so that the library plans memory
and kernels for frames of exactly this size.
"""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from carla_unet_ros.engines.engine import EngineError, Log
from carla_unet_ros.engines.model_checks import read_unchanged
from carla_unet_ros.engines.tensorrt_engine.build_progress import (
    Progress,
    build_with_progress,
    monitor,
)
from carla_unet_ros.engines.tensorrt_engine.cache_entry import Key
from carla_unet_ros.engines.tensorrt_engine.cuda import Device, use_device
from carla_unet_ros.engines.tensorrt_engine.engine_cache import EngineCache
from carla_unet_ros.engines.tensorrt_engine.library import library, tensorrt_module
from carla_unet_ros.model_file import Model

if TYPE_CHECKING:
    import tensorrt

# Raise it when builds give another result for the same model: all engines are built again.
_RECIPE = "2"


@dataclass(frozen=True)
class Target:
    """The target of a build: a model, a frame size, a GPU.

    size:      width and height of the frames, in pixels
    workspace: most bytes of GPU memory a kernel may use beside its tensors; None leaves it to the
               library. Not in the key, so that a node finds engines built with a limit.
    """

    model: Model
    size: tuple[int, int]
    device: Device
    workspace: int | None = None

    @property
    def key(self) -> Key:
        width, height = self.size
        parts = {
            "model": self.model.sha256,
            "precision": self.model.metadata.precision,
            "frame": f"{width}x{height}",
            "recipe": _RECIPE,
        }
        return Key("engine", parts | self._machine)

    @property
    def kernels_key(self) -> Key:
        """The key of the kernels that TensorRT-RTX compiles on the GPU before the first frame."""
        return Key("kernels", self.key.parts)

    @property
    def timing_key(self) -> Key:
        return Key("timing", self._machine)

    @property
    def _machine(self) -> dict[str, str]:
        return {
            "library": library().name,
            "library_version": library().version,
            "gpu": self.device.name,
            "compute_capability": self.device.compute_capability,
            "driver": self.device.driver,
        }

    def __str__(self) -> str:
        width, height = self.size
        return (
            f"{library()} engine of {self.model.name} ({self.model.metadata.precision}) "
            f"for {width}x{height} frames on {self.device.name}"
        )


def cached_engine(target: Target, cache: EngineCache) -> bytes | None:
    """The engine in the cache, or None if there is none or it is of another library."""
    engine = cache.read(target.key)
    return None if engine is None or library().header_fault(engine) else engine


def built_engine(target: Target, cache: EngineCache, log: Log, anew: bool = False) -> bytes:
    """The engine, from the cache, or built and added to it.

    anew: build it even if it is in the cache

    Raises EngineError, with the library's own reasons, if it cannot be built.
    """
    engine = None if anew else cached_engine(target, cache)
    if engine is not None:
        return engine
    with cache.lock():
        # The process that held the lock before may have built it.
        engine = None if anew else cached_engine(target, cache)
        if engine is None:
            engine = _build_and_keep(target, cache, log)
        return engine


def layer_count(model: Model) -> int:
    """Counts the layers the library makes of a model. Raises EngineError if it refuses it."""
    return _parse(model).network.num_layers


def _build_and_keep(target: Target, cache: EngineCache, log: Log) -> bytes:
    log(f"building the {target}; the first time this can take minutes")
    started = time.monotonic()
    timing = cache.read(target.timing_key) or b""
    built = build_with_progress(lambda progress: _build(target, timing, progress), log)
    cache.write(target.key, built.engine)
    if built.timing:
        cache.write(target.timing_key, built.timing)
    seconds, megabytes = time.monotonic() - started, len(built.engine) / 1e6
    log(f"built the engine in {seconds:.1f} s, {megabytes:.1f} MB")
    return built.engine


class _Parsed(NamedTuple):
    """A parsed model. All three stay alive, because the parser owns weights of the network."""

    builder: "tensorrt.Builder"
    network: "tensorrt.INetworkDefinition"
    parser: "tensorrt.OnnxParser"


class _Built(NamedTuple):
    engine: bytes
    timing: bytes


def _build(target: Target, timing: bytes, progress: Progress) -> _Built:
    # Here, because the build runs in a thread of its own; kernels are timed on this GPU.
    use_device(target.device.number)
    parsed = _parse(target.model)
    config = parsed.builder.create_builder_config()
    config.progress_monitor = monitor(progress)
    library().make_capturable(config)
    library().aim_at(config, target.device.compute_capability)
    _fix_size(parsed.builder, config, target)
    if target.workspace is not None:
        workspace = tensorrt_module().MemoryPoolType.WORKSPACE
        config.set_memory_pool_limit(workspace, target.workspace)
    if library().times_kernels:
        _use_timing(config, timing)
    engine = parsed.builder.build_serialized_network(parsed.network, config)
    if engine is None:
        raise library().error(f"the {target} cannot be built")
    return _Built(bytes(engine), _learnt_timing(config))


def _parse(model: Model) -> _Parsed:
    """Parses a model. EngineError if the library refuses it or finds another contract in it."""
    trt, lines = tensorrt_module(), library().lines
    lines.clear()
    content = read_unchanged(model)
    try:
        builder = trt.Builder(library().logger)
    except TypeError as error:
        raise library().error(f"{library()} cannot start") from error
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, library().logger)
    if not parser.parse(content):
        reasons = "; ".join(_parser_errors(parser)) or lines.text()
        raise EngineError(f"{library()} refuses model {model.path}: {reasons}")
    _check_contract(network, model)
    return _Parsed(builder, network, parser)


def _parser_errors(parser: "tensorrt.OnnxParser") -> list[str]:
    errors = (parser.get_error(index) for index in range(parser.num_errors))
    return [
        f"{error.desc()} (node {error.node_name()!r}, {error.node_operator()})" for error in errors
    ]


def _check_contract(network: "tensorrt.INetworkDefinition", model: Model) -> None:
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    found = {
        f"{side} {tensor.name} {tensor.dtype.name} of {len(tensor.shape)} dimensions"
        for side, tensors in (("input", inputs), ("output", outputs))
        for tensor in tensors
    }
    expected = {
        "input frame UINT8 of 3 dimensions",
        "output labels UINT8 of 2 dimensions",
        "output confidence UINT8 of 2 dimensions",
    }
    if found != expected:
        raise EngineError(
            f"{library()} reads from model {model.path}: {', '.join(sorted(found))}; expected "
            f"{', '.join(sorted(expected))}"
        )


def _fix_size(
    builder: "tensorrt.Builder", config: "tensorrt.IBuilderConfig", target: Target
) -> None:
    width, height = target.size
    shape = (height, width, 4)
    profile = builder.create_optimization_profile()
    profile.set_shape("frame", shape, shape, shape)
    if config.add_optimization_profile(profile) < 0:
        raise library().error(f"the {target} cannot be built")


def _use_timing(config: "tensorrt.IBuilderConfig", timing: bytes) -> None:
    """Lets the build use earlier timings; if the library refuses them, it starts without."""
    for content in (timing, b""):
        cache = config.create_timing_cache(content)
        if cache is not None and config.set_timing_cache(cache, False):
            return
    raise library().error("no timing cache can be made")


def _learnt_timing(config: "tensorrt.IBuilderConfig") -> bytes:
    cache = config.get_timing_cache() if library().times_kernels else None
    content = cache.serialize() if cache is not None else None
    return bytes(content) if content is not None else b""
