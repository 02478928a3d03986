# SPDX-License-Identifier: Apache-2.0
"""Export: the file does what torch does, says what it is, and is not written otherwise."""

import copy
from pathlib import Path

import numpy as np
import onnx
import painted_pairs
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F

from carla_unet_ros.engines.openvino_engine import OpenVINOEngine
from carla_unet_ros.labels import IGNORE, carla_13
from carla_unet_ros.model_file import read_model
from carla_unet_ros.pictures import write_picture
from carla_unet_ros.training import export
from carla_unet_ros.training.data.drive_frames import DriveFrames
from carla_unet_ros.training.data.folders import Pair, PairFolder
from carla_unet_ros.training.net.checkpoints import TrainedNet
from carla_unet_ros.training.net.folding import fold
from carla_unet_ros.training.net.frame_graph import FrameGraph
from carla_unet_ros.training.net.unet import UNet, UNetConfig
from carla_unet_ros.training.net.views import Views

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def trained() -> TrainedNet:
    """A net with random weights, and batch norms that have seen something."""
    torch.manual_seed(0)
    net = UNet(UNetConfig(channels=4, depth=2, stem=2))
    net(torch.randn(4, 3, 64, 96))
    return TrainedNet(net.eval(), carla_13(), (96, 64), "random weights", 3)


