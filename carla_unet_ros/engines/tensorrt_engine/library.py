# SPDX-License-Identifier: Apache-2.0
"""Finds the installed TensorRT, and hides the differences between its editions.

`tensorrt` 10 and 11 (data-centre and Jetson GPUs too) and `tensorrt_rtx` 1 (from PyPI, for GeForce
RTX) have nearly the same Python API. This module handles what differs, so that no other file knows
which one it calls. The library is imported when it is used, never with this module.
"""

import functools
import re
from collections import deque
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple, cast

from carla_unet_ros.engines.engine import EngineError

if TYPE_CHECKING:
    import tensorrt
    import tensorrt_rtx

# Each has its own name and that of its bindings, which can be installed without the rest.
_MODULES = {
    "tensorrt": "TensorRT",
    "tensorrt_bindings": "TensorRT",
    "tensorrt_rtx": "TensorRT-RTX",
    "tensorrt_rtx_bindings": "TensorRT-RTX",
}
# Before 1.2, TensorRT-RTX allocates memory while it runs, which no CUDA graph can record.
_OLDEST = {"TensorRT": (10, 0), "TensorRT-RTX": (1, 2)}
_MAGIC = {"TensorRT": b"ftrt", "TensorRT-RTX": b"vtrt"}
_VERSION_AT = 24
_HEADER = 28
_LINES_KEPT = 20
_INSTALL = "pip install 'carla_unet_ros[tensorrt]', or [tensorrt-rtx] for a GeForce RTX"


class LogLines:
    """The last warnings and errors the library logged. It gives its reasons nowhere else."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)

    def add(self, line: str) -> None:
        self._lines.append(line.strip())

    def clear(self) -> None:
        self._lines.clear()

    def text(self) -> str:
        # A copy, because other threads may log.
        return " | ".join(tuple(self._lines)) or "the library logged no reason"


@dataclass
class RunContext:
    """A context, and what has to outlive it: TensorRT-RTX's config and kernels.

    is_compiled: whether the library accepted the given kernels, so it compiled none
    """

    context: "tensorrt.IExecutionContext | None"
    config: "tensorrt_rtx.IRuntimeConfig | None" = None
    kernels: "tensorrt_rtx.IRuntimeCache | None" = None
    is_compiled: bool = False

    def close(self) -> None:
        """Frees the context before the others."""
        self.context = None
        self.config = self.kernels = None

    def compiled(self) -> bytes:
        """The kernels that were compiled for this GPU; empty for TensorRT."""
        if self.kernels is None or self.is_compiled:
            return b""
        content = self.kernels.serialize()
        return bytes(content) if content is not None else b""


@dataclass(frozen=True)
class Library:
    """The TensorRT of this process.

    name:    "TensorRT" or "TensorRT-RTX"
    version: "11.4.0.106"
    logger:  one for all objects, because the library keeps the first one it gets
    """

    name: str
    version: str
    logger: "tensorrt.ILogger"
    lines: LogLines

    def __str__(self) -> str:
        return f"{self.name} {'.'.join(self.version.split('.')[:2])}"

    @property
    def times_kernels(self) -> bool:
        """True if a build times kernels on the GPU and can keep the times for the next build.

        TensorRT-RTX compiles on the vehicle instead; its timing cache is always empty.
        """
        return self.name == "TensorRT"

    def error(self, sentence: str) -> EngineError:
        """An error of this sentence, with the library's own reasons."""
        return EngineError(f"{sentence}: {self.lines.text()}")

    def header_fault(self, engine: bytes) -> str:
        """Returns what is wrong with the first bytes of an engine file; empty if nothing.

        Bytes 0-3 are a magic word, bytes 4-7 the number of the layout. In layout 0, bytes 24-27
        are the version, as `trtexec --getPlanVersionOnly` reads it; the last is modulo 256.
        """
        magic, layout = engine[:4], engine[4:8]
        if magic != _MAGIC[self.name] or len(engine) < _HEADER:
            return f"it is no {self.name} engine (it begins with {magic!r})"
        if layout != bytes(4):
            return ""
        built = ".".join(str(byte) for byte in engine[_VERSION_AT : _VERSION_AT + 3])
        # Only the numbers: a version may end in "b6" or "post1".
        here = ".".join(re.findall(r"\d+", self.version)[:3])
        return "" if built == here else f"it was built by {self.name} {built}; this is {here}"

    def aim_at(self, config: "tensorrt.IBuilderConfig", compute_capability: str) -> None:
        """Sets the compute capability to build for, if the library lists it.

        TensorRT builds for the installed GPU. TensorRT-RTX builds without one, by default for
        every GPU from Ampere on, and so not for Turing (GeForce RTX 20).
        """
        listed = self._listed(compute_capability)
        if listed is None:
            return
        config = cast("tensorrt_rtx.IBuilderConfig", config)
        config.num_compute_capabilities = 1
        if not config.set_compute_capability(listed, 0):
            raise self.error(f"{self} does not build for compute capability {compute_capability}")

    def make_capturable(self, config: "tensorrt.IBuilderConfig") -> None:
        """Makes the engine allocate nothing while it runs, so that a CUDA graph can record it."""
        if self.name == "TensorRT-RTX":
            config.set_flag(_rtx_module().BuilderFlag.REQUIRE_USER_ALLOCATION)

    def create_context(self, engine: "tensorrt.ICudaEngine", kernels: bytes = b"") -> RunContext:
        """Creates a context to run the engine; `context` is None if the library refuses.

        kernels: what `RunContext.compiled` returned earlier for this engine, or empty
        """
        if self.name == "TensorRT":
            return RunContext(engine.create_execution_context())
        engine = cast("tensorrt_rtx.ICudaEngine", engine)
        config = engine.create_runtime_config()
        if config is None:
            return RunContext(None)
        # By default the library compiles better kernels in the background and then uses them. A
        # CUDA graph would keep launching the kernels it recorded.
        eager = _rtx_module().DynamicShapesKernelSpecializationStrategy.EAGER
        config.dynamic_shapes_kernel_specialization_strategy = eager
        # If the library refuses the cache or the kernels, it compiles them again.
        cache = config.create_runtime_cache()
        is_compiled = bool(kernels) and cache is not None and cache.deserialize(kernels)
        if cache is not None and not config.set_runtime_cache(cache):
            cache = None
        return RunContext(engine.create_execution_context(config), config, cache, is_compiled)

    def capture_refusal(self, context: "tensorrt.IExecutionContext", stream: int) -> str:
        """Why a CUDA graph cannot record the engine, as the library says; empty if it can."""
        if self.name == "TensorRT":
            return ""
        if cast("tensorrt_rtx.IExecutionContext", context).is_stream_capturable(stream):
            return ""
        return f"{self.name} says that this engine cannot be captured"

    def unsupported(self, compute_capability: str) -> str:
        """Why the library does not support a GPU, as one phrase; empty if no reason is known."""
        if self.name == "TensorRT" or self._listed(compute_capability) is not None:
            return ""
        return f"{self} does not list GPUs of compute capability {compute_capability}"

    def _listed(self, compute_capability: str) -> "tensorrt_rtx.ComputeCapability | None":
        """TensorRT-RTX's own name of a compute capability; TensorRT has none."""
        if self.name == "TensorRT":
            return None
        name = f"SM{compute_capability.replace('.', '')}"
        return getattr(_rtx_module().ComputeCapability, name, None)


