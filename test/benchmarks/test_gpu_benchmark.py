"""benchmarks/gpu.py, without a GPU: what it counts, how it reports, and that it says it skips."""

import json
from pathlib import Path

import gpu
import gpu_cases
import gpu_engines
import gpu_floor
import numpy as np
import onnx
import pytest
from gpu_double import FakeCuda, FakeTensorRT
from gpu_floor import Floor, Rates, Work
from onnx import TensorProto, helper, numpy_helper
from small_engine import DEVICE, needs_library

from carla_unet_ros.engines import cuda, tensorrt_library, tensorrt_run
from carla_unet_ros.engines.engine_cache import EngineCache
from carla_unet_ros.engines.tensorrt_build import Target, built_engine
from carla_unet_ros.engines.tensorrt_library import library
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
    monkeypatch.setattr(gpu_floor, "_COPIED", 2**10)
    return fake


def test_without_a_gpu_it_is_skipped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(cuda, "_DRIVER", "libcuda_that_is_not_there.so.1")
    assert gpu.main(["--out", str(tmp_path / "gpu.json")]) == 77
    assert capsys.readouterr().out.startswith("skipped: no NVIDIA driver is loaded")
    assert list(tmp_path.iterdir()) == []


def test_operations_and_bytes_of_a_net_as_counted_by_hand(small_model_path: Path) -> None:
    """Two 3x3 convolutions at 64x48: 4 to 16 channels, and 16 to 13."""
    places = 64 * 48
    operations = 2 * 9 * (4 * 16 + 16 * 13) * places
    values = (4 + 16 + 16 + 13) * places + 9 * (4 * 16 + 16 * 13)
    assert gpu_floor.work_of(small_model_path, "fp32") == Work(operations, 4 * values)
    assert gpu_floor.work_of(small_model_path, "fp16") == Work(operations, 2 * values)


def test_a_transposed_convolution_uses_a_weight_for_each_input(tmp_path: Path) -> None:
    """2x2, stride 2, 8 to 4 channels, on 5x7: 128 weights at 35 places."""
    weights = numpy_helper.from_array(np.zeros((8, 4, 2, 2), np.float32), "weights")
    graph = helper.make_graph(
        [helper.make_node("ConvTranspose", ["x", "weights"], ["y"], strides=[2, 2])],
        "enlarge",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8, 5, 7])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [weights],
    )
    path = tmp_path / "enlarge.onnx"
    onnx.save(helper.make_model(graph), path)
    values = 8 * 35 + 128 + 4 * 140
    assert gpu_floor.work_of(path, "fp32") == Work(2 * 128 * 35, 4 * values)


def test_a_shape_the_file_does_not_tell_is_an_error(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "weights"], ["y"])],
        "unknown",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8, "height", "width"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.zeros((4, 8, 1, 1), np.float32), "weights")],
    )
    onnx.save(helper.make_model(graph), tmp_path / "unknown.onnx")
    with pytest.raises(ValueError, match="does not tell the shape of 'x'"):
        gpu_floor.work_of(tmp_path / "unknown.onnx", "fp32")


def test_the_floor_is_the_longer_of_work_and_memory_and_the_copies() -> None:
    """8 G operations at 4 T/s: 2 ms; 3 GB at 1 TB/s: 3 ms; 10 pixels: 40 bytes in, 20 out."""
    rates = Rates({"fp16": 4e12}, to_gpu=40e3, from_gpu=10e3, on_gpu=1e12)
    work = Work(operations=8_000_000_000, nbytes=3_000_000_000)
    floor = gpu_floor.floor_of(work, rates, "fp16", (5, 2))
    assert floor is not None
    assert floor == pytest.approx(Floor(operations=2.0, memory=3.0, copies=1.0 + 2.0))
    assert floor.gpu == pytest.approx(3.0)
    assert floor.host_to_host == pytest.approx(6.0)
    assert gpu_floor.floor_of(work, rates, "int8", (5, 2)) is None


def test_rates_are_bytes_by_the_gpus_own_clock_and_nothing_stays_allocated(
    fake: FakeTensorRT,
) -> None:
    """The double takes 2 ms for anything; a copy on the GPU reads and writes each byte."""
    rates = gpu_floor.measured_rates()
    assert rates.to_gpu == pytest.approx(2**10 / 0.002)
    assert rates.from_gpu == pytest.approx(2**10 / 0.002)
    assert rates.on_gpu == pytest.approx(2 * 2**10 / 0.002)
    assert not fake.cuda.alive


