"""Which engines there are, and which of them runs here.

KINDS is the only place that lists them. Nothing falls back in silence: the reason for the choice
is passed to the engine, kept in `Engine.reason`, and logged.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from carla_unet_ros.engines import openvino_engine, tensorrt_engine
from carla_unet_ros.engines.engine import Engine, EngineError, Log
from carla_unet_ros.engines.openvino_engine import OpenVINOEngine
from carla_unet_ros.engines.tensorrt_engine import TensorRTEngine
from carla_unet_ros.model_file import SHIPPED_FP16_MODEL, SHIPPED_INT8_MODEL, Model

_LOG = logging.getLogger(__name__)


class EngineOptions(NamedTuple):
    """What every engine is opened with.

    cache: folder for built engines; None is ~/.cache/carla_unet_ros
    log:   takes one line of text
    """

    cache: Path | None
    log: Log


@dataclass(frozen=True)
class EngineKind:
    """One row of the table.

    title:         as people know it
    missing:       what it lacks to run here, as one phrase; empty where it lacks nothing
    doubt:         why it may not run though it lacks nothing, as one phrase; only "auto" heeds it
    open:          model, reason, options -> engine; raises EngineError
    shipped_model: the file of the package that it runs best
    advantage:     why "auto" takes it where it can run
    """

    name: str
    title: str
    missing: Callable[[], str]
    doubt: Callable[[], str]
    open: Callable[[Model, str, EngineOptions], Engine]
    shipped_model: Path
    advantage: str


# On a CPU the int8 form is as accurate as the other and takes a quarter less time.
KINDS = {
    kind.name: kind
    for kind in (
        EngineKind(
            name="tensorrt",
            title="TensorRT",
            missing=tensorrt_engine.missing,
            doubt=tensorrt_engine.unsupported,
            open=lambda model, reason, options: TensorRTEngine(
                model, reason, options.cache, options.log
            ),
            shipped_model=SHIPPED_FP16_MODEL,
            advantage="a GPU and TensorRT are there",
        ),
        EngineKind(
            name="openvino",
            title="OpenVINO",
            missing=openvino_engine.missing,
            doubt=lambda: "",
            open=lambda model, reason, options: OpenVINOEngine(model, reason, log=options.log),
            shipped_model=SHIPPED_INT8_MODEL,
            advantage="it runs on any CPU",
        ),
    )
}
"""By name, in the order in which "auto" tries them."""

ENGINE_KINDS = ("auto", *KINDS)
"""What `kind` may be wherever an engine is chosen."""

EngineName = Literal["auto", "tensorrt", "openvino"]
"""The same for type checkers and command lines; a test holds the two together."""


class Choice(NamedTuple):
    """An engine that can run here, and why it was taken."""

    kind: EngineKind
    reason: str


def choose_engine(kind: str = "auto") -> Choice:
    """Which engine runs here.

    kind: one of ENGINE_KINDS; "auto" is the first of KINDS that lacks nothing and is not in doubt

    Raises EngineError where the engine asked for is not to be had, and says what is missing.
    """
    if kind == "auto":
        return _best()
    if kind not in KINDS:
        raise EngineError(f"engine {kind!r} is unknown; expected one of {', '.join(ENGINE_KINDS)}")
    if missing := KINDS[kind].missing():
        raise EngineError(f"engine {kind} cannot run here: {missing}")
    return Choice(KINDS[kind], "asked for")


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
    choice = choose_engine(kind)
    engine = choice.kind.open(model, choice.reason, EngineOptions(cache, log))
    log(f"engine {engine.name} ({engine.reason})")
    return engine


def _best() -> Choice:
    passed_over: list[str] = []
    for kind in KINDS.values():
        reason = kind.missing() or kind.doubt()
        if not reason:
            return Choice(kind, "; ".join(passed_over) or kind.advantage)
        passed_over.append(f"{kind.title} cannot run here: {reason}")
    raise EngineError(f"no engine can run here: {'; '.join(passed_over)}")
