"""int8: one file of the same contract for both engines, written only if it is good enough."""

from dataclasses import replace
from pathlib import Path

import onnx
import painted_pairs
import pytest
import tiny_model
from onnx import numpy_helper
from small_engine import DEVICE, needs_library

pytest.importorskip("nncf")

from carla_unet_ros.engines import tensorrt_build
from carla_unet_ros.engines.build_progress import Progress
from carla_unet_ros.engines.tensorrt_build import Target
from carla_unet_ros.engines.tensorrt_library import library
from carla_unet_ros.labels import carla_13
from carla_unet_ros.model_file import SHIPPED_MODEL, read_model, write_metadata
from carla_unet_ros.training import quantize
from carla_unet_ros.training.datasets import DataError, DriveFrames

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def shipped_as_int8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model in int8, its scales read off a few frames of the drive."""
    model = read_model(SHIPPED_MODEL)
    proto = quantize.to_int8(model, DriveFrames(4, carla_13()), frames=4)
    write_metadata(proto, replace(model.metadata, precision="int8"))
    path = tmp_path_factory.mktemp("int8") / "int8.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def test_convolutions_are_int8_and_symmetric(shipped_as_int8: Path) -> None:
    """TensorRT wants zero points of zero; weights have a scale a channel."""
    graph = onnx.load(shipped_as_int8).graph
    constants = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    quantisers = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    assert quantisers
    for node in quantisers:
        assert not constants[node.input[2]].any()
    assert any(constants[node.input[1]].size > 1 for node in graph.node
               if node.op_type == "DequantizeLinear")  # fmt: skip


def test_a_file_that_loses_nothing_is_written_with_its_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if quantising had cost nothing: the model itself in place of its int8 form."""
    monkeypatch.setattr(quantize, "to_int8", lambda *_: onnx.load(SHIPPED_MODEL))
    frames = DriveFrames(2, carla_13())
    out = tmp_path / "new" / "out.onnx"
    before, after = quantize.quantise(read_model(SHIPPED_MODEL), frames, frames, out, 2)
    metadata = read_model(out).metadata
    assert before.matrix.mean_iou() == after.matrix.mean_iou()
    assert metadata.precision == "int8"
    assert metadata.iou_data == "drive (the last 2 training frames, held back)"
    assert metadata.iou["Roads"] == pytest.approx(after.figures()["iou"]["Roads"])


@needs_library
def test_tensorrt_builds_the_same_file(shipped_as_int8: Path) -> None:
    target = Target(read_model(shipped_as_int8), (800, 600), DEVICE)
    engine = tensorrt_build._build(target, b"", Progress()).engine
    assert library().header_fault(engine) == ""


def test_a_file_that_loses_too_much_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if quantising had taken the net's wits: another model in place of the int8 one."""
    poor = onnx.load(tiny_model.write(tmp_path / "poor.onnx"))
    monkeypatch.setattr(quantize, "to_int8", lambda *_: poor)
    frames = DriveFrames(2, carla_13())
    out = tmp_path / "out.onnx"
    with pytest.raises(quantize.QuantisationError, match=r"points of mean IoU .* is not written"):
        quantize.quantise(read_model(SHIPPED_MODEL), frames, frames, out, 2)
    assert not out.exists()


def test_the_last_fifth_judges() -> None:
    names = [str(index) for index in range(10)]
    assert quantize.calibration_split(names) == (names[:8], names[8:])
    with pytest.raises(DataError, match="too few"):
        quantize.calibration_split(["only"])


def test_only_fp32_is_quantised(
    shipped_as_int8: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = painted_pairs.write(tmp_path / "pairs", 2)
    options = ["--model", str(shipped_as_int8), "--data", str(folder), "--tags", "0.8.x"]
    assert quantize.main([*options, "--out", str(tmp_path / "x.onnx")]) == 1
    assert "is int8; expected fp32" in capsys.readouterr().err
