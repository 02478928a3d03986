# SPDX-License-Identifier: Apache-2.0
"""What comes out of the engine cache is exactly what was put in for the same key, or nothing.

The engines are real, built by TensorRT-RTX, which needs no GPU to build; the GPU's name is made
up.
"""

import dataclasses
import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from small_engine import files, needs_library, put, target_for

from carla_unet_ros.engines.tensorrt_engine import build as tensorrt_build
from carla_unet_ros.engines.tensorrt_engine import engine_cache
from carla_unet_ros.engines.tensorrt_engine.build import Target, built_engine, cached_engine
from carla_unet_ros.engines.tensorrt_engine.cache_entry import Key
from carla_unet_ros.engines.tensorrt_engine.engine_cache import EngineCache, entries
from carla_unet_ros.engines.tensorrt_engine.library import Library, library

pytestmark = needs_library


@pytest.fixture
def key(small_model_path: Path) -> Key:
    return target_for(small_model_path).key


@pytest.fixture
def cache(tmp_path: Path, lines: list[str], key: Key, small_engine: bytes) -> EngineCache:
    """A cache that holds the engine of `key`."""
    cache = EngineCache(tmp_path / "cache", lines.append)
    put(cache, key, small_engine)
    return cache


def test_an_engine_is_built_once(small_model_path: Path, tmp_path: Path, lines: list[str]) -> None:
    cache = EngineCache(tmp_path, lines.append)
    first = built_engine(target_for(small_model_path), cache, lines.append)
    assert [line.split()[0] for line in lines] == ["building", "built"]
    assert built_engine(target_for(small_model_path), cache, lines.append) == first
    assert len(lines) == 2


def other_targets(target: Target) -> dict[str, Callable[[], Target]]:
    device, model = target.device, target.model
    other_precision = dataclasses.replace(model.metadata, precision="fp16")
    return {
        "model": lambda: dataclasses.replace(
            target, model=dataclasses.replace(model, sha256="0" * 64)
        ),
        "precision": lambda: dataclasses.replace(
            target, model=dataclasses.replace(model, metadata=other_precision)
        ),
        "width": lambda: dataclasses.replace(target, size=(801, 600)),
        "height": lambda: dataclasses.replace(target, size=(800, 601)),
        "turned": lambda: dataclasses.replace(target, size=(600, 800)),
        "gpu": lambda: dataclasses.replace(target, device=device._replace(name="GPU 2")),
        "compute capability": lambda: dataclasses.replace(
            target, device=device._replace(compute_capability="9.0")
        ),
        "driver": lambda: dataclasses.replace(target, device=device._replace(driver="13.1")),
    }


@pytest.mark.parametrize(
    "part",
    ["model", "precision", "width", "height", "turned", "gpu", "compute capability", "driver"],
)
def test_another_target_means_another_engine(
    cache: EngineCache, small_model_path: Path, small_engine: bytes, part: str
) -> None:
    target = target_for(small_model_path)
    assert cached_engine(target, cache) == small_engine
    other = other_targets(target)[part]()
    assert cached_engine(other, cache) is None
    assert cached_engine(dataclasses.replace(target, workspace=2**30), cache) == small_engine


@pytest.mark.parametrize("changed", [{"version": "99.1.1.1"}, {"name": "Another"}])
def test_another_library_means_another_engine(
    cache: EngineCache,
    small_model_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, str],
) -> None:
    other: Library = dataclasses.replace(library(), **changed)
    monkeypatch.setattr(tensorrt_build, "library", lambda: other)
    assert cached_engine(target_for(small_model_path), cache) is None


def test_another_way_of_building_means_another_engine(
    cache: EngineCache, small_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorrt_build, "_RECIPE", "next")
    assert cached_engine(target_for(small_model_path), cache) is None


def test_the_sidecar_has_the_parts_of_the_key_in_clear(
    cache: EngineCache, key: Key, small_engine: bytes
) -> None:
    sidecar = json.loads((cache.folder / f"{key.stem}.json").read_text())
    assert sidecar["key"] == dict(key.parts)
    assert set(key.parts) == {
        "model",
        "precision",
        "frame",
        "recipe",
        "library",
        "library_version",
        "gpu",
        "compute_capability",
        "driver",
    }
    (entry,) = entries(cache.folder)
    assert (entry.stem, entry.nbytes, entry.fault) == (key.stem, len(small_engine), "")


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99999])
def test_a_truncated_engine_is_not_used(
    cache: EngineCache, key: Key, small_engine: bytes, lines: list[str], share: float
) -> None:
    os.truncate(cache.folder / f"{key.stem}.bin", int(share * len(small_engine)))
    assert cache.read(key) is None
    assert cache.read(key) is None
    assert len(lines) == 1, "said once"
    assert "truncated or altered" in lines[0]


