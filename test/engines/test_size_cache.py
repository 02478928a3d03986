# SPDX-License-Identifier: Apache-2.0
"""What is prepared by frame size: once, kept while it is used, freed when it falls out."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import ClassVar

import pytest

from carla_unet_ros.engines import SIZES_KEPT, EngineError, size_cache
from carla_unet_ros.engines.size_cache import SECONDS_TO_RETRY, SizeCache

WIDTH = 100


class Prepared:
    """Counts itself among the open ones, by height."""

    open: ClassVar[list[int]] = []

    def __init__(self, height: int, width: int) -> None:
        assert width == WIDTH
        self.height = height
        self.open.append(height)

    def close(self) -> None:
        self.open.remove(self.height)


@pytest.fixture(autouse=True)
def nothing_is_open() -> Iterator[None]:
    Prepared.open.clear()
    yield


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def cache(lines: list[str]) -> SizeCache[Prepared]:
    return SizeCache(lines.append)


def get(cache: SizeCache[Prepared], *heights: int) -> None:
    for height in heights:
        assert cache.get(height, WIDTH, Prepared).height == height


def refuse(height: int, width: int) -> Prepared:
    raise EngineError(f"{width}x{height} cannot be had")


def test_each_size_is_prepared_once(cache: SizeCache[Prepared]) -> None:
    first = cache.get(1, WIDTH, Prepared)
    get(cache, 2)
    assert cache.get(1, WIDTH, Prepared) is first
    assert Prepared.open == [1, 2]


def test_beyond_the_bound_the_one_longest_unused_is_freed_at_once_and_that_is_said(
    cache: SizeCache[Prepared], lines: list[str]
) -> None:
    get(cache, *range(1, SIZES_KEPT + 1), 1)
    assert not lines
    get(cache, 50)
    assert sorted(Prepared.open) == [1, *range(3, SIZES_KEPT + 1), 50], "1 was used after 2"
    assert lines == ["frames came in more than 8 sizes; freed 100x2"]


def test_a_size_that_cannot_be_had_costs_no_other_size_its_place(
    cache: SizeCache[Prepared],
) -> None:
    get(cache, *range(SIZES_KEPT))
    with pytest.raises(EngineError):
        cache.get(50, WIDTH, refuse)
    assert len(Prepared.open) == SIZES_KEPT


def test_a_refused_size_is_tried_again_only_after_a_while(
    cache: SizeCache[Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 100.0
    monkeypatch.setattr(size_cache, "time", SimpleNamespace(monotonic=lambda: seconds))
    with pytest.raises(EngineError, match=r"^100x1 cannot be had$"):
        cache.get(1, WIDTH, refuse)
    seconds += SECONDS_TO_RETRY - 1
    with pytest.raises(EngineError, match=r"100x1 cannot be had \(tried again in 60 s"):
        cache.get(1, WIDTH, Prepared)
    get(cache, 2)
    seconds += 1
    get(cache, 1)


def test_refusals_that_are_over_are_forgotten(
    cache: SizeCache[Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 0.0
    monkeypatch.setattr(size_cache, "time", SimpleNamespace(monotonic=lambda: seconds))
    for height in range(100):
        with pytest.raises(EngineError):
            cache.get(height, WIDTH, refuse)
        seconds += SECONDS_TO_RETRY / 2
    assert len(cache._refusals) == 2


def test_close_frees_everything_and_nothing_is_prepared_after_it(
    cache: SizeCache[Prepared],
) -> None:
    get(cache, 1, 2, 3)
    cache.close()
    cache.close()
    assert Prepared.open == []
    with pytest.raises(EngineError, match="the engine is closed"):
        cache.get(1, WIDTH, Prepared)


class Slow:
    """A `prepare` that waits until it may go on."""

    def __init__(self) -> None:
        self.has_begun, self.may_end = threading.Event(), threading.Event()
        self.calls = 0

    def __call__(self, height: int, width: int) -> Prepared:
        self.calls += 1
        self.has_begun.set()
        assert self.may_end.wait(10)
        return Prepared(height, width)


def test_while_one_size_is_prepared_the_others_are_had_at_once(
    cache: SizeCache[Prepared],
) -> None:
    get(cache, 1)
    slow = Slow()
    with ThreadPoolExecutor() as pool:
        second = pool.submit(cache.get, 2, WIDTH, slow)
        assert slow.has_begun.wait(10)
        get(cache, 1, 1)
        assert Prepared.open == [1]
        slow.may_end.set()
        assert second.result(10).height == 2


def test_who_asks_for_a_size_that_another_thread_prepares_gets_the_same(
    cache: SizeCache[Prepared],
) -> None:
    slow = Slow()
    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(cache.get, 1, WIDTH, slow) for _ in range(3)]
        assert slow.has_begun.wait(10)
        slow.may_end.set()
        assert len({id(each.result(10)) for each in asked}) == 1
    assert slow.calls == 1


def test_a_refusal_is_told_at_once_while_another_size_is_prepared(
    cache: SizeCache[Prepared],
) -> None:
    with pytest.raises(EngineError):
        cache.get(1, WIDTH, refuse)
    slow = Slow()
    with ThreadPoolExecutor() as pool:
        pool.submit(cache.get, 2, WIDTH, slow)
        assert slow.has_begun.wait(10)
        with pytest.raises(EngineError, match="tried again"):
            cache.get(1, WIDTH, Prepared)
        slow.may_end.set()


def test_what_was_being_prepared_while_the_cache_was_closed_is_freed(
    cache: SizeCache[Prepared],
) -> None:
    get(cache, 1)
    slow = Slow()
    with ThreadPoolExecutor() as pool:
        second = pool.submit(cache.get, 2, WIDTH, slow)
        assert slow.has_begun.wait(10)
        cache.close()
        assert Prepared.open == [], "close does not wait"
        slow.may_end.set()
        with pytest.raises(EngineError, match="was closed while it was prepared"):
            second.result(10)
    assert Prepared.open == []


def test_it_says_what_it_has_and_asking_counts_as_use(cache: SizeCache[Prepared]) -> None:
    assert not cache.has(0, WIDTH)
    get(cache, *range(SIZES_KEPT))
    assert cache.has(0, WIDTH)
    get(cache, SIZES_KEPT)
    assert cache.has(0, WIDTH)
    assert not cache.has(1, WIDTH)
