# SPDX-License-Identifier: Apache-2.0
"""Training that starts from what others learned: from checkpoints and from model files."""

import os
from dataclasses import replace
from pathlib import Path

import painted_pairs
import pytest
import small_net

torch = pytest.importorskip("torch")

from torch import Tensor

from carla_unet_ros.command_line import parse
from carla_unet_ros.labels import LabelSet, carla_13, carla_label_set
from carla_unet_ros.model_file import SHIPPED_MODEL, ModelError
from carla_unet_ros.training import export, train
from carla_unet_ros.training.data.drive_frames import DriveFrames
from carla_unet_ros.training.net.checkpoints import CheckpointError, TrainedNet, write_checkpoint
from carla_unet_ros.training.net.frame_graph import normalise
from carla_unet_ros.training.net.pretrained import start_from, weights_of_model
from carla_unet_ros.training.net.unet import UNet, UNetConfig
from carla_unet_ros.training.net.views import ONE_VIEW, Views
from carla_unet_ros.training.options import Options

pytestmark = pytest.mark.training


@pytest.fixture(params=[1, 2], scope="module", ids=["no stem", "stem 2"])
def trained(request: pytest.FixtureRequest) -> UNet:
    """A net whose batch norms have seen something."""
    torch.manual_seed(0)
    net = UNet(UNetConfig(channels=4, depth=2, stem=request.param))
    for _ in range(20):
        net(frames())
    return net.eval()


