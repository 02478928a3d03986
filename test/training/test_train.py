# SPDX-License-Identifier: Apache-2.0
"""Training: it learns, a killed run goes on to the same result, errors are explained."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import painted_pairs
import pytest
import yaml

torch = pytest.importorskip("torch")

from carla_unet_ros.labels import IGNORE, carla_13
from carla_unet_ros.pictures import write_picture
from carla_unet_ros.training import train
from carla_unet_ros.training.net.checkpoints import (
    CheckpointError,
    read_checkpoint,
    read_trained_net,
    write_checkpoint,
)
from carla_unet_ros.training.net.unet import UNet, UNetConfig

pytestmark = pytest.mark.training

EPOCHS = 6


def arguments(folder: Path, out: Path, *more: str) -> list[str]:
    tiny_net = "--channels 4 --depth 2 --stem 2 --network-size 96x64 --crop 64x48"
    tiny_run = f"--epochs {EPOCHS} --frames 16 --batch 4 --workers 0 --precision fp32 --seed 5"
    return [
        *("--data", str(folder), "--tags", "0.8.x", "--out", str(out)),
        *f"{tiny_net} {tiny_run} --accelerator cpu --average 0.9 --rate 1e-2".split(),
        *more,
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return painted_pairs.write(tmp_path_factory.mktemp("pairs"), 20)


@pytest.fixture(scope="module")
def unbroken(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run, never stopped."""
    out = tmp_path_factory.mktemp("runs") / "unbroken"
    assert train.main(arguments(folder, out)) == 0
    return out


def test_a_run_leaves_what_it_promises(unbroken: Path) -> None:
    assert {path.name for path in unbroken.iterdir()} == {
        *("best.pt", "last.pt", "config.yaml", "history.json", "curves.png", "tensorboard"),
    }
    history = read_checkpoint(unbroken / "last.pt")["history"]
    assert len(history) == EPOCHS
    assert history[-1]["loss"] < history[0]["loss"]
    best = read_checkpoint(unbroken / "best.pt")["history"][-1]["score"]
    assert best == max(entry["score"] for entry in history)


