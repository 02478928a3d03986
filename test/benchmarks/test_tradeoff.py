# SPDX-License-Identifier: Apache-2.0
"""benchmarks.tradeoff: which points there are, which of them win, and that a run tells all."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import painted_pairs
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("nncf")

from benchmarks.tradeoff import __main__ as tradeoff
from benchmarks.tradeoff.__main__ import Point
from benchmarks.tradeoff.points import Way, parse_way, usual_ways
from carla_unet_ros.labels import carla_13
from carla_unet_ros.training.net.checkpoints import write_checkpoint
from carla_unet_ros.training.net.unet import UNet, UNetConfig
from carla_unet_ros.training.net.views import Views

pytestmark = pytest.mark.training

POINT = Point("net", "96x64", "fp32", 1, 0.5, 0.9, 40.0)


def at(milliseconds: float, mean_iou: float) -> Point:
    return replace(POINT, median_ms=milliseconds, mean_iou=mean_iou)


def test_a_way_is_named_as_export_would_take_it() -> None:
    assert parse_way("448x320") == Way((448, 320))
    views = Views(((320, 256),), flips=True)
    assert parse_way("448x320,flips,320x256,int8") == Way((448, 320), "int8", views)
    with pytest.raises(ValueError, match="is no size"):
        parse_way("448x320,flip")


def test_without_ways_what_is_worth_choosing_is_measured_once() -> None:
    """0.85 and 0.7 of 448x320 in multiples of 64: 384x256 and 320x256."""
    ways = usual_ways((448, 320), 64)
    assert len(set(ways)) == len(ways)
    assert {way.network for way in ways} == {(448, 320), (384, 256), (320, 256)}
    assert {way.precision for way in ways if way.network == (448, 320)} >= {"int8", "fp32"}


def test_the_front_is_what_nothing_beats() -> None:
    """The second is slower and worse than the first, the fourth only slower than the third."""
    points = [at(10, 0.5), at(20, 0.4), at(30, 0.6), at(40, 0.6)]
    assert [tradeoff.on_front(point, points) for point in points] == [True, False, True, False]


def test_the_table_begins_with_the_fastest() -> None:
    assert tradeoff.table([at(40, 0.5), at(20, 0.4)]).splitlines()[2:] == [
        "| * | net | 96x64 | fp32 | 1 | 0.400 | 0.900 | 20.0 | 50.0 |",
        "| * | net | 96x64 | fp32 | 1 | 0.500 | 0.900 | 40.0 | 25.0 |",
    ]


def test_ways_share_a_file_only_where_the_net_looks_alike() -> None:
    """Both look twice: mirrored, and in a smaller size."""
    mirrored, smaller, int8 = map(
        parse_way, ("448x320,flips", "448x320,320x256", "448x320,flips,int8")
    )
    assert mirrored.views.count == smaller.views.count == 2
    assert mirrored.file == int8.file != smaller.file


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = painted_pairs.write(tmp_path_factory.mktemp("pairs"), 6)
    (folder / "train.txt").write_text("000\n001\n002\n003\n")
    (folder / "val.txt").write_text("004\n005\n")
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A net with random weights, whose batch norms have seen something."""
    torch.manual_seed(0)
    config = UNetConfig(channels=4, depth=2, stem=2)
    net = UNet(config)
    net(torch.randn(4, 3, 64, 96))
    state: dict[str, Any] = {
        "net_config": config.as_dict(),
        "average": net.state_dict(),
        "label_set": carla_13().to_json(),
        "network_size": [96, 64],
        "training_data": "none",
        "epoch": 3,
    }
    path = tmp_path_factory.mktemp("run") / "random.pt"
    write_checkpoint(path, state)
    return path


def test_a_run_measures_every_point_and_writes_it_down(
    checkpoint: Path, data: Path, tmp_path: Path
) -> None:
    document, out = tmp_path / "docs" / "performance.md", tmp_path / "tradeoff.json"
    options = ["--checkpoints", str(checkpoint), "--data", str(data), "--tags", "0.8.x"]
    options += ["--list", "val.txt", "--ways", "96x64,fp32", "64x32,flips,int8", "--rounds", "1"]
    options += ["--calibration", "2", "--out", str(out), "--document", str(document)]
    assert tradeoff.main(options) == 0
    points = json.loads(out.read_text())["points"]
    ways = [
        (point["net"], point["network"], point["precision"], point["views"]) for point in points
    ]
    assert ways == [("random", "96x64", "fp32", 1), ("random", "64x32", "int8", 2)]
    assert all(point["median_ms"] > 0 and 0 <= point["mean_iou"] < 1 for point in points)
    assert (tmp_path / "docs" / "tradeoff.png").stat().st_size > 1000
    assert "Scored on 2 frames of val.txt" in document.read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--tags", "0.1"], "no tag table"),
        (["--list", "none.txt"], "none.txt cannot be read"),
        (["--checkpoints", "none.pt"], "none.pt cannot be read"),
    ],
)
def test_errors_are_sentences(
    checkpoint: Path,
    data: Path,
    capsys: pytest.CaptureFixture[str],
    change: list[str],
    message: str,
) -> None:
    options = ["--checkpoints", str(checkpoint), "--data", str(data), "--tags", "0.8.x"]
    assert tradeoff.main([*options, "--list", "val.txt", *change]) == 1
    assert message in capsys.readouterr().err
