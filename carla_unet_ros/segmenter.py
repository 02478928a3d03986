# SPDX-License-Identifier: Apache-2.0
"""Segments a frame: camera bytes in, labels and confidence out. No ROS.

The node, `carla_unet_evaluate` and the benchmarks use this class, so their results agree.
"""

import logging
import math
import time
from collections import deque
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from carla_unet_ros.camera_model import Size
from carla_unet_ros.engines import Log, choose_engine, open_engine
from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import IGNORE, Uint8
from carla_unet_ros.model_file import Model, read_model

_LOG = logging.getLogger(__name__)
_TIMINGS_KEPT = 256


class Segmentation(NamedTuple):
    """Both uint8 [height, width], at the frame's size; the caller owns them.

    labels:     class id of each pixel
    confidence: 255 x the probability of that class
    """

    labels: Uint8
    confidence: Uint8


def least_confidence(min_confidence: float) -> int:
    """Least value 0..255 of the confidence image for a probability of at least `min_confidence`.

    min_confidence: 0..1
    """
    return math.ceil(255 * min_confidence)


def hide_uncertain(found: Segmentation, least: int) -> None:
    """Makes the label IGNORE where the confidence is below `least`, 1..255; works in place."""
    below = cv2.threshold(found.confidence, least - 1, IGNORE, cv2.THRESH_BINARY_INV)[1]
    cv2.bitwise_or(found.labels, below, dst=found.labels)


def shipped_model(engine: str = "auto", device: str = "auto") -> Path:
    """The shipped model file that this engine runs best, see `choose_engine`.

    Raises EngineError if the engine is not available.
    """
    return choose_engine(engine, device).kind.shipped_model


class Segmenter:
    """A model file and the engine that runs it."""

    def __init__(
        self,
        model: Path | str | None = None,
        engine: str = "auto",
        engine_cache: Path | None = None,
        log: Log = _LOG.info,
        device: str = "auto",
        threads: int = 0,
    ) -> None:
        """model: an ONNX file; None is the shipped one, see `shipped_model`

        The other arguments are those of `open_engine`. Raises ModelError for a bad model file,
        EngineError for an engine that is not available.
        """
        chosen = shipped_model(engine, device) if model is None else model
        self.model: Model = read_model(chosen)
        self.engine = open_engine(self.model, engine, engine_cache, log, device, threads)
        self._seconds: deque[float] = deque(maxlen=_TIMINGS_KEPT)

    def prepare(self, size: Size) -> None:
        """Builds what frames of this size need, which `segment` would do on the first of them.

        May be called from another thread than `segment`. Raises EngineError.
        """
        self.engine.prepare(size.height, size.width)

    def is_prepared(self, size: Size) -> bool:
        """True if `segment` runs frames of this size at once."""
        return self.engine.is_prepared(size.height, size.width)

    def segment(self, frame: Uint8) -> Segmentation:
        """Segments one BGRA frame uint8 [height, width, 4].

        Raises ValueError for another shape or type, EngineError where the engine fails.
        """
        if frame.ndim != 3 or frame.shape[2] != 4 or frame.dtype != np.uint8 or not frame.size:
            raise InputError(
                f"frame is {frame.dtype} {frame.shape}; expected uint8 (height, width, 4), BGRA"
            )
        start = time.perf_counter()
        labels, confidence = self.engine.infer(np.ascontiguousarray(frame))
        self._seconds.append(time.perf_counter() - start)
        return Segmentation(labels, confidence)

    def engine_milliseconds(self) -> tuple[float, float]:
        """Median and 95th percentile over the last frames, in ms; NaN before the first frame."""
        if not self._seconds:
            return float("nan"), float("nan")
        median, p95 = np.percentile(self._seconds, (50, 95))
        return 1000 * float(median), 1000 * float(p95)

    def close(self) -> None:
        self.engine.close()
