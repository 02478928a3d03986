# SPDX-License-Identifier: Apache-2.0
"""Builders that race, or are killed at any moment, leave whole engines or none.

They are real processes, and build with TensorRT-RTX, which needs no GPU to build.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from small_engine import files, needs_library, put, target_for

from carla_unet_ros.engines.tensorrt_engine import engine_cache, private_files
from carla_unet_ros.engines.tensorrt_engine.build import built_engine, cached_engine
from carla_unet_ros.engines.tensorrt_engine.cache_entry import Key
from carla_unet_ros.engines.tensorrt_engine.engine_cache import EngineCache, entries

pytestmark = needs_library

# Where `python -c` finds the package, however the tests were started.
ROOT = Path(private_files.__file__).parents[2]

WRITER = """
import sys
from pathlib import Path
from carla_unet_ros.engines.tensorrt_engine.cache_entry import Key
from carla_unet_ros.engines.tensorrt_engine.engine_cache import EngineCache
folder, first, second = map(Path, sys.argv[1:])
cache, key = EngineCache(folder, print), Key("engine", {"part": "value"})
print("started", flush=True)
while True:
    for content in (first.read_bytes(), second.read_bytes()):
        with cache.lock():
            cache.write(key, content)
"""
BUILDER = """
import hashlib, sys
from pathlib import Path
from carla_unet_ros.engines.tensorrt_engine.cuda import Device
from carla_unet_ros.engines.tensorrt_engine.engine_cache import EngineCache
from carla_unet_ros.engines.tensorrt_engine.build import Target, built_engine
from carla_unet_ros.engines.tensorrt_engine.library import library
from carla_unet_ros.model_file import read_model
model, folder = map(Path, sys.argv[1:])
lines = []
cache = EngineCache(folder, lines.append)
target = Target(read_model(model), (800, 600), Device("GPU", "8.9", "13.0"))
library()
print("ready", flush=True)
sys.stdin.readline()
engine = built_engine(target, cache, lines.append)
print(any(line.startswith("built") for line in lines), hashlib.sha256(engine).hexdigest())
"""


@pytest.fixture
def key(small_model_path: Path) -> Key:
    return target_for(small_model_path).key


@pytest.fixture
def cache(tmp_path: Path, key: Key, small_engine: bytes) -> EngineCache:
    """A cache that holds the engine of `key`."""
    cache = EngineCache(tmp_path / "cache", print)
    put(cache, key, small_engine)
    return cache


class Killed(BaseException):
    """As SIGKILL, it runs no handler of errors."""


@pytest.mark.parametrize("survived", range(8))
def test_killed_at_any_step_of_a_write_no_half_file_is_used(
    cache: EngineCache,
    key: Key,
    small_engine: bytes,
    monkeypatch: pytest.MonkeyPatch,
    survived: int,
) -> None:
    """The steps: write, rename and sync of each of two files; `survived` of them happen."""
    steps = iter(range(100))

    def step(original: Callable[..., object]) -> Callable[..., object]:
        def run(*arguments: object) -> object:
            if next(steps) == survived:
                raise Killed
            return original(*arguments)

        return run

    new = small_engine[:-1] + bytes([small_engine[-1] ^ 1])
    with monkeypatch.context() as patch:
        patch.setattr(private_files.os, "fsync", step(os.fsync))
        patch.setattr(Path, "replace", step(Path.replace))
        with contextlib.suppress(Killed):
            put(cache, key, new)
    found = cache.read(key)
    # 0 fsync, 1 replace, 2 folder; 3 fsync, 4 replace, 5 folder
    assert found == (small_engine if survived < 2 else None if survived < 5 else new)
    put(cache, key, new)
    assert cache.read(key) == new
    assert not [name for name in files(cache) if name.endswith(".tmp")]


def test_killed_at_random_moments_a_writer_leaves_nothing_half(
    tmp_path: Path, small_engine: bytes
) -> None:
    contents = [small_engine, small_engine[::-1]]
    paths = [tmp_path / "first", tmp_path / "second"]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    cache, key = EngineCache(tmp_path / "cache", print), Key("engine", {"part": "value"})
    moments = random.Random(1)
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, cache.folder, *paths],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            with contextlib.suppress(subprocess.TimeoutExpired):
                writer.wait(moments.uniform(0, 0.03))
            writer.send_signal(signal.SIGKILL)
        assert cache.read(key) in (None, *contents)
    put(cache, key, small_engine)
    assert files(cache) == {f"{key.stem}.bin", f"{key.stem}.json"}


def started_builder(small_model_path: Path, folder: Path) -> subprocess.Popen[str]:
    """A process that has loaded the library and builds when it is sent a line."""
    builder = subprocess.Popen(
        [sys.executable, "-c", BUILDER, small_model_path, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert builder.stdout is not None
    assert builder.stdout.readline() == "ready\n"
    return builder


def test_processes_that_build_at_once_build_once(small_model_path: Path, tmp_path: Path) -> None:
    builders = [started_builder(small_model_path, tmp_path) for _ in range(3)]
    for builder in builders:
        assert builder.stdin is not None
        builder.stdin.write("\n")
        builder.stdin.flush()
    answers = [builder.communicate(timeout=60)[0].split() for builder in builders]
    assert sorted(built for built, _ in answers) == ["False", "False", "True"]
    assert len({digest for _, digest in answers}) == 1
    assert [entry.fault for entry in entries(tmp_path)] == [""]


@pytest.mark.parametrize("milliseconds", [20, 80])
def test_a_killed_build_leaves_nothing_that_is_loaded_and_no_lock(
    small_model_path: Path, tmp_path: Path, small_engine: bytes, milliseconds: int
) -> None:
    builder = started_builder(small_model_path, tmp_path)
    assert builder.stdin is not None
    builder.stdin.write("\n")
    builder.stdin.flush()
    with contextlib.suppress(subprocess.TimeoutExpired):
        builder.wait(milliseconds / 1000)
    builder.kill()
    builder.communicate()
    cache = EngineCache(tmp_path, print)
    found = cached_engine(target_for(small_model_path), cache)
    assert found is None or len(found) == len(small_engine)
    assert len(built_engine(target_for(small_model_path), cache, print)) == len(small_engine)
    assert [entry.fault for entry in entries(tmp_path)] == [""]


def test_who_comes_second_waits_and_finds_the_engine_built(
    small_model_path: Path, tmp_path: Path, small_engine: bytes
) -> None:
    first = EngineCache(tmp_path, print)
    waiting = threading.Event()
    lines: list[str] = []

    def log(line: str) -> None:
        lines.append(line)
        waiting.set()

    results: list[bytes] = []
    target = target_for(small_model_path)

    def build() -> None:
        results.append(built_engine(target, EngineCache(tmp_path, log), log))

    second = threading.Thread(target=build)
    with first.lock():
        second.start()
        assert waiting.wait(10)
        first.write(target.key, small_engine)
    second.join()
    assert results == [small_engine]
    assert len(lines) == 1
    assert "another process builds" in lines[0]


def test_waiting_is_told_again_and_again_and_can_be_broken_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that is to end raises from its log, as Ctrl-C makes it do."""
    monkeypatch.setattr(engine_cache, "_WAIT_SECONDS", 0.001)
    lines: list[str] = []

    def log(line: str) -> None:
        lines.append(line)
        if len(lines) == 3:
            raise KeyboardInterrupt

    first, second = EngineCache(tmp_path, print), EngineCache(tmp_path, log)
    with first.lock(), pytest.raises(KeyboardInterrupt), second.lock():
        pass
    assert len(lines) == 3
    with second.lock():
        assert len(lines) == 3, "the lock of the one who gave up is free, and was not taken twice"


def test_what_a_killed_builder_left_is_removed_by_the_next(
    cache: EngineCache, key: Key, small_engine: bytes
) -> None:
    (cache.folder / f"{key.stem}.bin.tmp").write_bytes(small_engine[:100])
    (cache.folder / "notes.tmp").write_text("not ours")
    with cache.lock():
        assert files(cache) == {f"{key.stem}.bin", f"{key.stem}.json", "notes.tmp"}


def test_what_a_killed_builder_left_is_removed_also_where_nothing_is_built(
    cache: EngineCache, key: Key, small_engine: bytes
) -> None:
    unfinished = cache.folder / f"{key.stem}.bin.tmp"
    unfinished.write_bytes(small_engine[:100])
    with cache.lock():
        unfinished.write_bytes(small_engine[:100])
        EngineCache(cache.folder, print)
        assert unfinished.exists(), "a builder is at work"
    EngineCache(cache.folder, print)
    assert files(cache) == {f"{key.stem}.bin", f"{key.stem}.json"}
