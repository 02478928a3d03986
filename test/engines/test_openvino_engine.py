# SPDX-License-Identifier: Apache-2.0
"""OpenVINO's engine: sizes do not disturb each other, and what is no longer used is freed."""

import gc
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny_model
from onnx import TensorProto, helper, numpy_helper
from tiny_model import painted

from carla_unet_ros.engines import SIZES_KEPT, EngineError
from carla_unet_ros.engines.openvino_engine import CompiledGraph, OpenVINOEngine
from carla_unet_ros.labels import Uint8
from carla_unet_ros.model_file import Model, read_model


@pytest.fixture
def model(tiny_model_path: Path) -> Model:
    return read_model(tiny_model_path)


@pytest.fixture
def only_reference_counts() -> Iterator[None]:
    """With the collector of cycles off, what is still there after `del` stands in a cycle."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def random_labels(height: int, width: int, seed: int = 0) -> Uint8:
    return np.random.default_rng(seed).integers(0, 13, (height, width), np.uint8)


def check(engine: OpenVINOEngine, height: int, width: int) -> None:
    labels = random_labels(height, width)
    np.testing.assert_array_equal(engine.infer(painted(labels))[0], labels)


@pytest.mark.usefixtures("only_reference_counts")
def test_an_engine_dies_with_its_graphs_when_it_is_dropped(model: Model) -> None:
    engine = OpenVINOEngine(model)
    check(engine, 4, 6)
    compiled = engine._compiled.get(4, 6, engine._compile)
    request = weakref.ref(compiled._request)
    alive = [weakref.ref(engine), weakref.ref(engine._graph), weakref.ref(compiled), request]
    del engine, compiled
    assert [reference() for reference in alive] == [None] * 4


@pytest.mark.usefixtures("only_reference_counts")
def test_close_frees_the_graphs_and_the_engine_runs_nothing_more(model: Model) -> None:
    engine = OpenVINOEngine(model)
    check(engine, 4, 6)
    alive = [
        weakref.ref(engine._graph),
        weakref.ref(engine._compiled.get(4, 6, engine._compile)._request),
    ]
    engine.close()
    engine.close()
    assert [reference() for reference in alive] == [None] * 2
    for height in (4, 5):
        with pytest.raises(EngineError, match="the engine is closed"):
            engine.infer(painted(random_labels(height, 6)))


def test_a_frame_that_comes_while_its_graph_is_freed_is_told_so_and_no_more(model: Model) -> None:
    """Another thread may close the engine between finding the graph and running it."""
    engine = OpenVINOEngine(model)
    engine._compiled.get(4, 6, engine._compile).close()
    with pytest.raises(EngineError, match=r"^the engine is closed$"):
        engine.infer(painted(random_labels(4, 6)))


@pytest.mark.usefixtures("only_reference_counts")
def test_the_size_longest_unused_is_freed_when_there_are_too_many(model: Model) -> None:
    engine = OpenVINOEngine(model)
    oldest = weakref.ref(engine._compiled.get(16, 16, engine._compile)._request)
    for width in range(17, 16 + SIZES_KEPT):
        check(engine, 16, width)
    assert oldest() is not None
    check(engine, 16, 100)
    assert oldest() is None
    assert len(engine._compiled) == SIZES_KEPT
    check(engine, 16, 16)


def test_preparing_another_size_leaves_what_runs_as_it_is(model: Model) -> None:
    engine = OpenVINOEngine(model)
    check(engine, 4, 6)
    first = engine._compiled.get(4, 6, engine._compile)
    engine.prepare(30, 20)
    assert engine._compiled.get(4, 6, engine._compile) is first
    assert engine._graph is not None
    assert engine._graph.input("frame").partial_shape.is_dynamic, "the file's own shape"
    check(engine, 4, 6)
    check(engine, 30, 20)


def changed(tiny_model_path: Path, path: Path, *nodes: onnx.NodeProto) -> Model:
    """The tiny model with other labels: `nodes` make them of "ids", int64 [H, W].

    What the file declares stays the same, so `read_model` finds nothing wrong.
    """
    proto = onnx.load(tiny_model_path)
    kept = [node for node in proto.graph.node if node.output[0] != "labels"]
    del proto.graph.node[:]
    proto.graph.node.extend([*kept, *nodes])
    for name, value in (("zero", 0), ("two", 2), ("one", 1)):
        proto.graph.initializer.append(numpy_helper.from_array(np.array([value]), name))
    path.write_bytes(proto.SerializeToString())
    return read_model(path)


def cast(source: str, target: str, to: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], to=to)


TWO_COLUMNS = (
    helper.make_node("Slice", ["ids", "zero", "two", "one"], ["some"]),
    cast("some", "labels", TensorProto.UINT8),
)
WIDE = (cast("ids", "labels", TensorProto.UINT64),)
AS_MANY_COLUMNS_AS_THE_LARGEST_ID = (
    helper.make_node("ReduceMax", ["ids"], ["largest"], keepdims=0),
    helper.make_node("Unsqueeze", ["largest", "zero"], ["end"]),
    helper.make_node("Slice", ["ids", "zero", "end", "one"], ["some"]),
    cast("some", "labels", TensorProto.UINT8),
)


@pytest.mark.parametrize(
    ("nodes", "found"),
    [
        (TWO_COLUMNS, r"uint8 \[48, 2\]"),
        (WIDE, r"u64 \[48, 64\]"),
        (AS_MANY_COLUMNS_AS_THE_LARGEST_ID, r"uint8 \[48,.*\?*\]"),
    ],
)
def test_what_a_model_really_gives_is_checked_before_its_first_frame(
    tiny_model_path: Path, tmp_path: Path, nodes: tuple[onnx.NodeProto, ...], found: str
) -> None:
    engine = OpenVINOEngine(changed(tiny_model_path, tmp_path / "wrong.onnx", *nodes))
    message = rf"wrong\.onnx gives labels of {found} for 64x48 .* expected uint8 \[48, 64\]"
    with pytest.raises(EngineError, match=message):
        engine.prepare(48, 64)
    with pytest.raises(EngineError, match="labels of"):
        engine.infer(painted(random_labels(48, 64)))


def test_errors_of_openvino_name_the_file(tiny_model_path: Path, tmp_path: Path) -> None:
    unknown = helper.make_node("NoSuchOperator", ["ids"], ["labels"])
    with pytest.raises(EngineError, match=r"cannot read .*odd\.onnx: .*NoSuchOperator"):
        OpenVINOEngine(changed(tiny_model_path, tmp_path / "odd.onnx", unknown))
    path = tiny_model.write(tmp_path / "picky.onnx", only_size=(4, 6))
    engine = OpenVINOEngine(read_model(path))
    check(engine, 4, 6)
    with pytest.raises(EngineError, match=r"cannot prepare .*picky\.onnx for 7x5 frames: "):
        engine.prepare(5, 7)


def test_a_file_that_was_changed_since_it_was_read_is_not_run(
    tiny_model_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(tiny_model_path.read_bytes())
    model = read_model(path)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(EngineError, match=r"net\.onnx was changed since it was read"):
        OpenVINOEngine(model)
    path.unlink()
    with pytest.raises(EngineError, match=r"net\.onnx cannot be read"):
        OpenVINOEngine(model)


def test_what_runs_is_what_was_read(tiny_model_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(tiny_model_path.read_bytes())
    engine = OpenVINOEngine(read_model(path))
    path.write_bytes(b"")
    check(engine, 4, 6)


def test_frames_of_a_size_that_is_prepared_go_on_while_another_is_prepared(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = OpenVINOEngine(model)
    check(engine, 4, 6)
    compile_graph = engine._compile
    has_begun, may_end = threading.Event(), threading.Event()

    def compile_slowly(height: int, width: int) -> CompiledGraph:
        has_begun.set()
        assert may_end.wait(10)
        return compile_graph(height, width)

    monkeypatch.setattr(engine, "_compile", compile_slowly)
    with ThreadPoolExecutor() as pool:
        prepared = pool.submit(engine.prepare, 30, 20)
        assert has_begun.wait(10)
        for _ in range(20):
            check(engine, 4, 6)
        may_end.set()
        prepared.result(10)
    check(engine, 30, 20)


def test_one_thread_may_prepare_sizes_without_end_while_another_runs_frames(model: Model) -> None:
    engine = OpenVINOEngine(model)
    engine.prepare(40, 60)

    def prepare_many() -> None:
        for width in range(16, 16 + 5 * SIZES_KEPT):
            engine.prepare(16, width)

    frames = 0
    with ThreadPoolExecutor() as pool:
        prepared = pool.submit(prepare_many)
        while not prepared.done():
            check(engine, 40, 60)
            frames += 1
        prepared.result()
    assert frames > 1
    assert len(engine._compiled) == SIZES_KEPT