@functools.cache
def library() -> Library:
    """The library that builds and runs engines: the first of `_MODULES` that can be imported.

    Raises EngineError if none can.
    """
    found = _find()
    if isinstance(found, str):
        raise EngineError(f"no engine can be built: {found}")
    trt = tensorrt_module()
    lines = LogLines()

    class Logger(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: "tensorrt.ILogger.Severity", msg: str) -> None:
            if severity <= trt.ILogger.Severity.WARNING:
                lines.add(msg)

    return Library(found.name, trt.__version__, Logger(), lines)


def missing_library(load: bool = True) -> str:
    """Why no library can be used, as one phrase; empty if one can.

    load: False only checks that one is installed, which is quick
    """
    if load:
        found = _find()
        return found if isinstance(found, str) else ""
    return "" if any(map(_is_installed, _MODULES)) else f"no TensorRT is installed ({_INSTALL})"


# No return type: modules have no type to write, and pyright infers it from the stubs.
def tensorrt_module():
    """The module of `library()`, with the names that both editions have."""
    if TYPE_CHECKING:
        return tensorrt
    return _module()


def _rtx_module():
    if TYPE_CHECKING:
        return tensorrt_rtx
    return _module()


def _module() -> ModuleType:
    found = _find()
    if isinstance(found, str):
        raise EngineError(f"no engine can be built: {found}")
    return found.module


class _Found(NamedTuple):
    module: ModuleType
    name: str


@functools.cache
def _find() -> _Found | str:
    """The library, or why none can be used."""
    reasons = []
    for module_name, name in _MODULES.items():
        if not _is_installed(module_name):
            continue
        try:
            module = import_module(module_name)
        except (ImportError, OSError) as error:
            reasons.append(f"{module_name}: {error}")
            continue
        version = module.__version__
        major, minor = version.split(".")[:2]
        if (int(major), int(minor)) >= _OLDEST[name]:
            return _Found(module, name)
        oldest = ".".join(map(str, _OLDEST[name]))
        reasons.append(f"{module_name} {version} is older than {oldest}")
    if reasons:
        return f"no TensorRT can be used ({'; '.join(reasons)})"
    return f"no TensorRT is installed ({_INSTALL})"


def _is_installed(module_name: str) -> bool:
    return find_spec(module_name) is not None
