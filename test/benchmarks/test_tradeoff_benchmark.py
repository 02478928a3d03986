"""benchmarks/tradeoff.py: which points there are, which of them win, and that a run tells all."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import painted_pairs
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("nncf")

import tradeoff
import tradeoff_report
from tradeoff_points import Variant, fitted, precisions_here, variants, way_argument
from tradeoff_report import Point

from carla_unet_ros.labels import carla_13
from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.training.data.folders import DataError
from carla_unet_ros.training.net.checkpoints import write_checkpoint
from carla_unet_ros.training.net.unet import UNet, UNetConfig
from carla_unet_ros.training.net.views import Views

pytestmark = pytest.mark.training

BASE = Variant((704, 512), "bf16")
POINT = Point("net", 8, 4, 1, (96, 64), "fp32", "margins", 1, 1_500_000, 0.5, 0.9, 40.0, 50.0)


def at(milliseconds: float, mean_iou: float) -> Point:
    return replace(POINT, median_ms=milliseconds, mean_iou=mean_iou)


def test_one_axis_is_varied_at_a_time_and_nothing_measured_twice() -> None:
    found = variants(
        BASE, ("size", "enlarging", "precision"), [(448, 320), (704, 512)], ["bf16", "int8"]
    )
    assert found == [
        BASE,
        replace(BASE, network=(448, 320)),
        replace(BASE, enlarging="nearest"),
        replace(BASE, enlarging="probabilities"),
        replace(BASE, precision="int8"),
    ]
    assert variants(BASE, (), [(448, 320)], ["int8"]) == [BASE]


def test_views_are_the_mirrored_frame_and_then_smaller_ones_too() -> None:
    sizes = [(448, 320), (576, 384), (640, 448), (704, 512), (832, 640)]
    _, mirrored, all_views = variants(BASE, ("views",), sizes, [])
    assert mirrored == replace(BASE, views=Views(flips=True))
    assert all_views == replace(BASE, views=Views(((448, 320), (640, 448)), flips=True))
    assert [variant.views.count for variant in (BASE, mirrored, all_views)] == [1, 2, 6]


def test_a_way_is_named_as_export_would_take_it() -> None:
    assert way_argument("448x320") == Variant((448, 320), "")
    views = Views(((320, 256),), flips=True)
    expected = Variant((448, 320), "int8", "nearest", views)
    assert way_argument("448x320,flips,320x256,nearest,int8") == expected
    with pytest.raises(ValueError, match="is no size"):
        way_argument("448x320,flip")


@pytest.mark.parametrize(
    ("multiple", "size"), [(64, (576, 384)), (16, (576, 416)), (1024, (1024, 1024))]
)
def test_sizes_move_to_what_the_net_can_take(multiple: int, size: tuple[int, int]) -> None:
    """416 is 6.5 times 64, and goes to the even neighbour, 6; nothing goes to none."""
    assert fitted((576, 416), multiple) == size


def test_the_front_is_what_nothing_beats() -> None:
    """The second is slower and worse than the first, the fourth only slower than the third."""
    points = [at(10, 0.5), at(20, 0.4), at(30, 0.6), at(40, 0.6)]
    assert [tradeoff_report.on_front(point, points) for point in points] == [
        *(True, False, True, False),
    ]


def test_the_table_begins_with_the_fastest() -> None:
    points = [replace(point, net="n") for point in (at(40, 0.5), at(20, 0.4))]
    rows = tradeoff_report.table(points).splitlines()
    assert rows[2:] == [
        "| * | n | 8 | 4 | 1 | 96x64 | fp32 | margins | 1 | 1.50 | 0.400 | 0.900 | 20.0 | 50.0 |",
        "| * | n | 8 | 4 | 1 | 96x64 | fp32 | margins | 1 | 1.50 | 0.500 | 0.900 | 40.0 | 25.0 |",
    ]


def test_the_section_names_the_best_and_the_best_in_real_time() -> None:
    points, training = [at(40, 0.6), at(20, 0.5), at(10, 0.4)], {"net": "1 epoch"}
    text = tradeoff_report.section(points, "a machine", "data", training)
    assert "Most accurate of all: net at 96x64, fp32, margins, mean IoU 0.600" in text
    assert "30 frames/s or more: net at 96x64, fp32, margins, mean IoU 0.500" in text
    assert "Trained, in the last run: net for 1 epoch." in text
    slow = tradeoff_report.section([at(40, 0.6)], "a machine", "data", training)
    assert "No point reaches 30 frames/s" in slow


def test_frames_are_timed_in_turns_and_the_first_of_a_turn_is_not_counted() -> None:
    calls: list[str] = []

    class Double:
        def __init__(self, name: str) -> None:
            self.segment = lambda _: calls.append(name)

    doubles = cast(list[Segmenter], [Double("a"), Double("b")])
    found = tradeoff.timed(doubles, [np.zeros((1, 1, 4), np.uint8)], rounds=2, burst=2)
    assert "".join(calls) == "aaabbbaaabbb"
    assert [len(milliseconds) for milliseconds in found] == [4, 4]


def test_nets_are_called_by_their_runs() -> None:
    assert tradeoff.net_names([Path("runs/wide/best.pt"), Path("narrow.pt")]) == ["wide", "narrow"]
    with pytest.raises(ValueError, match="called the same"):
        tradeoff.net_names([Path("a/best.pt"), Path("a/last.pt")])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = painted_pairs.write(tmp_path_factory.mktemp("pairs"), 6)
    (folder / "train.txt").write_text("000\n001\n002\n003\n")
    (folder / "val.txt").write_text("004\n005\n")
    return folder


def test_int8_is_never_calibrated_on_what_is_scored(data: Path, tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text("003\n005\n")
    options = argparse.Namespace(data=data, list=str(tmp_path / "some.txt"))
    assert tradeoff.calibration_names(options) == ["000", "001", "002"]
    with pytest.raises(DataError, match="none is left"):
        tradeoff.calibration_names(argparse.Namespace(data=data, list="train.txt"))


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
        "options": {"frames": 40, "init": "runs/first.pt"},
    }
    path = tmp_path_factory.mktemp("run") / "random.pt"
    write_checkpoint(path, state)
    return path


def test_a_run_measures_every_point_and_writes_it_down(
    checkpoint: Path, data: Path, tmp_path: Path
) -> None:
    document = tmp_path / "docs" / "performance.md"
    document.parent.mkdir()
    out = tmp_path / "tradeoff.json"
    other = checkpoint.with_name("other.pt")
    other.write_bytes(checkpoint.read_bytes())
    options = ["--checkpoints", str(checkpoint), "--data", str(data), "--tags", "0.8.x"]
    options += ["--as-trained", str(other), "--ways", "64x32,flips,int8"]
    options += ["--list", "val.txt", "--sizes", "66x40", "--base-precision", "fp32"]
    options += ["--rounds", "1", "--burst", "1", "--calibration", "2", "--out", str(out)]
    assert tradeoff.main([*options, "--document", str(document)]) == 0
    points = json.loads(out.read_text())["points"]
    assert [point["net"] for point in points].count("other") == 1
    ways = {(*point["network"], point["precision"], point["enlarged"]) for point in points}
    assert ways == {
        (64, 40, "fp32", "margins"),
        (64, 32, "int8", "margins"),
        *((96, 64, "fp32", enlarged) for enlarged in ("nearest", "probabilities")),
        *((96, 64, precision, "margins") for precision in precisions_here()),
    }
    assert sorted({point["views"] for point in points}) == [1, 2, 4]
    assert all(point["median_ms"] > 0 and 0 <= point["mean_iou"] < 1 for point in points)
    assert {point["weights"] for point in points} == {sum_of_weights(checkpoint)}
    assert (tmp_path / "docs" / "tradeoff.png").stat().st_size > 1000
    assert "| random | 4 | 2 | 2 | 64x40 |" in document.read_text()
    assert "random for 3 epochs of 40 frames, from first.pt; other for" in document.read_text()


def sum_of_weights(checkpoint: Path) -> int:
    """Running means and variances, and the counters of batches, are not weights."""
    average = torch.load(checkpoint, weights_only=True)["average"]
    kept = [name for name in average if "running" not in name and "num_batches" not in name]
    return sum(average[name].numel() for name in kept)


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
