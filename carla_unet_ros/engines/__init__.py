"""Engines run a model file: TensorRT on a GPU, OpenVINO on a CPU, behind one protocol.

`open_engine` is the only place that knows which engines there are. It never falls back in
silence: the reason for the choice is passed to `log` and kept in `Engine.reason`.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol, get_args

from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import Uint8
from carla_unet_ros.model_file import Model

EngineKind = Literal["auto", "tensorrt", "openvino"]
ENGINE_KINDS: tuple[EngineKind, ...] = get_args(EngineKind)

SIZES_KEPT = 8
"""An engine is prepared for so many sizes of frames, as many as a node has cameras; of more, the
size longest unused is given up."""

Log = Callable[[str], None]

_LOG = logging.getLogger(__name__)


class EngineError(InputError):
    """An engine that cannot be opened or run; the text says what is missing and what to do."""


class Engine(Protocol):
    """Runs one model on frames of any size; not thread-safe.

    name:   for people, "OpenVINO 2026.4 CPU bf16"
    reason: one sentence: why this engine and not another
    """

    name: str
    reason: str

    def prepare(self, height: int, width: int) -> None:
        """Builds what frames of this size need; `infer` does it too, on the first such frame."""
        ...

    def infer(self, frame: Uint8) -> tuple[Uint8, Uint8]:
        """BGRA frame uint8 [H, W, 4], C-contiguous -> labels and confidence, uint8 [H, W].

        The caller owns both arrays. Raises EngineError.
        """
        ...

    def close(self) -> None:
        """Frees everything; calling it twice does no harm."""
        ...


def choose_engine(kind: str = "auto") -> tuple[str, str]:
    """Which engine runs here, "tensorrt" or "openvino", and why, in a sentence.

    kind: one of ENGINE_KINDS; "auto" is TensorRT where a GPU and a library answer, else OpenVINO

    Raises EngineError where the engine asked for is not to be had, and says what is missing.
    """
    if kind not in ENGINE_KINDS:
        raise EngineError(f"engine {kind!r} is unknown; expected one of {', '.join(ENGINE_KINDS)}")
    if kind == "openvino":
        return kind, "asked for"
    from carla_unet_ros.engines import tensorrt_engine

    missing = tensorrt_engine.missing()
    if kind == "tensorrt":
        if missing:
            raise EngineError(f"engine tensorrt cannot run here: {missing}")
        # Asked for by name, a library is tried also on a GPU it does not list.
        return kind, "asked for"
    missing = missing or tensorrt_engine.unsupported()
    if missing:
        return "openvino", f"TensorRT cannot run here: {missing}"
    return "tensorrt", "a GPU and TensorRT are there"


def open_engine(
    model: Model,
    kind: str = "auto",
    cache: Path | None = None,
    log: Log = _LOG.info,
) -> Engine:
    """Opens the engine of `choose_engine(kind)` for a model.

    cache: folder for built TensorRT engines; None is ~/.cache/carla_unet_ros
    log:   takes one line of text: the choice, and the progress of a build

    Raises EngineError where it is not to be had, and says what is missing.
    """
    kind, reason = choose_engine(kind)
    if kind == "tensorrt":
        from carla_unet_ros.engines.tensorrt_engine import TensorRTEngine

        engine: Engine = TensorRTEngine(model, reason, cache, log)
    else:
        from carla_unet_ros.engines.openvino_engine import OpenVINOEngine

        engine = OpenVINOEngine(model, reason)
    log(f"engine {engine.name} ({reason})")
    return engine