def test_a_killed_run_goes_on_to_the_same_weights(
    folder: Path, unbroken: Path, tmp_path: Path
) -> None:
    out = tmp_path / "broken"
    command = [sys.executable, "-m", "carla_unet_ros.training.train", *arguments(folder, out)]
    with subprocess.Popen([*command, "--resume"], stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not (out / "last.pt").exists() and process.poll() is None:
            assert time.monotonic() < deadline, "no epoch was finished in two minutes"
            time.sleep(0.01)
        process.kill()
    killed_after = read_checkpoint(out / "last.pt")["epoch"]
    assert train.main(arguments(folder, out, "--resume")) == 0
    resumed, whole = (read_checkpoint(run / "last.pt") for run in (out, unbroken))
    assert killed_after < EPOCHS
    assert resumed["history"] == whole["history"]
    for name, weight in whole["net"].items():
        assert torch.equal(resumed["net"][name], weight), name
    for name, weight in whole["average"].items():
        assert torch.equal(resumed["average"][name], weight), name


def test_a_finished_run_has_nothing_to_resume(folder: Path, unbroken: Path) -> None:
    before = (unbroken / "last.pt").read_bytes()
    assert train.main(arguments(folder, unbroken, "--resume")) == 0
    assert (unbroken / "last.pt").read_bytes() == before


def test_a_runs_own_options_repeat_it(unbroken: Path, tmp_path: Path) -> None:
    """config.yaml and the checkpoint hold the same."""
    config = unbroken / "config.yaml"
    whole = read_checkpoint(unbroken / "last.pt")
    assert yaml.safe_load(config.read_text()) == whole["options"]
    again = ["--config", str(config), "--out", str(tmp_path / "again")]
    assert train.main(again) == 0
    assert read_checkpoint(tmp_path / "again" / "last.pt")["history"] == whole["history"]


def test_checkpoint_gives_back_the_net(unbroken: Path) -> None:
    trained = read_trained_net(unbroken / "best.pt")
    assert trained.network_size == (96, 64)
    assert trained.label_set.name == "carla-13"
    assert "17 frames" in trained.training_data
    assert trained.net(torch.zeros(1, 3, 64, 96)).shape == (1, 13, 64, 96)


def test_a_run_keeps_the_weights_it_started_from(
    folder: Path, unbroken: Path, tmp_path: Path
) -> None:
    out = tmp_path / "further"
    assert train.main(arguments(folder, out, "--init", str(unbroken / "last.pt"))) == 0
    start, first, last = (
        read_checkpoint(path)["average"]["head.weight"]
        for path in (unbroken / "last.pt", out / "first.pt", out / "last.pt")
    )
    assert torch.equal(first, start)
    assert not torch.equal(last, start)


def test_biases_are_taken_off_the_start(folder: Path, unbroken: Path, tmp_path: Path) -> None:
    out = tmp_path / "unbiased"
    more = ["--init", str(unbroken / "last.pt"), "--init-bias", "Poles=-0.5", "--epochs", "1"]
    assert train.main(arguments(folder, out, *more)) == 0
    start, first = (
        read_checkpoint(path)["average"]["head.bias"].view(13, -1).mean(dim=1)
        for path in (unbroken / "last.pt", out / "first.pt")
    )
    expected = torch.zeros(13)
    expected[carla_13().ids(["Poles"])] = -0.5
    torch.testing.assert_close(first - start, expected)


def test_statistics_that_are_frozen_stay_those_of_the_start(
    folder: Path, unbroken: Path, tmp_path: Path
) -> None:
    out = tmp_path / "frozen"
    more = ["--init", str(unbroken / "last.pt"), "--frozen-statistics", "--epochs", "1"]
    assert train.main(arguments(folder, out, *more)) == 0
    first, last = (read_checkpoint(out / name)["average"] for name in ("first.pt", "last.pt"))
    for name in first:
        same = torch.equal(first[name], last[name])
        assert same == name.endswith(("running_mean", "running_var", "num_batches_tracked")), name


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "holds a run already; add --resume"),
        (["--resume", "--rate", "0.5"], "rate was 0.01, now 0.5"),
    ],
)
def test_a_run_is_never_overwritten_or_mixed_up(
    folder: Path, unbroken: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    assert train.main(arguments(folder, unbroken, *more)) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--tags", "0.8.x", "0.9.13"], "2 given for 1 of --data"),
        (["--shares", "1", "2"], "expected 1 positive numbers"),
        (["--crop", "wide"], "expected WIDTHxHEIGHT"),
        (["--crop", "100x65"], "this net needs multiples of 8, such as 96x64"),
        (["--network-size", "100x65"], "this net needs multiples of 8, such as 96x64"),
        (["--depth", "9"], "U-Net depth is 9; expected 1 to 8"),
        (["--labels", "0.1"], "no tag table"),
        (["--rare", "Dragons"], "Dragons"),
        (["--validate", "elsewhere"], "not among those of --data that hold"),
        (["--unsplit", "elsewhere"], "not among --data"),
        (["--tags", "1.0"], "no tag table for CARLA '1.0'"),
        (["--batch", "1", "--crop", "8x8"], "batch normalisation needs two"),
        (["--workers", "-1"], "--workers -1: expected 0 to 256"),
        (["--devices", "two"], "--devices two: expected a number above 0"),
        (["--rate", "nan"], "--rate nan: expected"),
        (["--shares", "nan"], "expected 1 positive numbers"),
        (["--smoothing", "5"], "--smoothing 5.0: expected 0 to 0.9"),
        (["--mix", "-1"], "--mix -1.0: expected 0 to 1"),
        (["--frames", "2"], "of 2 frames in batches of 4: expected at least one"),
    ],
)
@pytest.mark.usefixtures("wide_terminal")
def test_wrong_options_are_explained(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    message: str,
) -> None:
    with pytest.raises(SystemExit, match="2"):
        train.main(arguments(folder, tmp_path / "out", *more))
    assert message in capsys.readouterr().err


