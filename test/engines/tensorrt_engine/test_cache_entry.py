# SPDX-License-Identifier: Apache-2.0
"""Whatever stands in the place of an entry, it is no entry: nothing waits, leaks or grows."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from carla_unet_ros.engines import EngineError
from carla_unet_ros.engines.tensorrt_engine.cache_entry import Key
from carla_unet_ros.engines.tensorrt_engine.engine_cache import EngineCache, entries

KEY = Key("engine", {"part": "value"})
CONTENT = b"as good as an engine"


def put(cache: EngineCache) -> None:
    with cache.lock():
        cache.write(KEY, CONTENT)


@pytest.fixture
def cache(tmp_path: Path, lines: list[str]) -> EngineCache:
    cache = EngineCache(tmp_path / "cache", lines.append)
    put(cache)
    return cache


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def giant(path: Path) -> None:
    """A terabyte that takes no room on the disk."""
    path.touch(0o600)
    os.truncate(path, 2**40)


@pytest.mark.parametrize("ending", [".bin", ".json"])
@pytest.mark.parametrize("place", [Path.mkdir, os.mkfifo, giant])
def test_what_is_no_file_of_an_entry_is_no_entry_and_is_replaced(
    cache: EngineCache, ending: str, place: Callable[[Path], None]
) -> None:
    path = cache.folder / f"{KEY.stem}{ending}"
    path.unlink()
    place(path)
    before = open_descriptors()
    for _ in range(3):
        assert cache.read(KEY) is None
        (entry,) = entries(cache.folder)
        assert entry.fault
    assert open_descriptors() == before
    put(cache)
    assert cache.read(KEY) == CONTENT


def test_a_giant_that_says_how_large_it_is_is_no_entry(cache: EngineCache) -> None:
    path = cache.folder / f"{KEY.stem}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"nbytes": 2**40}))
    giant(cache.folder / f"{KEY.stem}.bin")
    assert cache.read(KEY) is None


@pytest.mark.parametrize(
    "text",
    ["[" * 2**15, '{"kind": "engine", "key": ' + '{"a":' * 2**12, r'{"kind": "\ud800"}'],
)
def test_a_sidecar_made_to_do_harm_is_no_entry(cache: EngineCache, text: str) -> None:
    (cache.folder / f"{KEY.stem}.json").write_text(text)
    assert cache.read(KEY) is None
    (entry,) = entries(cache.folder)
    assert "cannot be read" in entry.fault


@pytest.mark.parametrize("name", ["created", "sha256", "nbytes"])
def test_a_sidecar_without_one_of_its_parts_is_no_entry(cache: EngineCache, name: str) -> None:
    path = cache.folder / f"{KEY.stem}.json"
    sidecar = json.loads(path.read_text())
    del sidecar[name]
    path.write_text(json.dumps(sidecar))
    assert cache.read(KEY) is None


def test_a_folder_in_an_entrys_place_that_is_not_empty_is_left_alone_and_named(
    cache: EngineCache, lines: list[str]
) -> None:
    path = cache.folder / f"{KEY.stem}.bin"
    path.unlink()
    path.mkdir()
    (path / "notes").touch()
    put(cache)
    assert "Directory not empty" in lines[-1]
    with pytest.raises(EngineError, match=rf"{path} of the engine cache cannot be removed"):
        cache.clean()
    assert (path / "notes").exists()
