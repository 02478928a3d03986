# SPDX-License-Identifier: Apache-2.0
"""The TensorRT engine as the node opens it: without a GPU, and on a double of one.

On a real one: test_gpu.py.
"""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from gpu_double import FakeCuda, FakeTensorRT, Stream
from small_engine import needs_rtx

from carla_unet_ros.engines import SIZES_KEPT, EngineError, open_engine, size_cache
from carla_unet_ros.engines.openvino_engine import OpenVINOEngine
from carla_unet_ros.engines.size_cache import SECONDS_TO_RETRY
from carla_unet_ros.engines.tensorrt_engine import cuda
from carla_unet_ros.engines.tensorrt_engine import engine as tensorrt_engine
from carla_unet_ros.engines.tensorrt_engine import library as tensorrt_library
from carla_unet_ros.engines.tensorrt_engine import run as tensorrt_run
from carla_unet_ros.engines.tensorrt_engine.engine import TensorRTEngine
from carla_unet_ros.engines.tensorrt_engine.engine_cache import entries
from carla_unet_ros.model_file import Model, read_model

ROOT = Path(tensorrt_engine.__file__).parents[2]


@pytest.fixture
def model(small_model_path: Path) -> Model:
    return read_model(small_model_path)


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "_DRIVER", "libcuda_that_is_not_there.so.1")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeTensorRT:
    """A GPU, and a TensorRT that really builds and seems to run; `fake.cuda` is the GPU."""
    if tensorrt_library.missing_library():
        pytest.skip(tensorrt_library.missing_library())
    trt = FakeTensorRT(FakeCuda(), tensorrt_library.tensorrt_module().TensorIOMode)
    # None is the process itself, which can always be opened.
    monkeypatch.setattr(cuda, "_DRIVER", None)
    monkeypatch.setattr(cuda, "_DRIVER_RELEASE", tmp_path / "no release")
    monkeypatch.setattr(cuda, "_runtime", lambda: trt.cuda)
    monkeypatch.setattr(cuda, "_thread", threading.local())
    monkeypatch.setattr(tensorrt_run, "tensorrt_module", lambda: trt)
    return trt


def frame_of(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)


@pytest.mark.usefixtures("no_driver")
def test_tensorrt_without_a_driver_is_an_error_that_names_it(model: Model) -> None:
    with pytest.raises(EngineError, match="tensorrt cannot run here: no NVIDIA driver is loaded"):
        open_engine(model, "tensorrt")


@pytest.mark.usefixtures("no_driver")
def test_auto_without_a_driver_is_openvino_and_the_reason_is_told_once(
    model: Model, lines: list[str]
) -> None:
    engine = open_engine(model, "auto", log=lines.append)
    assert isinstance(engine, OpenVINOEngine)
    assert len(lines) == 1
    assert "TensorRT cannot run here: no NVIDIA driver is loaded" in lines[0]
    assert engine.reason in lines[0]


@pytest.mark.usefixtures("no_driver")
def test_what_else_is_missing_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt_library, "_MODULES", {"tensorrt_of_nowhere": "TensorRT"})
    driver, library = tensorrt_engine.missing().split("; ")
    assert "libcuda_that_is_not_there" in driver
    assert "pip install 'carla_unet_ros[tensorrt]'" in library


@pytest.mark.parametrize(
    ("call", "answer", "text"),
    [
        (
            "cudaGetDeviceCount",
            "cudaErrorInsufficientDriver",
            r"answers CUDA 13\.2, too old .*13\.5",
        ),
        ("cudaGetDeviceCount", "cudaErrorNoDevice", r"no CUDA device answers: cudaErrorNoDevice"),
    ],
)
def test_a_driver_without_a_device_is_named(
    fake: FakeTensorRT, monkeypatch: pytest.MonkeyPatch, call: str, answer: str, text: str
) -> None:
    error = getattr(FakeCuda.cudaError_t, answer)
    monkeypatch.setattr(fake.cuda, call, lambda: (error, None))
    pytest.importorskip("cuda.bindings.runtime")
    with pytest.raises(EngineError, match=text):
        raise EngineError(tensorrt_engine.missing())


def test_the_modules_import_without_tensorrt_and_cuda() -> None:
    script = (
        "import sys\n"
        "libraries = 'tensorrt', 'tensorrt_bindings', 'tensorrt_rtx', 'tensorrt_rtx_bindings'\n"
        "sys.modules.update(dict.fromkeys((*libraries, 'cuda', 'cuda.bindings.runtime')))\n"
        "import carla_unet_ros.engines.build_engine\n"
        "from carla_unet_ros.engines.tensorrt_engine import cuda, engine\n"
        "cuda._DRIVER = None\n"
        "print(engine.missing())\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert "cuda-bindings cannot be imported" in answer.stdout
    assert "no TensorRT is installed" in answer.stdout


@pytest.mark.usefixtures("fake")
def test_auto_on_a_gpu_is_tensorrt_and_says_so(
    model: Model, tmp_path: Path, lines: list[str]
) -> None:
    engine = open_engine(model, "auto", tmp_path / "cache", lines.append)
    assert isinstance(engine, TensorRTEngine)
    assert engine.name == f"{tensorrt_library.library()} Fake GPU fp32"
    assert lines == [f"engine {engine.name} (a GPU and TensorRT are there)"]
    engine.close()


@needs_rtx
@pytest.mark.usefixtures("fake")
def test_a_gpu_the_library_does_not_list_is_left_to_openvino_unless_asked_for(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hopper = cuda.Device("Fake GPU", "9.0", "13.0")
    monkeypatch.setattr(cuda, "device", lambda _number: hopper)
    engine = open_engine(model, "auto", tmp_path, print)
    assert isinstance(engine, OpenVINOEngine)
    assert "does not list GPUs of compute capability 9.0" in engine.reason
    assert isinstance(open_engine(model, "tensorrt", tmp_path, print), TensorRTEngine)


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


@pytest.mark.usefixtures("fake")
def test_a_gpu_that_is_not_there_is_a_sentence(model: Model, tmp_path: Path) -> None:
    message = r"tensorrt cannot run on cuda:1: there is no CUDA device cuda:1; those .*: cuda:0$"
    with pytest.raises(EngineError, match=message):
        open_engine(model, cache=tmp_path, device="cuda:1")


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
