# SPDX-License-Identifier: Apache-2.0
"""benchmarks.unet_vs_cnn: costs counted by hand; one command trains, scores and reports."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from benchmarks.unet_vs_cnn import __main__ as unet_vs_cnn
from benchmarks.unet_vs_cnn.contest import equal_cost, multiply_adds
from carla_unet_ros.training.net.checkpoints import read_checkpoint
from carla_unet_ros.training.net.unet import UNetConfig

pytestmark = pytest.mark.training

TINY = (
    "--channels 2 --depth 2 --max-channels 8 --network-size 96x64 --crop 32x32 --epochs 1 "
    "--frames 4 --batch 4 --workers 0 --precision fp32 --accelerator cpu --drive-frames 2 2"
)


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
    text = unet_vs_cnn.tables(
        {"nets": [{**net, **scores}, bare, wide], "classes": ["Roads", "Poles", "Signs"]}
    )
    assert "| U-Net | 8, 16 | 0.12 | 2.00 | 0.700 | 0.950 |" in text
    assert text.splitlines()[-2:] == [
        "| Poles | 0.500 | 0.100 | 0.250 | +25.0 |",
        "| Roads | 0.900 | 0.850 | 0.910 | -1.0 |",
    ]


def test_one_command_trains_scores_and_reports(tmp_path: Path) -> None:
    runs, document = tmp_path / "runs", tmp_path / "docs" / "unet_vs_cnn.md"
    out = tmp_path / "figures.json"
    options = [f"--runs={runs}", f"--document={document}", f"--out={out}", *TINY.split()]
    assert unet_vs_cnn.main(options) == 0
    assert [net["title"] for net in json.loads(out.read_text())["nets"]] == [
        "U-Net",
        "without skips",
        "wider without skips",
    ]
    assert "| wider without skips |" in document.read_text()
    assert document.with_name("unet_vs_cnn.png").stat().st_size > 1000
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
    assert unet_vs_cnn.main(options) == 0
    assert (runs / "unet" / "last.pt").stat().st_mtime_ns == before


def test_errors_are_sentences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        unet_vs_cnn.main([f"--runs={tmp_path}", *TINY.split(), "--crop", "33x32"])
    assert "33x32" in capsys.readouterr().err
