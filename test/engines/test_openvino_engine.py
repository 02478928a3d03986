"""OpenVINO's engine: sizes do not disturb each other, and what is no longer used is freed."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_model import painted

from carla_unet_ros.engines import SIZES_KEPT, EngineError
from carla_unet_ros.engines.openvino_engine import OpenVINOEngine
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
