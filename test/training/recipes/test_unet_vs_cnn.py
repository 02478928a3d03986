# SPDX-License-Identifier: Apache-2.0
"""A U-Net beside nets without skips: costs counted by hand; one command trains and reports."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from carla_unet_ros.training.net.checkpoints import read_checkpoint
from carla_unet_ros.training.net.unet import UNetConfig
from carla_unet_ros.training.recipes import unet_vs_cnn
from carla_unet_ros.training.recipes.skipless_nets import equal_cost, multiply_adds

pytestmark = pytest.mark.training

TINY = """\
channels: 2
depth: 2
max-channels: 8
network-size: 96x64
epochs: 1
frames: 4
batch: 4
workers: 0
precision: fp32
accelerator: cpu
"""


def options(folder: Path, crop: str = "32x32") -> list[str]:
    training = folder / "training.yaml"
    training.write_text(f"{TINY}crop: {crop}\n")
    places = [f"--out={folder / 'runs'}", f"--training={training}"]
    return [*places, "--train-frames=2", "--test-frames=2"]


def test_multiply_adds_of_a_net_as_counted_by_hand() -> None:
    """2 levels of 2 and 4 channels at 8x4, 3 classes; 9 weights a 3x3 convolution.

    Way down: 3 -> 2 -> 2 at 32 pixels, 2 -> 4 -> 4 at 8. Way up: 4 -> 2, a weight for each of the
    32 pixels, then 4 -> 2 -> 2, or 2 -> 2 -> 2 without the skip; the head 2 -> 3.
    """
    config = UNetConfig(classes=3, channels=2, depth=1)
    down = 9 * 32 * (3 * 2 + 2 * 2) + 9 * 8 * (2 * 4 + 4 * 4)
    up, head = 32 * 4 * 2, 32 * 2 * 3
    with_skip = down + up + 9 * 32 * (4 * 2 + 2 * 2) + head
    without = down + up + 9 * 32 * (2 * 2 + 2 * 2) + head
    assert multiply_adds(config, (8, 4)) == with_skip
    assert multiply_adds(replace(config, skips=False), (8, 4)) == without


def test_the_net_of_equal_cost_is_wider_and_has_no_skips() -> None:
    config = UNetConfig(channels=8, max_channels=64)
    found = equal_cost(config, (96, 64))
    costs = [multiply_adds(net, (96, 64)) for net in (config, found)]
    assert costs[1] == pytest.approx(costs[0], rel=0.05)
    assert not found.skips
    assert all(wide >= net for wide, net in zip(found.widths, config.widths, strict=True))
    assert sum(found.widths) > sum(config.widths)


def test_classes_are_sorted_by_what_the_skips_bring() -> None:
    net = {"title": "U-Net", "widths": [8, 16], "weights": 123_000, "multiply_adds": 2_000_000_000}
    scores = {"mean_iou": 0.7, "pixel_accuracy": 0.95, "iou": [0.9, 0.5, None]}
    bare = {**net, **scores, "title": "without", "iou": [0.85, 0.1, None]}
    wide = {**net, **scores, "title": "wider", "iou": [0.91, 0.25, None]}
    nets = [{**net, **scores}, bare, wide]
    assert "| U-Net | 8, 16 | 0.12 | 2.00 | 0.700 | 0.950 |" in unet_vs_cnn.table_of_nets(nets)
    text = unet_vs_cnn.table_of_classes(nets, ["Roads", "Poles", "Signs"])
    assert text.splitlines() == [
        "| class | U-Net | without | wider | U-Net more by |",
        "| --- | --- | --- | --- | --- |",
        "| Poles | 0.500 | 0.100 | 0.250 | +25.0 |",
        "| Roads | 0.900 | 0.850 | 0.910 | -1.0 |",
    ]


def test_one_command_trains_scores_and_reports(tmp_path: Path) -> None:
    runs, words = tmp_path / "runs", options(tmp_path)
    assert unet_vs_cnn.main(words) == 0
    assert [net["title"] for net in json.loads((runs / "figures.json").read_text())] == [
        "U-Net",
        "without skips",
        "wider without skips",
    ]
    assert "| wider without skips |" in (runs / "tables.md").read_text()
    assert (runs / "labels.png").stat().st_size > 1000
    states = [
        read_checkpoint(runs / name / "last.pt") for name in ("unet", "no_skips", "equal_cost")
    ]
    assert [state["net_config"]["skips"] for state in states] == [True, False, False]
    train, val = (
        (runs / "drive" / f"{part}.txt").read_text().split() for part in ("train", "val")
    )
    assert not set(train) & set(val)
    # The same command goes on from where it was: nothing is trained again.
    before = (runs / "unet" / "last.pt").stat().st_mtime_ns
    assert unet_vs_cnn.main(words) == 0
    assert (runs / "unet" / "last.pt").stat().st_mtime_ns == before


def test_errors_are_sentences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        unet_vs_cnn.main(options(tmp_path, crop="33x32"))
    assert not (tmp_path / "runs").exists()
    assert "33x32" in capsys.readouterr().err


def test_the_nets_of_the_document_are_trained_by_default(tmp_path: Path) -> None:
    found = unet_vs_cnn.Options(out=tmp_path)
    unet, without, wider = found.nets
    assert unet.config.widths == without.config.widths == [16, 32, 64, 128, 128]
    assert wider.config.widths == [18, 36, 72, 144, 144]
    training = found.of(without)
    assert (training.out, training.net.skips) == (tmp_path / "no_skips", False)
    assert (training.optimisation.epochs, training.optimisation.frames) == (9, 960)
