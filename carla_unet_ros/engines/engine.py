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

    Threads: one thread may call `infer` while another calls `prepare`. So frames of prepared sizes
    are segmented while another size is being prepared, which takes minutes with TensorRT. `infer`
    on a size that is not prepared prepares it, or waits for the thread that does. Any thread may
    call `close`; it does not wait for `prepare`. Only one thread at a time may call `infer`.

    name:      a readable name, "OpenVINO 2026.4 CPU bf16"
    reason:    why this engine was chosen, as one sentence
    device:    what it runs on, "CPU" or "cuda:0 NVIDIA H100"
    precision: of its arithmetic, "bf16" or "int8"
    """

    name: str
    device: str
    precision: str
    reason: str

    def prepare(self, height: int, width: int) -> None:
        """Builds what frames of this size need. `infer` does the same on the first such frame.

        Logs in the calling thread. Raises EngineError, also if the engine was closed meanwhile.
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
        """Frees everything. The engine then runs no frames. A second call does nothing.

        What another thread is preparing is freed when it is ready.
        """
        ...
