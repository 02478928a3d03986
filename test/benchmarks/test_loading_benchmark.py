"""benchmarks/loading.py: it measures loader, step and both, and says which is slower."""

import json
import time
from itertools import repeat
from pathlib import Path

import painted_pairs
import pytest

torch = pytest.importorskip("torch")

import loading

pytestmark = pytest.mark.training

NET = "--channels 2 --depth 1 --stem 2 --network-size 64x48 --crop 32x32"
TINY = [*NET.split(), "--batch", "2", "--precision", "fp32", "--accelerator", "cpu"]


def test_it_measures_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out, document = (tmp_path / name for name in ("pairs", "rates.json", "document.md"))
    painted_pairs.write(data, 8)
    given = ["--data", str(data), "--tags", "0.8.x", "--workers", "0", "1", "--batches", "2"]
    kept = ["--out", str(out), "--document", str(document)]
    assert loading.main([*given, *TINY, *kept]) == 0
    results = json.loads(out.read_text())
    assert "crops of 32x32, batches of 2, on cpu" in results["setting"]
    assert results["step"] > 0
    assert [rate["workers"] for rate in results["rates"]] == [0, 1]
    assert all(rate["loader"] > 0 and rate["training"] > 0 for rate in results["rates"])
    assert capsys.readouterr().out.strip() in document.read_text()


def test_without_data_the_drive_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--drive", "4", "--workers", "0", "--batches", "1"]
    assert loading.main([*given, *TINY]) == 0
    assert "drive (3 frames, 100%)" in capsys.readouterr().out


def test_rates_leave_out_the_start() -> None:
    """The first of 4 batches of 2 frames takes half a second, the others take nothing."""
    batch = torch.zeros(2, 3, 1, 1), torch.zeros(2, 1, 1)
    waits = iter([0.5, 0, 0, 0])
    rate = loading.frames_per_second(repeat(batch, 4), 1, lambda *_: time.sleep(next(waits)))
    assert rate > 6 / 0.5


@pytest.mark.parametrize(
    ("loader", "verdict"),
    [([5.0, 9.0, 18.0], "keeps up from 1 worker"), ([1.0, 2.0, 3.0], "is the bottleneck")],
)
def test_the_verdict_compares_loader_and_step(loader: list[float], verdict: str) -> None:
    rates = [loading.Rate(workers, rate, 4.0) for workers, rate in enumerate(loader)]
    text = loading.section(8.0, rates, "crops", "here")
    assert verdict in text
    assert "**8 frames/s**" in text


def test_bad_data_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert loading.main(["--data", str(tmp_path), "--tags", "0.8.x"]) == 1
    assert "no known layout" in capsys.readouterr().err
