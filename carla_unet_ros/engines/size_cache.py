"""What an engine has prepared, by frame size: of too many sizes, the longest unused is freed.

Both engines prepare something for each size (OpenVINO a compiled graph, TensorRT an engine, its
memory and a CUDA graph), which costs seconds to make and megabytes to keep.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

from carla_unet_ros.engines.engine import EngineError, Log

SIZES_KEPT = 8
"""An engine stays prepared for so many sizes of frames, as many as a node has cameras."""

SECONDS_TO_RETRY = 60
"""After a size could not be prepared: GPU memory, for one, may be free again by then."""


class Prepared(Protocol):
    """What an engine makes for frames of one size; its `close` frees it."""

    def close(self) -> None: ...


_Prepared = TypeVar("_Prepared", bound=Prepared)


class _Refusal(NamedTuple):
    """Why a size could not be prepared, and until when it is not tried again (monotonic, s)."""

    reason: str
    until: float


class SizeCache(Generic[_Prepared]):
    """Sizes are height and width, in pixels. What falls out is closed at once."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._is_closed = False
        # The last is the one used last.
        self._prepared: OrderedDict[tuple[int, int], _Prepared] = OrderedDict()
        self._refusals: dict[tuple[int, int], _Refusal] = {}

    def __len__(self) -> int:
        return len(self._prepared)

    def get(self, height: int, width: int, prepare: Callable[[int, int], _Prepared]) -> _Prepared:
        """What `prepare(height, width)` made, now or earlier.

        A size that `prepare` refused is not tried again for every frame, only after
        SECONDS_TO_RETRY. Raises the EngineError of `prepare`, and one after `close`.
        """
        size = height, width
        prepared = self._prepared.get(size)
        if prepared is None:
            prepared = self._prepare(size, prepare)
        self._prepared.move_to_end(size)
        return prepared

    def close(self) -> None:
        """Frees everything, and prepares nothing any more."""
        self._is_closed = True
        while self._prepared:
            self._prepared.popitem()[1].close()

    def _prepare(
        self, size: tuple[int, int], prepare: Callable[[int, int], _Prepared]
    ) -> _Prepared:
        if self._is_closed:
            raise EngineError("the engine is closed")
        refusal = self._refusals.get(size)
        if refusal is not None and time.monotonic() < refusal.until:
            raise EngineError(refusal.reason)
        try:
            prepared = prepare(*size)
        except EngineError as error:
            self._refuse(size, error)
            raise
        self._prepared[size] = prepared
        if len(self._prepared) > SIZES_KEPT:
            self._free_longest_unused()
        return prepared

    def _refuse(self, size: tuple[int, int], error: EngineError) -> None:
        now = time.monotonic()
        recent = {size: refusal for size, refusal in self._refusals.items() if now < refusal.until}
        reason = f"{error} (tried again in {SECONDS_TO_RETRY} s at the earliest)"
        self._refusals = recent | {size: _Refusal(reason, now + SECONDS_TO_RETRY)}

    def _free_longest_unused(self) -> None:
        (height, width), prepared = self._prepared.popitem(last=False)
        prepared.close()
        self._log(f"frames came in more than {SIZES_KEPT} sizes; freed {width}x{height}")
