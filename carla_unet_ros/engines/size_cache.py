# SPDX-License-Identifier: Apache-2.0
"""A cache of what an engine prepared for each frame size; it evicts the least recently used.

Both engines prepare something for each size (OpenVINO a compiled graph, TensorRT an engine, its
memory and a CUDA graph), which costs seconds to make and megabytes to keep.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

from carla_unet_ros.engines.engine import EngineError, Log

SIZES_KEPT = 8
"""The number of frame sizes that an engine stays prepared for: the most cameras of a node."""

SECONDS_TO_RETRY = 60
"""The wait after a size could not be prepared: GPU memory, for example, may be free again."""


class Prepared(Protocol):
    """Resources that an engine prepares for frames of one size; `close` frees them."""

    def close(self) -> None: ...


_Prepared = TypeVar("_Prepared", bound=Prepared)


class _Refusal(NamedTuple):
    """Why a size could not be prepared, and the time before which it is not tried again.

    until: seconds of time.monotonic
    """

    reason: str
    until: float


class SizeCache(Generic[_Prepared]):
    """What an engine prepared, by height and width in pixels. Evicted entries are closed at once.

    Threads: while one thread prepares a size, which takes long, others get the sizes that are
    ready. A thread that asks for another size waits.
    """

    def __init__(self, log: Log) -> None:
        """log: called by the thread that prepares"""
        self._log = log
        self._is_closed = False
        # The last entry is the most recently used.
        self._prepared: OrderedDict[tuple[int, int], _Prepared] = OrderedDict()
        self._refusals: dict[tuple[int, int], _Refusal] = {}
        # The first lock is held for moments, the second for as long as a preparation takes.
        self._changing = threading.Lock()
        self._preparing = threading.Lock()

    def __len__(self) -> int:
        return len(self._prepared)

    def has(self, height: int, width: int) -> bool:
        """True if `get` returns at once; the size counts as used."""
        return self._find((height, width)) is not None

    def get(self, height: int, width: int, prepare: Callable[[int, int], _Prepared]) -> _Prepared:
        """Returns what `prepare(height, width)` made, now or earlier.

        A size that `prepare` refused is tried again only after SECONDS_TO_RETRY, not for every
        frame. Raises the EngineError of `prepare`, and an EngineError after `close`.
        """
        size = height, width
        prepared = self._find(size)
        if prepared is None:
            self._check_refusal(size)
            with self._preparing:
                prepared = self._find(size)
                if prepared is None:
                    prepared = self._prepare(size, prepare)
        return prepared

    def close(self) -> None:
        """Frees everything. What is being prepared is freed when it is ready."""
        with self._changing:
            self._is_closed = True
            freed = list(self._prepared.values())
            self._prepared.clear()
        for prepared in freed:
            prepared.close()

    def _find(self, size: tuple[int, int]) -> _Prepared | None:
        with self._changing:
            prepared = self._prepared.get(size)
            if prepared is not None:
                self._prepared.move_to_end(size)
            return prepared

    def _prepare(
        self, size: tuple[int, int], prepare: Callable[[int, int], _Prepared]
    ) -> _Prepared:
        self._check_refusal(size)
        try:
            prepared = prepare(*size)
        except EngineError as error:
            self._refuse(size, error)
            raise
        self._keep(size, prepared)
        return prepared

    def _check_refusal(self, size: tuple[int, int]) -> None:
        if self._is_closed:
            raise EngineError("the engine is closed")
        refusal = self._refusals.get(size)
        if refusal is not None and time.monotonic() < refusal.until:
            raise EngineError(refusal.reason)

    def _refuse(self, size: tuple[int, int], error: EngineError) -> None:
        now = time.monotonic()
        recent = {size: refusal for size, refusal in self._refusals.items() if now < refusal.until}
        reason = f"{error} (tried again in {SECONDS_TO_RETRY} s at the earliest)"
        self._refusals = recent | {size: _Refusal(reason, now + SECONDS_TO_RETRY)}

    def _keep(self, size: tuple[int, int], prepared: _Prepared) -> None:
        with self._changing:
            is_closed = self._is_closed
            if not is_closed:
                self._prepared[size] = prepared
            is_full = len(self._prepared) > SIZES_KEPT
            freed = self._prepared.popitem(last=False) if is_full else None
        if is_closed:
            prepared.close()
            raise EngineError("the engine was closed while it was prepared")
        if freed is not None:
            (height, width), longest_unused = freed
            longest_unused.close()
            self._log(f"frames came in more than {SIZES_KEPT} sizes; freed {width}x{height}")