@pytest.fixture(scope="module")
def model_path(trained: TrainedNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "net.onnx"
    export.export(trained, path, DriveFrames(2, carla_13()))
    return path


@pytest.fixture
def converted(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The net is converted already: that takes most of an export, and is not what is tested."""
    monkeypatch.setattr(export, "to_onnx", lambda _: onnx.load(model_path))


@pytest.mark.parametrize(("height", "width"), [(64, 96), (600, 800), (37, 53), (1080, 1920)])
def test_the_file_labels_as_torch_does_at_any_camera_size(
    trained: TrainedNet, model_path: Path, height: int, width: int
) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 4), np.uint8)
    with torch.no_grad():
        expected = FrameGraph(trained.net, (96, 64)).eval()(torch.from_numpy(frame))
    labels, confidence = OpenVINOEngine(read_model(model_path), precision="f32").infer(frame)
    assert (labels != expected[0].numpy()).mean() <= export.LARGEST_DIFFERENCE
    assert np.abs(confidence.astype(int) - expected[1].numpy()).max() <= 1


def test_the_class_is_the_largest_logit_and_confidence_its_probability(
    trained: TrainedNet,
) -> None:
    """At the network size nothing is resized."""
    frame = torch.randint(0, 256, (64, 96, 4), dtype=torch.uint8)
    with torch.no_grad():
        labels, confidence = FrameGraph(trained.net, (96, 64)).eval()(frame)
        colours = (frame[..., [2, 1, 0]].permute(2, 0, 1)[None] / 255 - 0.45) / 0.25
        probability, expected = trained.net(colours)[0].softmax(0).max(0)
    assert torch.equal(labels, expected.to(torch.uint8))
    assert (confidence - 255 * probability).abs().max() <= 1


def test_metadata_says_what_the_file_is(model_path: Path) -> None:
    metadata = read_model(model_path).metadata
    assert metadata.label_set == carla_13()
    assert metadata.network_size == (96, 64)
    assert metadata.precision == "fp32"
    assert metadata.training_data == "random weights; epoch 3"
    assert metadata.iou_data == "drive (2 frames)"
    assert set(metadata.iou) <= set(carla_13().names)


class OneClass:
    """Frames of noise whose truth is one class all over."""

    name = "noise"

    def __init__(self, label: int) -> None:
        self._label = label

    def __len__(self) -> int:
        return 2

    def read(self, index: int) -> Pair:
        frame = np.random.default_rng(index).integers(0, 256, (64, 96, 3), np.uint8)
        return Pair(frame, np.full((64, 96), self._label, np.uint8))


@pytest.mark.usefixtures("converted")
def test_scores_are_of_the_classes_in_the_truth(trained: TrainedNet, tmp_path: Path) -> None:
    """Random weights see other classes in noise, too; those have no score to be averaged."""
    metadata = export.export(trained, tmp_path / "net.onnx", OneClass(7))
    assert list(metadata.iou) == ["Roads"]


def test_a_net_is_fitted_to_frames_without_labels(trained: TrainedNet, tmp_path: Path) -> None:
    """Of a copy: the net that was read stays as it is."""
    write_picture(tmp_path / "a.png", np.full((30, 40, 3), 200, np.uint8))
    before = copy.deepcopy(trained.net.state_dict())
    fitted = export.fitted(trained, [tmp_path])
    assert fitted.training_data == f"random weights; statistics: {tmp_path.name}"
    changed = {
        name.rpartition(".")[2]
        for name, value in fitted.net.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed >= {"running_mean", "running_var"}
    assert changed <= {"running_mean", "running_var", "num_batches_tracked"}
    for name, value in trained.net.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.usefixtures("converted")
def test_without_a_labelled_pixel_nothing_is_written(trained: TrainedNet, tmp_path: Path) -> None:
    with pytest.raises(export.ExportError, match="noise holds no labelled pixel"):
        export.export(trained, tmp_path / "net.onnx", OneClass(IGNORE))
    assert not (tmp_path / "net.onnx").exists()


def test_the_file_knows_nothing_of_the_machine_it_was_made_on(model_path: Path) -> None:
    assert str(Path(export.__file__).parent).encode() not in model_path.read_bytes()


def test_half_has_fp16_weights_and_says_so(trained: TrainedNet, tmp_path: Path) -> None:
    export.export(trained, tmp_path / "half.onnx", DriveFrames(2, carla_13()), half=True)
    model = read_model(tmp_path / "half.onnx")
    assert model.metadata.precision == "fp16"
    kernels = [w for w in onnx.load(model.path).graph.initializer if len(w.dims) == 4]
    assert kernels
    assert {weights.data_type for weights in kernels} == {onnx.TensorProto.FLOAT16}


def test_a_file_that_differs_from_torch_is_not_written(
    trained: TrainedNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the net were folded wrongly: the exported one is another one than torch's."""
    other = fold(UNet(trained.net.config))
    monkeypatch.setattr(export, "fold", lambda _: other)
    out = tmp_path / "net.onnx"
    with pytest.raises(export.ExportError, match=r"of the labels differ .* is not written"):
        export.export(trained, out, DriveFrames(2, carla_13()))
    assert not out.exists()


def test_checked_and_scored_on_the_held_back_part_of_a_folder(tmp_path: Path) -> None:
    source = export.held_back_frames(painted_pairs.write(tmp_path, 20), "0.8.x", carla_13())
    assert isinstance(source, PairFolder)
    assert source.names == ["017", "018", "019"]


def test_errors_are_sentences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = ["--checkpoint", str(tmp_path / "none.pt"), "--out", str(tmp_path / "x.onnx")]
    assert export.main(missing) == 1
    assert "none.pt cannot be read" in capsys.readouterr().err
    assert export.main(["--checkpoint", "none.pt", "--out", str(tmp_path)]) == 1
    assert "is a folder; expected the name of a file to write" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        export.main([*missing, "--data", str(tmp_path), "--tags", "0.1"])


@pytest.mark.parametrize("stem", [1, 2, 3])
def test_a_folded_net_computes_the_same(stem: int) -> None:
    torch.manual_seed(stem)
    net = UNet(UNetConfig(channels=4, depth=2, stem=stem))
    frame = torch.randint(0, 256, (70, 90, 4), dtype=torch.uint8)
    size = (24 * stem, 16 * stem)
    with torch.no_grad():
        net(torch.randn(2, 3, 16 * stem, 16 * stem))  # statistics to fold
        plain = FrameGraph(net, size).eval()(frame)
        folded = FrameGraph(fold(net), size, folded=True).eval()(frame)
    for expected, found in zip(plain, folded, strict=True):
        assert (expected.float() - found.float()).abs().max() <= 1


def test_many_views_are_the_mean_of_what_each_would_say(trained: TrainedNet) -> None:
    """Two sizes, each mirrored too: by hand, and a mirrored frame gets the mirrored answer."""
    frames = torch.randn(1, 3, 64, 96)
    views = Views(also=((48, 32),), flips=True)
    with torch.no_grad():
        found = views.of(trained.net)(frames).softmax(dim=1)
        mirrored = views.of(trained.net)(frames.flip(-1)).softmax(dim=1).flip(-1)
        expected = torch.zeros(())
        for size in ((64, 96), (32, 48)):
            view = F.interpolate(frames, size, mode="bilinear")
            logits = (trained.net(view) + trained.net(view.flip(-1)).flip(-1)) / 2
            logits = F.interpolate(logits, (64, 96), mode="bilinear")
            expected = expected + logits.softmax(dim=1) / 2
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(mirrored, found, rtol=1e-4, atol=1e-5)


def test_a_file_of_many_views_is_exported_and_checked_like_any(
    trained: TrainedNet, tmp_path: Path
) -> None:
    views = Views(also=((48, 32),), flips=True)
    export.export(trained, tmp_path / "views.onnx", DriveFrames(1, carla_13()), views=views)
    metadata = read_model(tmp_path / "views.onnx").metadata
    assert (metadata.network_size, metadata.flips) == ((96, 64), True)
    assert metadata.also == ((48, 32),)


def test_a_view_of_a_size_the_net_cannot_take_is_refused(trained: TrainedNet) -> None:
    with pytest.raises(ValueError, match="a view is 50x32; this U-Net needs multiples of 8"):
        Views(also=((50, 32),)).of(trained.net)