@pytest.fixture(
    params=[ONE_VIEW, Views(((48, 32),), flips=True)], scope="module", ids=["one view", "views"]
)
def model(
    request: pytest.FixtureRequest, trained: UNet, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("model") / "net.onnx"
    net = TrainedNet(trained, carla_13(), (96, 64), "random weights", 1)
    export.export(net, path, DriveFrames(1, carla_13()), views=request.param)
    return path


@pytest.fixture(scope="module")
def checkpoint(trained: UNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "last.pt"
    average, labels = trained.state_dict(), carla_13().to_json()
    write_checkpoint(path, {"net_config": {}, "average": average, "label_set": labels})
    return path


def frames() -> Tensor:
    return normalise(torch.rand(4, 3, 64, 96))


def started(path: Path, config: UNetConfig, labels: LabelSet | None = None) -> UNet:
    torch.manual_seed(1)
    net = UNet(config)
    start_from(net, path, labels or carla_13(), frames)
    return net


def test_a_model_file_gives_back_the_net_it_was_exported_from(trained: UNet, model: Path) -> None:
    net = started(model, trained.config)
    x = frames()
    assert net.training
    with torch.no_grad():
        torch.testing.assert_close(net.eval()(x), trained(x), rtol=1e-3, atol=1e-3)


def test_its_normalisation_knows_the_frames_it_will_see(trained: UNet, model: Path) -> None:
    """In training, batches are normalised by themselves: nearly the same function all the same."""
    net = started(model, trained.config)
    x = frames()
    with torch.no_grad():
        expected = trained(x)
        assert (net(x) - expected).std() < 0.2 * expected.std()


def test_other_classes_keep_all_but_the_last_layer(trained: UNet, model: Path) -> None:
    labels = carla_label_set("0.9.14-0.9.16")
    config = UNetConfig(len(labels), 4, 2, trained.config.stem)
    net = started(model, config, labels)
    torch.manual_seed(1)
    fresh, kept, own = (dict(some.named_parameters()) for some in (UNet(config), trained, net))
    assert torch.equal(own["head.weight"], fresh["head.weight"])
    assert torch.equal(own["expand.0.enlarge.weight"], kept["expand.0.enlarge.weight"])


def test_a_head_that_answered_for_whole_blocks_answers_for_each_pixel(tmp_path: Path) -> None:
    """As checkpoints did whose logits had half the resolution: a fourth of the planes."""
    config = UNetConfig(channels=4, depth=2, stem=2)
    state = UNet(config).state_dict()
    coarse = {name: value[::4] if "head." in name else value for name, value in state.items()}
    kept = {"net_config": {}, "average": coarse, "label_set": carla_13().to_json()}
    write_checkpoint(tmp_path / "coarse.pt", kept)
    head = started(tmp_path / "coarse.pt", config).state_dict()["head.weight"]
    assert torch.equal(head[::4], state["head.weight"][::4])
    assert torch.equal(head[3::4], state["head.weight"][::4])


def test_training_without_options_of_the_net_can_start_from_the_shipped_model() -> None:
    options = parse(
        Options, "carla_unet_train", ["--data", "my_town", "--tags", "0.9.16", "--out", "run"]
    )
    kept = weights_of_model(SHIPPED_MODEL)["head.weight"]
    own = UNet(options.net.unet(len(carla_13())))
    start_from(own, SHIPPED_MODEL, carla_13(), lambda: normalise(torch.rand(2, 3, 64, 128)))
    assert torch.equal(own.head.weight, kept)  # as wide, or it would have grown


@pytest.mark.parametrize("source", ["model file", "checkpoint"])
def test_a_wider_net_goes_on_as_the_narrower_one(
    trained: UNet, model: Path, checkpoint: Path, source: str
) -> None:
    config = replace(trained.config, channels=6, max_channels=20)
    wider = started(model if source == "model file" else checkpoint, config)
    x = frames()
    with torch.no_grad():
        torch.testing.assert_close(wider.eval()(x), trained(x), rtol=1e-3, atol=1e-3)
    # All of it can learn: no weight is out of the loss's reach for good.
    optimizer = torch.optim.SGD(wider.train().parameters(), 0.01)
    for _ in range(4):
        optimizer.zero_grad()
        wider(x).square().mean().backward()
        optimizer.step()
    for name, weight in wider.named_parameters():
        assert weight.grad is not None
        assert bool((weight.grad != 0).flatten(1).any(1).all() if weight.dim() > 1 else True), name


def test_another_net_is_refused_with_the_options_to_give(
    trained: UNet, model: Path, checkpoint: Path
) -> None:
    config = trained.config
    for other in (
        replace(config, channels=2),  # narrower
        replace(config, max_channels=8),
        replace(config, depth=3),
        replace(config, depth=1),
        replace(config, depth=3, max_channels=16),  # its lower levels are as wide
        replace(config, stem=3 - config.stem),
        replace(config, skips=False),
        replace(config, skips=False, channels=8),
    ):
        for path in (model, checkpoint):
            with pytest.raises(CheckpointError, match=r"another net.*--channels"):
                started(path, other)


def test_a_file_without_the_nets_weights_is_refused(tmp_path: Path) -> None:
    other = small_net.write(tmp_path / "int8.onnx", "int8")
    with pytest.raises(CheckpointError, match="no weights to start from"):
        started(other, UNetConfig(channels=4, depth=2))
    os.mkfifo(tmp_path / "pipe")
    for missing, said in (
        ("gone.onnx", "does not exist"),
        (".", "is a folder"),
        ("pipe", "is no regular file"),
    ):
        with pytest.raises(CheckpointError, match=f"{said}; expected a checkpoint"):
            started(tmp_path / missing, UNetConfig(channels=4, depth=2))


@pytest.mark.parametrize("trained", [1], indirect=True)
@pytest.mark.parametrize("model", [ONE_VIEW], indirect=True)
def test_the_content_and_not_the_name_tells_what_a_file_is(
    trained: UNet, model: Path, checkpoint: Path, tmp_path: Path
) -> None:
    for file, name in ((model, "model.pt"), (checkpoint, "run.onnx")):
        (tmp_path / name).write_bytes(file.read_bytes())
        net = started(tmp_path / name, trained.config)
        assert torch.equal(net.head.weight, trained.head.weight)
    (tmp_path / "empty.pt").touch()
    with pytest.raises(CheckpointError, match=r"empty\.pt is empty"):
        started(tmp_path / "empty.pt", trained.config)
    (tmp_path / "notes.txt").write_text("no net")
    with pytest.raises(ModelError, match=r"notes\.txt is .*no ONNX file"):
        started(tmp_path / "notes.txt", trained.config)


def run(folder: Path, out: Path, init: Path, channels: int = 4) -> int:
    net = f"--channels {channels} --depth 2 --stem 1 --network-size 96x64 --crop 64x48"
    schedule = "--epochs 1 --frames 8 --batch 4 --workers 0 --precision fp32 --accelerator cpu"
    data = ["--data", str(folder), "--tags", "0.8.x", "--out", str(out), "--init", str(init)]
    return train.main([*data, *net.split(), *schedule.split()])


@pytest.mark.parametrize("trained", [1], indirect=True)
@pytest.mark.parametrize("model", [ONE_VIEW], indirect=True)
def test_training_goes_on_from_a_model_file_and_from_a_checkpoint(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = painted_pairs.write(tmp_path / "pairs", 20)
    assert run(folder, tmp_path / "first", model) == 0
    assert run(folder, tmp_path / "second", tmp_path / "first" / "best.pt") == 0
    assert run(folder, tmp_path / "wider", tmp_path / "first" / "best.pt", channels=6) == 0
    assert run(folder, tmp_path / "third", tmp_path / "first" / "best.pt", channels=2) == 1
    assert "holds another net" in capsys.readouterr().err
    assert run(folder, tmp_path / "fourth", tmp_path / "gone.onnx") == 1
    assert "gone.onnx does not exist" in capsys.readouterr().err
