# SPDX-License-Identifier: Apache-2.0
"""How frames go through the GPU, on a double of CUDA and of TensorRT's run time.

What only a GPU can show is in ../test_gpu.py, marked `gpu`.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from gpu_double import FakeTensorRT
from small_engine import needs_library, needs_rtx

from carla_unet_ros.engines import EngineError
from carla_unet_ros.engines.tensorrt_engine import library as tensorrt_library
from carla_unet_ros.engines.tensorrt_engine import run as tensorrt_run
from carla_unet_ros.engines.tensorrt_engine.run import FrameRun, load_engine

pytestmark = needs_library

HEIGHT, WIDTH = 5, 7


def engine_bytes() -> bytes:
    """As little as is looked at before an engine is loaded: the magic word and the version."""
    library = tensorrt_library.library()
    version = bytes(int(part) for part in library.version.split("."))
    return tensorrt_library._MAGIC[library.name] + bytes(20) + version


def frame_of(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)


def run_of(fake: FakeTensorRT, graph: bool = True) -> FrameRun:
    run = FrameRun(load_engine(engine_bytes()), HEIGHT, WIDTH, graph)
    fake.cuda.calls.clear()
    return run


@pytest.mark.parametrize("graph", [True, False])
def test_every_pixel_comes_back_where_it_belongs(fake: FakeTensorRT, graph: bool) -> None:
    run = run_of(fake, graph)
    for seed in range(3):
        frame = frame_of(seed)
        labels, confidence = run.run(frame)
        np.testing.assert_array_equal(labels, frame[..., 0])
        np.testing.assert_array_equal(confidence, frame[..., 1])


def test_a_result_is_the_callers_and_later_frames_leave_it_alone(fake: FakeTensorRT) -> None:
    run = run_of(fake)
    labels, confidence = run.run(frame_of(0))
    kept = labels.copy(), confidence.copy()
    run.run(frame_of(1))
    run.close()
    np.testing.assert_array_equal(labels, kept[0])
    np.testing.assert_array_equal(confidence, kept[1])


def test_a_frame_is_one_graph_launch_and_one_synchronise(fake: FakeTensorRT) -> None:
    run = run_of(fake)
    for _ in range(100):
        run.run(frame_of(0))
    assert fake.cuda.calls == ["cudaGraphLaunch", "cudaStreamSynchronize"] * 100


def test_without_a_graph_a_frame_is_three_operations_and_one_synchronise(
    fake: FakeTensorRT,
) -> None:
    run = run_of(fake, graph=False)
    run.run(frame_of(0))
    assert fake.cuda.calls == [
        "cudaMemcpyAsync in",
        "execute_async_v3",
        "cudaMemcpyAsync out",
        "cudaStreamSynchronize",
    ]


def test_addresses_are_set_first_and_a_plain_run_is_done_before_the_capture(
    fake: FakeTensorRT,
) -> None:
    FrameRun(load_engine(engine_bytes()), HEIGHT, WIDTH)
    calls = fake.cuda.calls
    plain = ["cudaMemcpyAsync in", "execute_async_v3", "cudaMemcpyAsync out"]
    assert calls[calls.index("set_tensor_address frame") :] == [
        "set_tensor_address frame",
        "set_tensor_address labels",
        "set_tensor_address confidence",
        *plain,
        "cudaStreamSynchronize",
        "cudaStreamBeginCapture",
        *plain,
        "cudaStreamEndCapture",
        "cudaGraphInstantiate",
        "cudaGraphDestroy",
        "cudaGraphLaunch",
        "cudaStreamSynchronize",
    ]


@pytest.mark.parametrize("tensor", ["frame", "labels", "confidence"])
def test_tensors_begin_where_tensorrt_wants_them(
    fake: FakeTensorRT, monkeypatch: pytest.MonkeyPatch, tensor: str
) -> None:
    bound: dict[str, int] = {}
    monkeypatch.setattr(
        FrameRun, "_bind", lambda _self, name, address: bound.__setitem__(name, address)
    )
    monkeypatch.setattr(FrameRun, "_queue", lambda _self: None)
    run_of(fake, graph=False)
    begin = bound["frame"] if tensor == "frame" else bound["labels"]
    assert (bound[tensor] - begin) % 256 == 0
    assert bound["confidence"] - bound["labels"] >= HEIGHT * WIDTH


def test_closing_frees_all_and_may_be_done_twice(fake: FakeTensorRT) -> None:
    run = run_of(fake)
    assert len(fake.cuda.alive) == 6, "two host and two GPU blocks, a stream, a graph"
    run.close()
    run.close()
    assert not fake.cuda.alive
    assert fake.cuda.calls[0] == "cudaGraphExecDestroy"
    assert fake.cuda.calls[-1] == "cudaStreamDestroy"
    with pytest.raises(EngineError, match="closed"):
        run.run(frame_of(0))


@pytest.mark.parametrize(
    "call",
    [
        "cudaStreamCreateWithFlags",
        "cudaMallocHost",
        "cudaMalloc",
        "cudaMemcpyAsync in",
        "cudaMemcpyAsync out",
        "cudaStreamSynchronize",
    ],
)
def test_a_cuda_call_that_fails_is_named_and_nothing_stays_allocated(
    fake: FakeTensorRT, call: str
) -> None:
    fake.cuda.failing.add(call)
    with pytest.raises(EngineError, match=r"CUDA failed at .*cudaErrorUnknown \(text of"):
        run_of(fake)
    assert not fake.cuda.alive


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("create_execution_context", "cannot prepare the engine"),
        ("set_input_shape", "does not take 7x5 frames"),
        ("get_tensor_shape", r"labels of uint8 \[1, 1\] .* expected uint8 \[5, 7\]"),
        ("get_tensor_dtype labels", r"gives labels of float \[5, 7\] .* expected uint8 \[5, 7\]"),
        ("set_tensor_address", "refuses the memory for frame"),
        ("execute_async_v3", "cannot run the engine"),
    ],
)
def test_what_tensorrt_refuses_is_an_error_and_nothing_stays_allocated(
    fake: FakeTensorRT, method: str, text: str
) -> None:
    fake.faults.add(method)
    with pytest.raises(EngineError, match=text):
        run_of(fake)
    assert not fake.cuda.alive


@pytest.mark.parametrize(
    "call",
    ["cudaStreamBeginCapture", "cudaStreamEndCapture", "cudaGraphInstantiate", "cudaGraphLaunch"],
)
def test_where_a_graph_fails_frames_run_without_and_say_why(fake: FakeTensorRT, call: str) -> None:
    fake.cuda.failing.add(call)
    run = run_of(fake)
    assert "cudaErrorUnknown" in run.graph_fault
    frame = frame_of(0)
    np.testing.assert_array_equal(run.run(frame)[0], frame[..., 0])
    assert "cudaGraphLaunch" not in fake.cuda.calls
    run.close()
    assert not fake.cuda.alive


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("is_stream_capturable", marks=needs_rtx),
        "execute_async_v3 while capturing",
    ],
)
def test_where_tensorrt_cannot_be_captured_frames_run_without_and_say_why(
    fake: FakeTensorRT, fault: str
) -> None:
    fake.faults.add(fault)
    run = run_of(fake)
    assert run.graph_fault
    assert all(stream.capturing is None for stream in fake.cuda.streams.values())
    frame = frame_of(0)
    np.testing.assert_array_equal(run.run(frame)[0], frame[..., 0])
    run.close()
    assert not fake.cuda.alive


@needs_rtx
def test_without_a_cache_of_kernels_they_are_compiled_again(fake: FakeTensorRT) -> None:
    fake.faults.add("set_runtime_cache")
    run = run_of(fake)
    assert run.kernels == b""
    frame = frame_of(0)
    np.testing.assert_array_equal(run.run(frame)[0], frame[..., 0])
    run.close()
    assert not fake.cuda.alive


def test_what_the_library_logged_is_in_the_error(fake: FakeTensorRT) -> None:
    fake.faults.add("deserialize_cuda_engine")
    lines = tensorrt_library.library().lines
    with pytest.raises(EngineError, match="cannot load the engine: the library logged no reason"):
        load_engine(engine_bytes())
    # What was logged while the engine was running stays for the error of the next frame.
    run = FrameRun(load_engine_of(fake), HEIGHT, WIDTH, graph=False)
    lines.add("out of cheese\n")
    fake.faults.add("execute_async_v3")
    with pytest.raises(EngineError, match=r"cannot run the engine: out of cheese$"):
        run.run(frame_of(0))


def load_engine_of(fake: FakeTensorRT) -> tensorrt_run.LoadedEngine:
    fake.faults.clear()
    return load_engine(engine_bytes())


def altered(start: int, content: bytes) -> bytes:
    whole = bytearray(engine_bytes())
    whole[start : start + len(content)] = content
    return bytes(whole)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (lambda: b"", "it is no TensorRT"),
        (lambda: engine_bytes()[:20], "it is no TensorRT"),
        (lambda: altered(0, b"ELF"), "it is no TensorRT"),
        (lambda: altered(24, b"\x07\x08\x09"), r"it was built by TensorRT.* 7\.8\.9; this is "),
    ],
)
def test_bytes_that_are_no_engine_of_this_library_are_not_deserialised(
    fake: FakeTensorRT, content: Callable[[], bytes], text: str
) -> None:
    with pytest.raises(EngineError, match=text):
        load_engine(content())
    assert fake.loaded == []


def test_a_version_is_only_read_where_the_layout_is_known() -> None:
    library = tensorrt_library.library()
    assert library.header_fault(altered(24, b"\x07")) != ""
    assert library.header_fault(altered(4, b"\x01")[:24] + b"\x07" * 4) == ""


@pytest.mark.parametrize("suffix", ["b6", ".post1"])
def test_letters_in_a_version_do_not_make_it_another(suffix: str) -> None:
    library = tensorrt_library.library()
    short = ".".join(library.version.split(".")[:3])
    assert dataclasses.replace(library, version=short + suffix).header_fault(engine_bytes()) == ""


def test_a_library_that_is_too_old_is_not_used_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    version = tensorrt_library.library().version
    future = {"TensorRT": (99, 3), "TensorRT-RTX": (99, 3)}
    monkeypatch.setattr(tensorrt_library, "_OLDEST", future)
    reason = tensorrt_library._find.__wrapped__()
    assert f"{version} is older than 99.3" in str(reason)


def test_an_engine_of_another_contract_is_refused(fake: FakeTensorRT) -> None:
    fake.faults.add("get_tensor_dtype frame")
    with pytest.raises(EngineError, match="frame of FLOAT, labels of UINT8"):
        load_engine(engine_bytes())