def test_bad_data_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(arguments(tmp_path, tmp_path / "out")) == 1
    assert "no known layout" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_work(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert train.main(arguments(folder, tmp_path / "file")) == 1
    assert "file is a file; expected a folder to write to" in capsys.readouterr().err


def masks(folder: Path, first: int, tag: int) -> None:
    """Writes masks of one tag from the first-th on."""
    for path in sorted((folder / "label").iterdir())[first:]:
        write_picture(path, np.full((64, 96), tag, np.uint8))


def test_data_that_cannot_be_scored_or_learned_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 20 frames the last 3 are for validation."""
    folder = painted_pairs.write(tmp_path / "pairs", 20)
    masks(folder, 17, IGNORE)
    assert train.main(arguments(folder, tmp_path / "out")) == 1
    assert "none of the 3 frames for validation has a labelled pixel" in capsys.readouterr().err
    masks(folder, 0, 7)
    assert train.main(arguments(folder, tmp_path / "out")) == 1
    assert "labelled pixels of 1 class(es); expected two or more" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_flipped_bit_of_a_checkpoint_is_found(unbroken: Path, tmp_path: Path) -> None:
    """The highest bit of an exponent makes of a weight one of 1e38."""
    content = bytearray((unbroken / "best.pt").read_bytes())
    weight = read_checkpoint(unbroken / "best.pt")["average"]["head.weight"].numpy().tobytes()
    content[content.index(weight) + 3] ^= 0x40
    (tmp_path / "flipped.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"flipped\.pt is damaged: the checksum of its part"):
        read_checkpoint(tmp_path / "flipped.pt")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_foreign_checkpoints_are_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.pt"
    if content is None:
        torch.save({"weights": 1}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"x\.pt") as caught:
        read_checkpoint(path)
    assert "weights_only" not in str(caught.value)  # torch advises to load it in an unsafe way


@pytest.mark.parametrize(("path", "kind"), [("/dev/zero", "no regular file"), ("/", "a folder")])
def test_what_has_no_end_is_no_checkpoint(path: str, kind: str) -> None:
    with pytest.raises(CheckpointError, match=f"checkpoint {path} cannot be read: It is {kind}"):
        read_checkpoint(Path(path))


def test_several_checkpoints_are_the_mean_of_their_weights(tmp_path: Path) -> None:
    """Weights 1 and 3 are 2; nets of other sizes have no mean."""
    paths = [tmp_path / f"{value}.pt" for value in (1, 3)]
    for path, value in zip(paths, (1, 3), strict=True):
        write_net(path, UNetConfig(channels=2, depth=1), value)
    (trained,) = {
        float(weight.detach().mean()) for weight in read_trained_net(*paths).net.parameters()
    }
    assert trained == 2
    write_net(tmp_path / "wide.pt", UNetConfig(channels=4, depth=1), 1)
    with pytest.raises(CheckpointError, match=r"wide\.pt and .*1\.pt hold different nets"):
        read_trained_net(paths[0], tmp_path / "wide.pt")


def test_a_net_of_another_release_can_still_be_started_from(tmp_path: Path) -> None:
    write_net(tmp_path / "old.pt", UNetConfig(channels=2, depth=1), 1, lacking="head.bias")
    with pytest.raises(CheckpointError, match=r"another net than this release.*--init"):
        read_trained_net(tmp_path / "old.pt")


def write_net(path: Path, config: UNetConfig, value: float, lacking: str = "") -> None:
    """A checkpoint whose weights are all of one value."""
    weights = UNet(config).state_dict()
    kept = {name: torch.full_like(weight, value) for name, weight in weights.items()}
    kept.pop(lacking, None)
    state = {
        "net_config": config.as_dict(),
        "average": kept,
        "label_set": carla_13().to_json(),
        "network_size": [96, 64],
        "training_data": "none",
        "epoch": 1,
    }
    write_checkpoint(path, state)
