# SPDX-License-Identifier: Apache-2.0
"""benchmarks.gpu, without a GPU: what it counts, how it reports, and that it says it skips."""

import json
from pathlib import Path

import pytest
from gpu_double import FakeCuda, FakeTensorRT
from small_engine import DEVICE, needs_library

from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import cases, engines
from carla_unet_ros.engines.tensorrt_engine import cuda
from carla_unet_ros.engines.tensorrt_engine import library as tensorrt_library
from carla_unet_ros.engines.tensorrt_engine import run as tensorrt_run
from carla_unet_ros.engines.tensorrt_engine.build import Target, built_engine
from carla_unet_ros.engines.tensorrt_engine.engine_cache import EngineCache
from carla_unet_ros.engines.tensorrt_engine.library import library
from carla_unet_ros.model_file import SHIPPED_MODEL, read_model


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTensorRT:
    """A GPU, and a TensorRT that really builds and seems to run."""
    if tensorrt_library.missing_library():
        pytest.skip(tensorrt_library.missing_library())
    fake = FakeTensorRT(FakeCuda(), tensorrt_library.tensorrt_module().TensorIOMode)
    # None is the process itself, which can always be opened.
    monkeypatch.setattr(cuda, "_DRIVER", None)
    monkeypatch.setattr(cuda, "_runtime", lambda: fake.cuda)
    monkeypatch.setattr(tensorrt_run, "tensorrt_module", lambda: fake)
    return fake


def test_without_a_gpu_it_is_skipped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(cuda, "_DRIVER", "libcuda_that_is_not_there.so.1")
    assert gpu.main(["--out", str(tmp_path / "gpu.json")]) == 77
    assert capsys.readouterr().out.startswith("skipped: no NVIDIA driver is loaded")
    assert list(tmp_path.iterdir()) == []


def test_every_engine_is_measured_or_says_why_not(
    fake: FakeTensorRT, small_model_path: Path, tmp_path: Path
) -> None:
    del fake
    out = tmp_path / "gpu.json"
    options = ["--model", str(small_model_path), "--size", "64x48", "--frames", "5"]
    assert gpu.main([*options, "--out", str(out)]) == 0
    (case,) = json.loads(out.read_text())["cases"]
    assert set(case["engines"]) == set(engines.ENGINES)
    assert case["engines"]["TensorRT"]["gpu_ms"] == 2.0  # what the double's stopwatch says
    assert case["engines"]["TensorRT"]["host_to_host_ms"]["median_ms"] > 0
    assert "weights" in case["engines"]["torch eager"]["not_here"]


def test_an_engine_that_fails_is_told_and_costs_the_others_nothing(
    fake: FakeTensorRT, small_model_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.faults.add("deserialize_cuda_engine once")
    out = tmp_path / "gpu.json"
    options = ["--model", str(small_model_path), "--size", "64x48", "--frames", "5"]
    assert gpu.main([*options, "--out", str(out)]) == 1
    engines_found = json.loads(out.read_text())["cases"][0]["engines"]
    assert "cannot load the engine" in engines_found["TensorRT"]["failed"]
    assert "not_here" in engines_found["torch eager"]
    assert "cannot load the engine" in capsys.readouterr().out


def test_the_section_has_a_row_for_each_engine() -> None:
    times = {"median_ms": 0.9, "p95_ms": 1.0, "max_ms": 2.0}
    engine = {"gpu_ms": 0.5, "host_to_host_ms": times, "labels_that_differ": 0.0005}
    found = {"TensorRT": engine, "torch eager": {"not_here": "no torch"}}
    case = {"case": "net", "size": "8x6", "engines": found}
    head = {"command": "c", "machine": "m", "date": "d", "library": "TensorRT 11"}
    device = {"name": "Fake GPU", "driver": "13.0"}
    lines = gpu.section({**head, "gpu": device, "cases": [case]}).splitlines()
    assert lines[-2] == "| net | 8x6 | TensorRT | 0.5 | 0.9 | 1 | 2 | 0.050% |"
    assert lines[-1] == "| net | 8x6 | torch eager | no torch | - | - | - | - |"


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

    full, half = cases.cases_of_file(path, tmp_path)
    assert [case.model.metadata.precision for case in (full, half)] == ["fp32", "fp16"]
    assert half.reference == full.model
    assert full.graph is not None
    for name, weights in net.state_dict().items():
        assert torch.equal(full.graph.net.state_dict()[name], weights), name
    frames = gpu.drive_frames((80, 60), 2)
    reference, labels = engines.reference_labels(full, frames)
    assert "OpenVINO" in reference
    with engines.torch_eager(full, (80, 60), device="cpu") as runner:
        for frame, expected in zip(frames, labels, strict=True):
            assert (runner.run(frame) != expected).mean() < 0.001


@needs_library
@pytest.mark.training
def test_tensorrt_builds_the_shipped_model_in_half_precision(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    full, half = cases.cases_of_file(SHIPPED_MODEL, tmp_path)
    built = [
        built_engine(
            Target(case.model, (800, 600), DEVICE), EngineCache(tmp_path / "engines", print), print
        )
        for case in (full, half)
    ]
    assert library().header_fault(built[1]) == ""
    assert len(built[1]) < 0.7 * len(built[0]), "half of it is weights, of half the size"
