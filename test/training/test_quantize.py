# SPDX-License-Identifier: Apache-2.0
"""int8: one file of the same contract for both engines, written only if it is good enough."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import painted_pairs
import pytest
import tiny_model
from onnx import TensorProto, helper, numpy_helper
from small_engine import DEVICE, needs_library

pytest.importorskip("nncf")

from carla_unet_ros.engines.openvino_engine import openvino_core
from carla_unet_ros.engines.tensorrt_engine import build as tensorrt_build
from carla_unet_ros.engines.tensorrt_engine.build import Target
from carla_unet_ros.engines.tensorrt_engine.build_progress import Progress
from carla_unet_ros.engines.tensorrt_engine.library import library
from carla_unet_ros.labels import carla_13
from carla_unet_ros.model_file import SHIPPED_MODEL, read_model, write_metadata
from carla_unet_ros.pictures import write_picture
from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.training import quantize
from carla_unet_ros.training.data.drive_frames import DriveFrames
from carla_unet_ros.training.data.folders import DataError, camera_frame
from carla_unet_ros.training.labelling.frames import FrameFolder
from carla_unet_ros.training.net.quantised_graph import concatenate_integers, make_signed

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


def reference(model: onnx.ModelProto, output: str, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """What the file says, computed operator by operator: no int8 kernels, nothing rewritten."""
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run([output], inputs)[0]


def test_quantisers_are_signed_and_symmetric(shipped_as_int8: Path) -> None:
    """TensorRT wants zero points of zero and reads unsigned as signed; weights: a scale each."""
    graph = onnx.load(shipped_as_int8).graph
    constants = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    quantisers = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    assert quantisers
    for node in quantisers:
        zero_point = constants[node.input[2]]
        assert zero_point.dtype == np.int8
        assert not zero_point.any()
    assert any(constants[node.input[1]].size > 1 for node in graph.node
               if node.op_type == "DequantizeLinear")  # fmt: skip


def test_openvino_runs_every_convolution_as_int8(shipped_as_int8: Path) -> None:
    kinds = ("Conv", "ConvTranspose")
    expected = [node for node in onnx.load(SHIPPED_MODEL).graph.node if node.op_type in kinds]
    core = openvino_core()
    graph = core.read_model(shipped_as_int8)
    graph.reshape([600, 800, 4])
    running = core.compile_model(graph, "CPU").get_runtime_model().get_ordered_ops()
    layers = [
        (info["layerType"].astype(str), info["runtimePrecision"].astype(str))
        for info in (node.get_rt_info() for node in running)
    ]
    precisions = [found for kind, found in layers if kind in ("Convolution", "Deconvolution")]
    assert len(precisions) == len(expected)
    assert set(precisions) <= {"u8", "i8"}


def test_openvino_computes_what_the_file_says(shipped_as_int8: Path) -> None:
    """Engines may round otherwise; a step lost somewhere is not rounding."""
    frame = camera_frame(DriveFrames(1, carla_13(), first_seed=0).read(0).frame)
    expected = reference(onnx.load(shipped_as_int8), "labels", {"frame": frame})
    segmenter = Segmenter(shipped_as_int8, "openvino")
    assert np.mean(segmenter.segment(frame).labels != expected) < 0.01
    segmenter.close()


def joined(scales: tuple[float, float]) -> onnx.ModelProto:
    """a, b of 2 channels each -> Q, DQ to uint8 of these scales -> Concat -> out of 4 channels."""
    nodes, constants = [], []
    for name, scale in zip("ab", scales, strict=True):
        constants.append(numpy_helper.from_array(np.array(scale, np.float32), f"{name}_scale"))
        to, back = f"{name}_8", f"{name}_back"
        rest = [f"{name}_scale", f"{name}_zero"]
        constants.append(numpy_helper.from_array(np.zeros((), np.uint8), rest[1]))
        nodes.append(helper.make_node("QuantizeLinear", [name, *rest], [to], f"Q_{name}"))
        nodes.append(helper.make_node("DequantizeLinear", [to, *rest], [back], f"DQ_{name}"))
    nodes.append(helper.make_node("Concat", ["a_back", "b_back"], ["out"], "join", axis=1))
    values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size])
              for name, size in (("a", 2), ("b", 2), ("out", 4))}  # fmt: skip
    ends = [values["a"], values["b"]], [values["out"]]
    graph = helper.make_graph(nodes, "joined", *ends, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


VALUES = {
    "a": np.array([[0.255, 12.7]], np.float32),
    "b": np.array([[25.4, 99.0]], np.float32),
}


def test_a_signed_quantiser_reaches_as_far_in_coarser_steps() -> None:
    """0..255 of 0.1 reach 25.5; in -128..127 that takes steps of 25.5 / 127."""
    model = joined((0.1, 0.1))
    make_signed(model)
    step = 25.5 / 127
    expected = np.array([[1, 63, 127, 127]]) * step
    np.testing.assert_allclose(reference(model, "out", VALUES), expected, rtol=1e-5)


def test_integers_are_concatenated_and_the_function_stays() -> None:
    model = joined((0.1, 0.1))
    make_signed(model)
    before = reference(model, "out", VALUES)
    concatenate_integers(model)
    onnx.checker.check_model(model, full_check=True)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds == ["QuantizeLinear", "QuantizeLinear", "Concat", "DequantizeLinear"]
    np.testing.assert_array_equal(reference(model, "out", VALUES), before)


def test_two_scales_cannot_be_joined() -> None:
    model = joined((0.1, 0.2))
    before = model.SerializeToString()
    concatenate_integers(model)
    assert model.SerializeToString() == before


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


def test_frames_without_labels_calibrate_too(tmp_path: Path) -> None:
    """Of each source as many: 2 of 3 pairs, first and last, and 2 of 3 pictures."""
    for name, grey in (("a", 10), ("b", 20), ("c", 30)):
        write_picture(tmp_path / f"{name}.png", np.full((8, 8, 3), grey, np.uint8))
    pairs = DriveFrames(3, carla_13())
    readers = quantize.calibration_frames(pairs, 2, [FrameFolder(tmp_path)])
    frames = [read() for read in readers]
    np.testing.assert_array_equal(frames[1], pairs.read(2).frame)
    assert [int(frame.mean()) for frame in frames[2:]] == [10, 30]


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"no picture")
    read = quantize.calibration_frames(DriveFrames(1, carla_13()), 1, [FrameFolder(tmp_path)])[1]
    with pytest.raises(DataError, match="torn"):
        read()


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
