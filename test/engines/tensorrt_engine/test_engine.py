# SPDX-License-Identifier: Apache-2.0
"""The TensorRT engine as the node runs it, on a double of a GPU.

On a real one: test_gpu.py.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cuda_double import Stream
from gpu_double import FakeTensorRT
from small_engine import needs_rtx

from carla_unet_ros.engines import SIZES_KEPT, EngineError, open_engine, size_cache
from carla_unet_ros.engines.size_cache import SECONDS_TO_RETRY
from carla_unet_ros.engines.tensorrt_engine.engine import TensorRTEngine
from carla_unet_ros.engines.tensorrt_engine.engine_cache import entries
from carla_unet_ros.model_file import Model, read_model


@pytest.fixture
def model(small_model_path: Path) -> Model:
    return read_model(small_model_path)


def frame_of(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)


def test_an_engine_is_built_on_the_first_frame_and_found_by_the_next_process(
    fake: FakeTensorRT, model: Model, tmp_path: Path, lines: list[str]
) -> None:
    frame = frame_of(48, 64)
    for built in (True, False):
        engine = TensorRTEngine(model, "asked for", tmp_path, lines.append)
        labels, confidence = engine.infer(frame)
        np.testing.assert_array_equal(labels, frame[..., 0])
        np.testing.assert_array_equal(confidence, frame[..., 1])
        engine.close()
        assert any(line.startswith("building") for line in lines) == built
        lines.clear()
    assert fake.loaded[0] == fake.loaded[1]


@needs_rtx
def test_kernels_are_compiled_once_and_found_by_the_next_process(
    fake: FakeTensorRT, model: Model, tmp_path: Path
) -> None:
    TensorRTEngine(model, "asked for", tmp_path, print).prepare(48, 64)
    (kernels,) = tmp_path.glob("kernels-*.bin")
    written = kernels.stat().st_mtime_ns
    TensorRTEngine(model, "asked for", tmp_path, print).prepare(48, 64)
    assert fake.compiled == 1
    assert kernels.stat().st_mtime_ns == written
    kernels.write_bytes(kernels.read_bytes()[:-1])
    TensorRTEngine(model, "asked for", tmp_path, print).prepare(48, 64)
    assert fake.compiled == 2, "what was altered is not given to the library"
    assert {entry.fault for entry in entries(tmp_path)} == {""}


def test_cameras_of_one_size_share_memory_and_another_size_gets_its_own(
    fake: FakeTensorRT, model: Model, tmp_path: Path
) -> None:
    engine = TensorRTEngine(model, "asked for", tmp_path, print)
    for camera in range(3):
        engine.infer(frame_of(48, 64, camera))
    one_size = len(fake.cuda.alive)
    assert len(fake.loaded) == 1
    engine.infer(frame_of(64, 48))
    assert len(fake.cuda.alive) == 2 * one_size
    engine.infer(frame_of(48, 64))
    assert len(fake.loaded) == 2, "the first size is still there"
    engine.close()
    engine.close()
    assert not fake.cuda.alive


def test_sizes_beyond_the_bound_free_the_one_longest_unused(
    fake: FakeTensorRT, model: Model, tmp_path: Path, lines: list[str]
) -> None:
    engine = TensorRTEngine(model, "asked for", tmp_path, lines.append)
    for width in range(16, 16 + SIZES_KEPT):
        engine.prepare(16, width)
    full = len(fake.cuda.alive)
    engine.infer(frame_of(16, 16))
    engine.prepare(16, 100)
    assert len(fake.cuda.alive) == full
    assert lines[-1].endswith("freed 17x16"), "16x16 was used since"
    engine.close()


def test_a_cached_engine_that_does_not_load_is_built_again_once(
    fake: FakeTensorRT, model: Model, tmp_path: Path, lines: list[str]
) -> None:
    TensorRTEngine(model, "asked for", tmp_path, print).prepare(48, 64)
    fake.loaded.clear()
    fake.faults.add("deserialize_cuda_engine once")
    TensorRTEngine(model, "asked for", tmp_path, lines.append).prepare(48, 64)
    assert len(fake.loaded) == 2
    assert "is built again: " in lines[0]
    assert lines[1].startswith("building")
    fake.faults.add("deserialize_cuda_engine")
    with pytest.raises(EngineError, match="cannot load the engine"):
        TensorRTEngine(model, "asked for", tmp_path, lines.append).prepare(48, 64)


def test_an_engine_that_cannot_be_had_is_not_built_for_every_frame(
    fake: FakeTensorRT, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 100.0
    monkeypatch.setattr(size_cache, "time", SimpleNamespace(monotonic=lambda: seconds))
    engine = TensorRTEngine(model, "asked for", tmp_path, print)
    fake.faults.add("create_execution_context")
    for _ in range(3):
        with pytest.raises(EngineError, match="cannot prepare the engine"):
            engine.infer(frame_of(48, 64))
    assert len(fake.loaded) == 1
    assert not fake.cuda.alive
    fake.faults.clear()
    with pytest.raises(EngineError, match="tried again in 60 s"):
        engine.infer(frame_of(48, 64))
    seconds += SECONDS_TO_RETRY
    engine.infer(frame_of(48, 64))
    engine.close()


def test_an_altered_engine_never_reaches_the_library(
    fake: FakeTensorRT, model: Model, tmp_path: Path, lines: list[str]
) -> None:
    TensorRTEngine(model, "asked for", tmp_path, print).prepare(48, 64)
    original = fake.loaded.pop()
    (path,) = tmp_path.glob("engine-*.bin")
    path.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
    TensorRTEngine(model, "asked for", tmp_path, lines.append).prepare(48, 64)
    assert [line.split()[0] for line in lines] == ["engine", "building", "built"]
    assert "truncated or altered" in lines[0]
    assert fake.loaded == [path.read_bytes()]
    assert fake.loaded != [original[:-1] + bytes([original[-1] ^ 1])]


def test_running_without_a_graph_is_said_once_and_stands_in_the_name(
    fake: FakeTensorRT, model: Model, tmp_path: Path, lines: list[str]
) -> None:
    fake.faults.add("execute_async_v3 while capturing")
    engine = TensorRTEngine(model, "asked for", tmp_path, lines.append)
    for _ in range(3):
        engine.infer(frame_of(48, 64))
    engine.infer(frame_of(64, 48))
    assert engine.name.endswith(" fp32 (no CUDA graph)")
    told = [line for line in lines if "without a CUDA graph" in line]
    assert len(told) == 2, "once for each size"


def test_every_thread_uses_the_gpu_that_was_asked_for(
    fake: FakeTensorRT, model: Model, tmp_path: Path
) -> None:
    """What a thread of its own prepares, another runs; CUDA lets each begin with the first GPU."""
    fake.cuda.count = 3
    engine = open_engine(model, cache=tmp_path, device="cuda:2")
    assert "Fake GPU cuda:2" in engine.name
    assert engine.reason == "cuda:2 was asked for"
    with ThreadPoolExecutor(1) as pool:
        pool.submit(engine.prepare, 48, 64).result(30)
    frame = frame_of(48, 64)
    np.testing.assert_array_equal(engine.infer(frame)[0], frame[..., 0])
    assert fake.cuda.used == {2}
    assert fake.cuda.calls.count("cudaSetDevice") <= 4, "once for each thread, not for each frame"
    engine.close()


def test_gpus_of_one_kind_share_what_was_built(
    fake: FakeTensorRT, model: Model, tmp_path: Path, lines: list[str]
) -> None:
    fake.cuda.count = 2
    for device in ("cuda:0", "cuda:1"):
        lines.clear()
        TensorRTEngine(model, "asked for", tmp_path, lines.append, device).prepare(48, 64)
    assert lines == []


def test_a_frame_that_runs_is_not_disturbed_by_close(
    fake: FakeTensorRT, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its memory is freed after it; the next frame is told that the engine is closed."""
    engine = TensorRTEngine(model, "asked for", tmp_path, print)
    engine.prepare(48, 64)
    has_begun, may_end = threading.Event(), threading.Event()
    synchronise = fake.cuda.cudaStreamSynchronize

    def synchronise_slowly(stream: Stream) -> object:
        has_begun.set()
        assert may_end.wait(10)
        return synchronise(stream)

    monkeypatch.setattr(fake.cuda, "cudaStreamSynchronize", synchronise_slowly)
    frame = frame_of(48, 64)
    with ThreadPoolExecutor() as pool:
        running = pool.submit(engine.infer, frame)
        assert has_begun.wait(10)
        closing = pool.submit(engine.close)
        with pytest.raises(FutureTimeoutError):
            closing.result(0.05)
        may_end.set()
        np.testing.assert_array_equal(running.result(10)[0], frame[..., 0])
        closing.result(10)
    assert not fake.cuda.alive
    with pytest.raises(EngineError, match="the engine is closed"):
        engine.infer(frame)