def test_one_wrong_bit_anywhere_and_the_engine_is_not_used(
    cache: EngineCache, key: Key, small_engine: bytes
) -> None:
    path = cache.folder / f"{key.stem}.bin"
    places = [0, len(small_engine) - 1, *random.Random(0).sample(range(len(small_engine)), 30)]
    for place in places:
        altered = bytearray(small_engine)
        altered[place] ^= 1 << place % 8
        path.write_bytes(altered)
        assert cache.read(key) is None, f"bit {place % 8} of byte {place}"
    path.write_bytes(small_engine)
    assert cache.read(key) == small_engine


def test_no_wrong_bit_in_the_sidecar_brings_out_another_engine(
    cache: EngineCache, key: Key, small_engine: bytes
) -> None:
    path = cache.folder / f"{key.stem}.json"
    content = path.read_bytes()
    refused = 0
    for place in range(len(content)):
        altered = bytearray(content)
        altered[place] ^= 1 << place % 8
        path.write_bytes(altered)
        found = cache.read(key)
        assert found in (None, small_engine)
        refused += found is None
    assert refused > len(content) / 2, "only white space and the date are free to change"


@pytest.mark.parametrize("missing", [".bin", ".json"])
def test_half_an_entry_is_not_used(cache: EngineCache, key: Key, missing: str) -> None:
    (cache.folder / f"{key.stem}{missing}").unlink()
    assert cache.read(key) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"kind": "engine", "key": 3}'])
def test_a_sidecar_that_is_none_is_not_used(cache: EngineCache, key: Key, text: str) -> None:
    (cache.folder / f"{key.stem}.json").write_text(text)
    assert cache.read(key) is None


def test_an_engine_renamed_to_another_key_is_not_used(
    cache: EngineCache, key: Key, lines: list[str]
) -> None:
    other = Key("engine", {**key.parts, "driver": "13.1"})
    for ending in (".bin", ".json"):
        (cache.folder / f"{key.stem}{ending}").rename(cache.folder / f"{other.stem}{ending}")
    assert cache.read(other) is None
    assert "sidecar of something else" in lines[0]


def test_what_is_no_engine_is_built_again_though_its_sidecar_agrees(
    cache: EngineCache, key: Key, small_model_path: Path, small_engine: bytes
) -> None:
    put(cache, key, b"\x7fELF" + small_engine[4:])
    assert cached_engine(target_for(small_model_path), cache) is None
    again = built_engine(target_for(small_model_path), cache, print)
    assert again[:4] == small_engine[:4]


def test_clean_removes_the_engines_and_nothing_else(
    cache: EngineCache, small_engine: bytes
) -> None:
    put(cache, Key("timing", {"gpu": "GPU"}), b"times")
    (cache.folder / "engine-notes.json").write_text("not ours")
    count, nbytes = cache.clean()
    assert count == 4
    assert nbytes > len(small_engine)
    assert files(cache) == {"engine-notes.json"}
    assert entries(cache.folder) == []


def test_entries_are_listed_with_what_is_wrong_with_them(
    cache: EngineCache, key: Key, small_engine: bytes
) -> None:
    damaged = Key("engine", {"part": "damaged"})
    put(cache, damaged, small_engine)
    os.truncate(cache.folder / f"{damaged.stem}.bin", 10)
    faults = {entry.stem: entry.fault for entry in entries(cache.folder)}
    assert faults[key.stem] == ""
    assert "truncated" in faults[damaged.stem]
    assert entries(cache.folder / "not there") == []


def test_nothing_is_written_without_the_lock(
    tmp_path: Path, key: Key, small_engine: bytes
) -> None:
    cache = EngineCache(tmp_path, print)
    cache.write(key, small_engine)
    assert files(cache) == set()


def test_the_folder_is_in_the_users_cache_where_none_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert EngineCache(None, print).folder == tmp_path / ".cache" / "carla_unet_ros"
    assert engine_cache.entries(None) == []
