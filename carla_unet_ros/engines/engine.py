# SPDX-License-Identifier: Apache-2.0
"""The protocol that every engine implements, its error, and the type of its log function."""

from collections.abc import Callable
from typing import Protocol

from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import Uint8

Log = Callable[[str], None]


class EngineError(InputError):
    """An engine that cannot be opened or run; the text says what is missing and what to do."""


class Engine(Protocol):
    """Runs one model on frames of any size.

    Threads: one may call `infer` while another calls `prepare`, so that frames of the sizes that
    are prepared go on while another size is (with TensorRT, for minutes). `infer` on a size that
    is not prepared prepares it, or waits for the thread that does. `close` may come from any
    thread and waits for no `prepare`. More is not promised: `infer` is for one thread at a time.

    name:   for people, "OpenVINO 2026.4 CPU bf16"
    reason: one sentence: why this engine and not another
    """

    name: str
    reason: str

    def prepare(self, height: int, width: int) -> None:
        """Builds what frames of this size need; `infer` does it too, on the first such frame.

        Logs in the thread that calls it. Raises EngineError, also where the engine was closed
        meanwhile.
        """
        ...

    def is_prepared(self, height: int, width: int) -> bool:
        """True if `infer` runs frames of this size at once; asking counts as using the size."""
        ...

    def infer(self, frame: Uint8) -> tuple[Uint8, Uint8]:
        """BGRA frame uint8 [H, W, 4], C-contiguous -> labels and confidence, uint8 [H, W].

        The caller owns both arrays. Raises EngineError.
        """
        ...

    def close(self) -> None:
        """Frees everything; from then on the engine runs nothing. Twice does no harm.

        What another thread prepares at the moment is freed as soon as it is there.
        """
        ...
