# SPDX-License-Identifier: Apache-2.0
"""Two processes, each with half the batch, do what one process does with all of it.

The processes are real: torchrun starts them for whole trainings, torch.multiprocessing for
single steps; both speak gloo over the loopback.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import painted_pairs
import pytest

torch = pytest.importorskip("torch")

import torch.distributed as dist
from lightning_fabric import Fabric
from torch import nn

from carla_unet_ros.command_line import parse
from carla_unet_ros.labels import IGNORE, carla_13
from carla_unet_ros.pictures import read_colours, write_picture
from carla_unet_ros.training import train
from carla_unet_ros.training.data.sources import TrainingData
from carla_unet_ros.training.net import distributed
from carla_unet_ros.training.net.checkpoints import read_checkpoint
from carla_unet_ros.training.net.distributed import SharedBatchNorm2d, share_statistics
from carla_unet_ros.training.net.losses import SegmentationLoss
from carla_unet_ros.training.net.unet import UNet, UNetConfig
from carla_unet_ros.training.options import Options
from carla_unet_ros.training.run.validation import mean_score, validate

pytestmark = pytest.mark.training

TRUTHS = "in both halves", "in the first alone", "in none"
_SECONDS = 480


def arguments(folder: Path, out: Path, batch: int) -> list[str]:
    """23 frames are 2 batches of 8 and 7 left over; 17 are trained on, 3 validated on.

    Without mixing, for Adam makes large steps of gradients that are nothing but rounding, and
    there are such in frames of this size once they are mixed: equal at the first step, the losses
    are 2e-5 apart after the second.
    """
    tiny_net = "--channels 4 --depth 2 --stem 2 --network-size 96x64 --crop 64x48"
    tiny_run = f"--epochs 3 --frames 23 --batch {batch} --workers 0 --precision fp32 --seed 5"
    rest = "--accelerator cpu --average 0.9 --rate 2e-3 --dice 0.5 --smoothing 0.1"
    plain = "--mix 0 --relight 0"
    return [
        *("--data", str(folder), "--tags", "0.8.x", "--out", str(out)),
        *f"{tiny_net} {tiny_run} {rest} {plain}".split(),
    ]


def torchrun(*command: str) -> str:
    """What `torchrun --nproc-per-node 2 -m carla_unet_ros.training.train` prints in the end."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    trained = ["--nproc-per-node", "2", "-m", "carla_unet_ros.training.train", *command]
    process = subprocess.Popen(
        [*launcher, *trained],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = process.communicate(timeout=_SECONDS)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return printed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs with noise in every pixel: bytes of one colour give gradients that are only rounding.

    Adam makes large steps of such gradients, as with mixed frames (see `arguments`).
    """
    folder = painted_pairs.write(tmp_path_factory.mktemp("pairs"), 20)
    random = np.random.default_rng(0)
    for path in sorted((folder / "rgb").iterdir()):
        painted = read_colours(path)
        noise = random.integers(0, 256, painted.shape, np.uint8)
        write_picture(path, painted // 2 + noise // 2)
    return folder


@pytest.fixture(scope="module")
def runs(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of a run of one process with a batch of 8, and of two with 4 each.

    The one has two threads, which halve each batch as the two processes do. Sums are rounded alike
    then, and Adam makes no large step of a gradient that is nothing but rounding.
    """
    one, two = (tmp_path_factory.mktemp("runs") / name for name in ("one", "two"))
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert train.main(arguments(folder, one, batch=8)) == 0
    finally:
        torch.set_num_threads(threads)
    printed = torchrun(*arguments(folder, two, batch=4))
    assert (two / "last.pt").exists(), printed
    return one, two


def test_two_processes_learn_what_one_learns_with_the_doubled_batch(
    runs: tuple[Path, Path],
) -> None:
    one, two = (read_checkpoint(run / "last.pt") for run in runs)
    assert len(two["history"]) == 3
    for alone, together in zip(one["history"], two["history"], strict=True):
        assert together["loss"] == pytest.approx(alone["loss"], rel=1e-5)
    for kept in ("net", "average"):
        assert list(two[kept]) == list(one[kept])
        for name, weight in one[kept].items():
            torch.testing.assert_close(two[kept][name], weight, rtol=1e-3, atol=1e-4, msg=name)


def test_each_frame_is_validated_once(folder: Path, runs: tuple[Path, Path]) -> None:
    """3 frames for 2 processes: the score is the one that one process finds."""
    options = parse(Options, "carla_unet_train", arguments(folder, runs[1], batch=4))
    trained = read_checkpoint(runs[1] / "last.pt")
    net = UNet(UNetConfig(**trained["net_config"]))
    net.load_state_dict(trained["average"])
    data = TrainingData.open(options.sources.folders(options.out), carla_13())
    assert [len(folder) for folder in data.validation] == [3]
    fabric = Fabric(accelerator="cpu", devices=1)
    score = mean_score(validate(net, data.validation, options.net.network_size, fabric))
    assert trained["history"][-1]["score"] == pytest.approx(score, rel=1e-3)


def test_a_run_goes_on_only_with_as_many_processes(
    folder: Path, runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert train.main([*arguments(folder, runs[1], batch=4), "--resume"]) == 1
    said = capsys.readouterr().err
    assert (
        "started with 6 steps in all, but with the present number of processes it has 15" in said
    )


def test_checkpoints_of_many_processes_are_those_of_one() -> None:
    plain, shared = (UNet(UNetConfig(channels=2, depth=1)) for _ in range(2))
    shared.load_state_dict(plain.state_dict())
    share_statistics(shared)
    kinds = [type(layer) for layer in shared.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert set(kinds) == {SharedBatchNorm2d}
    assert list(shared.state_dict()) == list(plain.state_dict())
    frames = torch.randn(1, 3, 8, 8)
    assert torch.equal(shared.eval()(frames), plain.eval()(frames))


def test_one_process_sums_nothing() -> None:
    values = torch.randn(3)
    assert distributed.all_sum(values) is values


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes found in one step, by where there was truth."""
    folder = tmp_path_factory.mktemp("halves")
    torch.multiprocessing.spawn(one_of_two, (folder,), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("truth", TRUTHS)
def test_loss_gradient_and_statistics_are_those_of_the_whole_batch(
    truth: str, halves: list[dict[str, Any]]
) -> None:
    """However unequal the halves; in none: no truth at all, no loss and no nan."""
    net = small_net()
    loss = stepped(net, *whole_batch(truth))
    gradients = {name: parameter.grad for name, parameter in net.named_parameters()}
    for half in halves:
        found = half[truth]
        torch.testing.assert_close(found["loss"], loss)
        torch.testing.assert_close(found["gradients"], gradients, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(found["state"], dict(net.state_dict()), rtol=1e-5, atol=1e-6)


def whole_batch(truth: str) -> tuple[Any, Any]:
    """4 frames of unlike light; classes, and pixels without one, lie unevenly in the halves."""
    torch.manual_seed(3)
    frames = torch.randn(4, 3, 8, 8) * torch.tensor([1.0, 2, 3, 4])[:, None, None, None] + 5
    labels = torch.randint(0, 3, (4, 8, 8))
    labels[0, :5] = IGNORE
    labels[2:][labels[2:] == 2] = 0
    if truth != TRUTHS[0]:
        labels[2:] = IGNORE
    if truth == TRUTHS[2]:
        labels[:] = IGNORE
    return frames, labels.byte()


def small_net() -> nn.Module:
    torch.manual_seed(4)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Conv2d(4, 3, 1)
    )


def stepped(net: nn.Module, frames: Any, labels: Any) -> Any:
    loss = SegmentationLoss(torch.tensor([1.0, 2.0, 5.0]), dice=0.5, smoothing=0.1)(
        net(frames), labels[:, 1:-1, 1:-1]
    )
    loss.backward()
    return loss.detach()


def one_of_two(rank: int, folder: Path) -> None:
    """One step of one of two processes, each with half of the batch."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
    found = {}
    for truth in TRUTHS:
        frames, labels = (part[2 * rank : 2 * rank + 2] for part in whole_batch(truth))
        net = small_net()
        share_statistics(net)
        net = nn.parallel.DistributedDataParallel(net)
        loss = stepped(net, frames, labels)
        gradients = {name: parameter.grad for name, parameter in net.module.named_parameters()}
        found[truth] = {"loss": loss, "gradients": gradients, "state": net.module.state_dict()}
    torch.save(found, folder / f"{rank}.pt")
    # To end a group, torch waits for its threads and keeps the interpreter's lock meanwhile; a
    # thread that is just giving up a collective's Python state needs the lock, and both hang.
    os._exit(0)