def test_every_engine_gets_numbers_or_the_reason_why_not(
    fake: FakeTensorRT,
    small_model_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "gpu.json"
    arguments = ["--model", str(small_model_path), "--size", "64x48", "--no-classic"]
    assert gpu.main([*arguments, "--frames", "5", "--out", str(out)]) == 0
    results = json.loads(out.read_text())
    assert results["machine"]["name"] == "Fake GPU"
    (case,) = results["cases"]
    assert case["case"] == "small fp32"
    assert set(case["engines"]) == set(gpu_engines.ENGINES)
    for name in ("TensorRT", "TensorRT, no graph"):
        engine = case["engines"][name]
        times = engine["host_to_host_ms"]
        assert engine["gpu_ms"] == 2.0
        assert 0 < times["median"] <= times["p95"] <= times["max"]
        assert engine["build_s"] > 0
        assert 0 < engine["labels_that_differ"] <= 1, "the double gives blue as label"
    for name in ("torch eager", "torch.compile", "ONNX Runtime CUDA"):
        assert case["engines"][name]["not_here"]
    assert fake.cuda.calls.count("cudaStreamBeginCapture") == 2, "a frame, and the net alone"
    assert not fake.cuda.alive
    said = capsys.readouterr().out
    assert "| small fp32 | 64x48 | TensorRT | 2.000 |" in said


def test_an_engine_that_fails_is_told_and_costs_the_others_nothing(
    fake: FakeTensorRT, small_model_path: Path, tmp_path: Path
) -> None:
    fake.faults.add("deserialize_cuda_engine once")
    out = tmp_path / "gpu.json"
    arguments = ["--model", str(small_model_path), "--size", "64x48", "--no-classic"]
    assert gpu.main([*arguments, "--frames", "5", "--out", str(out)]) == 1
    engines = json.loads(out.read_text())["cases"][0]["engines"]
    assert "cannot load the engine" in engines["TensorRT"]["failed"]
    assert engines["TensorRT, no graph"]["gpu_ms"] == 2.0
    assert "cannot load the engine" in gpu.table(json.loads(out.read_text()))


def test_the_table_has_the_floor_and_the_ratio_to_it() -> None:
    engine = {
        "gpu_ms": 0.5,
        "host_to_host_ms": {"median": 0.9, "p95": 1.0, "max": 2.0},
        "times_floor": 1.5,
        "labels_that_differ": 0.0005,
    }
    floor = Floor(operations=0.3, memory=0.4, copies=0.2).milliseconds()
    case = {"case": "net", "size": [8, 6], "floor_ms": floor, "engines": {"TensorRT": engine}}
    lines = gpu.table({"cases": [case]}).splitlines()
    assert lines[2] == "| net | 8x6 | the floor | 0.400 | 0.600 | | | 1.000 | |"
    assert lines[3] == (
        "| net | 8x6 | TensorRT | 0.500 | 0.900 | 1.000 | 2.000 | 1.500 | 0.050% |"
    )


@pytest.mark.training
@pytest.mark.parametrize("stem", [1, 2])
@pytest.mark.parametrize("skips", [True, False])
@pytest.mark.parametrize("most", [16, 32])
def test_a_nets_config_is_told_by_the_shapes_of_its_weights(
    stem: int, skips: bool, most: int
) -> None:
    pytest.importorskip("torch")
    from carla_unet_ros.training.net.folding import fold
    from carla_unet_ros.training.net.unet import UNet, UNetConfig

    config = UNetConfig(7, channels=4, depth=3, stem=stem, max_channels=most, skips=skips)
    assert gpu_cases._config(fold(UNet(config)).state_dict()) == config


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

    full, half = gpu_cases.cases_of_file(path, tmp_path)
    assert (full.precision, half.precision) == ("fp32", "fp16")
    assert half.reference == full.model
    assert full.graph is not None
    for name, weights in net.state_dict().items():
        assert torch.equal(full.graph.net.state_dict()[name], weights), name
    frames = gpu_cases.drive_frames((80, 60))[:2]
    reference, labels = gpu_engines.reference_labels(full, frames)
    assert "OpenVINO" in reference
    with gpu_engines.torch_eager(full, (80, 60), device="cpu") as runner:
        for frame, expected in zip(frames, labels, strict=True):
            assert (runner.run(frame) != expected).mean() < 0.001


@needs_library
@pytest.mark.training
def test_tensorrt_builds_the_shipped_model_in_half_precision(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    full, half = gpu_cases.cases_of_file(SHIPPED_MODEL, tmp_path)
    assert half.precision == "fp16"
    engines = [
        built_engine(Target(case.model, (800, 600), DEVICE), EngineCache(tmp_path, print), print)
        for case in (full, half)
    ]
    assert library().header_fault(engines[1]) == ""
    assert len(engines[1]) < 0.7 * len(engines[0]), "half of it is weights, of half the size"


@pytest.mark.training
def test_a_file_with_other_weights_is_measured_without_torch(
    small_model_path: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    (case,) = gpu_cases.cases_of_file(small_model_path, tmp_path)
    assert case.graph is None
    assert "does not hold a U-Net's weights" in case.no_torch
