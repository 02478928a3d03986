# SPDX-License-Identifier: Apache-2.0
"""benchmarks.gpu, without a GPU: what it counts, how it reports, and that it says it skips."""

import json
from pathlib import Path

import pytest
from gpu_double import FakeTensorRT, fake_gpu
from small_engine import DEVICE, needs_library

from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import engines
from carla_unet_ros.camera_model import Size
from carla_unet_ros.engines.tensorrt_engine import cuda
from carla_unet_ros.engines.tensorrt_engine.build import Target, built_engine
from carla_unet_ros.engines.tensorrt_engine.engine_cache import EngineCache
from carla_unet_ros.engines.tensorrt_engine.library import library
from carla_unet_ros.model_file import SHIPPED_FP16_MODEL, SHIPPED_MODEL, read_model


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTensorRT:
    """A GPU, and a TensorRT that really builds and seems to run."""
    return fake_gpu(monkeypatch)


def test_without_a_gpu_it_is_skipped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(cuda, "_DRIVER", "libcuda_that_is_not_there.so.1")
    with pytest.raises(SystemExit) as ended:
        gpu.main(["--out", str(tmp_path / "gpu.json")])
    assert ended.value.code == 77
    assert capsys.readouterr().out.startswith("skipped: no NVIDIA driver is loaded")
    assert list(tmp_path.iterdir()) == []


def test_every_engine_is_measured_or_says_why_not(
    fake: FakeTensorRT, small_model_path: Path, tmp_path: Path
) -> None:
    del fake
    out = tmp_path / "gpu.json"
    options = ["--model", str(small_model_path), "--size", "64x48", "--frames", "5"]
    assert gpu.main([*options, "--out", str(out)]) == 0
    found = {engine["engine"]: engine for engine in json.loads(out.read_text())["engines"]}
    assert set(found) == set(engines.ENGINES)
    assert found["TensorRT"]["gpu_ms"] == 2.0  # what the double's stopwatch says
    assert found["TensorRT"]["host_to_host_ms"]["median_ms"] > 0
    assert "weights" in found["torch eager"]["not_here"]


def test_an_engine_that_fails_is_told_and_costs_the_others_nothing(
    fake: FakeTensorRT, small_model_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.faults.add("deserialize_cuda_engine once")
    out = tmp_path / "gpu.json"
    options = ["--model", str(small_model_path), "--size", "64x48", "--frames", "5"]
    assert gpu.main([*options, "--out", str(out)]) == 1
    found = {engine["engine"]: engine for engine in json.loads(out.read_text())["engines"]}
    assert "cannot load the engine" in found["TensorRT"]["failed"]
    assert "not_here" in found["torch eager"]
    assert "cannot load the engine" in capsys.readouterr().out


def test_the_section_has_a_row_for_each_engine() -> None:
    times = {"median_ms": 0.9, "p95_ms": 1.0, "max_ms": 2.0}
    engine = {
        "open_s": 90.0,
        "gpu_ms": 0.5,
        "host_to_host_ms": times,
        "labels_that_differ": 0.0005,
    }
    named = {"net": "net", "size": "8x6"}
    found = [
        {**named, "engine": "TensorRT", **engine},
        {**named, "engine": "torch eager", "not_here": "no torch"},
    ]
    head = {"command": "c", "machine": "m", "date": "d", "library": "TensorRT 11"}
    device = {"name": "Fake GPU", "driver": "13.0"}
    lines = gpu.described({**head, "gpu": device, "engines": found}).splitlines()
    assert lines[-2] == "| net | 8x6 | TensorRT | 90 | 0.5 | 0.9 | 1 | 2 | 0.050% |"
    assert lines[-1] == "| net | 8x6 | torch eager | no torch | - | - | - | - | - |"


@pytest.mark.training
def test_torch_runs_the_weights_that_the_model_file_holds(
    small_model_path: Path, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    from carla_unet_ros.training import export
    from carla_unet_ros.training.net.folding import fold
    from carla_unet_ros.training.net.frame_graph import FrameGraph
    from carla_unet_ros.training.net.unet import UNet, UNetConfig

    torch.manual_seed(0)
    net = UNet(UNetConfig(channels=4, depth=2, stem=2))
    net(torch.randn(2, 3, 32, 32))
    net = fold(net)
    path = tmp_path / "net.onnx"
    proto = export.to_onnx(FrameGraph(net, (64, 48), folded=True).eval())
    export.save(proto, read_model(small_model_path).metadata, path)

    full = engines.Case.of(path)
    assert full.graph is not None
    for name, weights in net.state_dict().items():
        assert torch.equal(full.graph.net.state_dict()[name], weights), name
    frames = gpu.drive_frames((80, 60), 2)
    labels = engines.reference_labels(full, frames)
    with engines.torch_pipeline(full, Size(80, 60), device="cpu") as runner:
        for frame, expected in zip(frames, labels, strict=True):
            assert (runner.run(frame) != expected).mean() < 0.001


@needs_library
@pytest.mark.training
def test_tensorrt_builds_the_shipped_model_in_half_precision(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    full, half = (engines.Case.of(path) for path in (SHIPPED_MODEL, SHIPPED_FP16_MODEL))
    assert full.graph and half.graph
    assert [next(graph.parameters()).dtype for graph in (full.graph, half.graph)] == [
        torch.float32,
        torch.float16,
    ]
    cache = EngineCache(tmp_path / "engines", print)
    built = [
        built_engine(Target(case.model, (800, 600), DEVICE), cache, print) for case in (full, half)
    ]
    assert library().header_fault(built[1]) == ""
    assert len(built[1]) < 0.7 * len(built[0]), "half of it is weights, of half the size"
