# SPDX-License-Identifier: Apache-2.0
"""The table of engine kinds, and the choice of the one that runs on this machine.

Only KINDS lists them. There is no silent fallback: the reason for the choice is passed to the
engine, kept in `Engine.reason`, and logged.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from carla_unet_ros.engines import openvino_engine
from carla_unet_ros.engines.engine import Engine, EngineError, Log
from carla_unet_ros.engines.openvino_engine import OpenVINOEngine
from carla_unet_ros.engines.tensorrt_engine import engine as tensorrt_engine
from carla_unet_ros.engines.tensorrt_engine.engine import TensorRTEngine
from carla_unet_ros.model_file import SHIPPED_FP16_MODEL, SHIPPED_INT8_MODEL, SHIPPED_MODEL, Model

_LOG = logging.getLogger(__name__)


class EngineOptions(NamedTuple):
    """The options that every engine is opened with.

    reason:  why this engine was chosen, as one sentence
    cache:   folder for built engines; None is ~/.cache/carla_unet_ros
    log:     takes one line of text
    device:  one that the engine takes, or "auto"
    threads: CPU threads, if the CPU runs the model; 0 leaves the number to the engine
    """

    reason: str
    cache: Path | None
    log: Log
    device: str
    threads: int


@dataclass(frozen=True)
class EngineKind:
    """One row of the table.

    title:          the name that people know
    devices:        the devices it runs on; N is any number. It also takes "auto"
    missing:        device -> what it lacks to run there, as one phrase; empty if nothing
    doubt:          device -> why it may not run though it lacks nothing, as one phrase; only
                    "auto" takes it into account
    open:           opens the engine; raises EngineError
    shipped_models: shipped files, the one it runs best first; some may be missing
    advantage:      why "auto" chooses it if it can run
    """

    name: str
    title: str
    devices: tuple[str, ...]
    missing: Callable[[str], str]
    doubt: Callable[[str], str]
    open: Callable[[Model, EngineOptions], Engine]
    shipped_models: tuple[Path, ...]
    advantage: str

    @property
    def shipped_model(self) -> Path:
        """The shipped file that it runs by default."""
        there = (path for path in self.shipped_models if path.exists())
        return next(there, self.shipped_models[-1])

    def takes(self, device: str) -> bool:
        patterns = (name.replace("N", "[0-9]{1,3}") for name in ("auto", *self.devices))
        return any(re.fullmatch(pattern, device) for pattern in patterns)


def _open_tensorrt(model: Model, options: EngineOptions) -> Engine:
    return TensorRTEngine(model, options.reason, options.cache, options.log, device=options.device)


def _open_openvino(model: Model, options: EngineOptions) -> Engine:
    return OpenVINOEngine(
        model,
        options.reason,
        log=options.log,
        device=options.device,
        threads=options.threads,
    )


# On a CPU the int8 form is as accurate as the others and takes a quarter less time.
KINDS = {
    kind.name: kind
    for kind in (
        EngineKind(
            name="tensorrt",
            title="TensorRT",
            devices=("cuda:N",),
            missing=tensorrt_engine.missing,
            doubt=tensorrt_engine.unsupported,
            open=_open_tensorrt,
            shipped_models=(SHIPPED_FP16_MODEL, SHIPPED_MODEL),
            advantage="a GPU and TensorRT are there",
        ),
        EngineKind(
            name="openvino",
            title="OpenVINO",
            devices=("cpu", "gpu", "npu"),
            missing=openvino_engine.missing,
            doubt=lambda _device: "",
            open=_open_openvino,
            shipped_models=(SHIPPED_INT8_MODEL,),
            advantage="it runs on any CPU",
        ),
    )
}
"""The kinds by name, in the order in which "auto" tries them. No two take the same device."""

ENGINE_KINDS = ("auto", *KINDS)
"""The values of `kind` wherever an engine is chosen."""

EngineName = Literal["auto", "tensorrt", "openvino"]
"""The same for type checkers and command lines; a test compares the two."""

DEVICES = ("auto", *(device for kind in KINDS.values() for device in kind.devices))
"""The values of `device`; N is any number. gpu and npu are Intel's."""

MOST_THREADS = 1024


class Choice(NamedTuple):
    """An engine that can run here, and why it was chosen."""

    kind: EngineKind
    reason: str


def check_device(device: str) -> None:
    """Raises EngineError unless the device is one of DEVICES; it may not be there."""
    if not any(row.takes(device) for row in KINDS.values()):
        raise EngineError(f"device {device!r} is unknown; expected one of {', '.join(DEVICES)}")


def choose_engine(kind: str = "auto", device: str = "auto") -> Choice:
    """Chooses the engine that runs on this machine.

    kind:   one of ENGINE_KINDS; "auto" is the kind that takes the device
    device: one of DEVICES

    If both are "auto", it is the first of KINDS that lacks nothing and is not in doubt.
    Raises EngineError if the requested engine is not available, and says what is missing.
    """
    if kind not in ENGINE_KINDS:
        raise EngineError(f"engine {kind!r} is unknown; expected one of {', '.join(ENGINE_KINDS)}")
    check_device(device)
    if kind == device == "auto":
        return _best()
    row = KINDS[kind] if kind != "auto" else _taker(device)
    if not row.takes(device):
        raise EngineError(
            f"engine {kind} does not run on {device}; its devices are {', '.join(row.devices)}"
        )
    if missing := row.missing(device):
        where = "here" if device == "auto" else f"on {device}"
        raise EngineError(f"engine {row.name} cannot run {where}: {missing}")
    return Choice(row, "asked for" if device == "auto" else f"{device} was asked for")


def open_engine(
    model: Model,
    kind: str = "auto",
    cache: Path | None = None,
    log: Log = _LOG.info,
    device: str = "auto",
    threads: int = 0,
) -> Engine:
    """Opens the engine of `choose_engine(kind, device)` for a model.

    cache:   folder for built TensorRT engines; None is ~/.cache/carla_unet_ros
    log:     takes one line of text: the choice, and the progress of a build
    threads: most CPU threads that OpenVINO uses; 0 leaves it to OpenVINO; other engines ignore
             it

    Raises EngineError if the engine is not available, and says what is missing.
    """
    if not 0 <= threads <= MOST_THREADS:
        raise EngineError(
            f"threads are {threads}; expected 1 to {MOST_THREADS}, or 0, which leaves it to the "
            "engine"
        )
    choice = choose_engine(kind, device)
    options = EngineOptions(choice.reason, cache, log, device, threads)
    engine = choice.kind.open(model, options)
    log(f"engine {engine.name} ({engine.reason})")
    return engine


def _best() -> Choice:
    passed_over: list[str] = []
    for kind in KINDS.values():
        reason = kind.missing("auto") or kind.doubt("auto")
        if not reason:
            return Choice(kind, "; ".join(passed_over) or kind.advantage)
        passed_over.append(f"{kind.title} cannot run here: {reason}")
    raise EngineError(f"no engine can run here: {'; '.join(passed_over)}")


def _taker(device: str) -> EngineKind:
    return next(kind for kind in KINDS.values() if kind.takes(device))
