# SPDX-License-Identifier: Apache-2.0
"""Times contenders in turns, without the first run of each turn."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from tqdm import tqdm

Fed = TypeVar("Fed")


def timed(
    run: Callable[[Fed], Any],
    feeds: Sequence[Fed],
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """Milliseconds of `run` on each of the feeds.

    One run before them is not counted: it refills the caches after the other contenders.
    """
    run(feeds[0])
    milliseconds: list[float] = []
    for fed in feeds:
        start = clock()
        run(fed)
        milliseconds.append(1000 * (clock() - start))
    return milliseconds


def in_turns(
    contenders: Mapping[str, Callable[[], Sequence[float]]], rounds: int, warm_up: int = 1
) -> dict[str, list[float]]:
    """Results of each contender's turns, one per round, after `warm_up` rounds.

    Turns spread other load on the machine evenly. The order differs from round to round, so that
    no contender always follows the same one.
    """
    found: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in tqdm(range(warm_up + rounds), "rounds"):
        random.Random(number).shuffle(names)
        for name in names:
            milliseconds = contenders[name]()
            if number >= warm_up:
                found[name] += milliseconds
    return found


def spread(milliseconds: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    median, p95 = np.percentile(milliseconds, (50, 95))
    return {"median_ms": float(median), "p95_ms": float(p95)}
