# SPDX-License-Identifier: Apache-2.0
"""benchmarks.soak: a short run of all its parts, and how it tells growth."""

import json
from pathlib import Path

import pytest
from pytest import approx

pytest.importorskip("rclpy")

from benchmarks import processes
from benchmarks.soak import __main__ as soak

pytestmark = pytest.mark.once


def test_growth_is_that_of_an_hour_without_the_first_tenth() -> None:
    seconds = [float(second) for second in range(100)]
    # 500 MB while it starts, then 100 MB and half a MB a minute: 30 MB an hour.
    values = [500.0 if second < 10 else 100 + second / 120 for second in seconds]
    assert soak.growth(seconds, values) == approx(30)
    assert soak.ends([1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 12]) == (2, 11)


def test_nodes_go_on_through_disturbances_and_the_figures_are_written(
    ros_domain: int, tiny_model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "free_domain", lambda: ros_domain)
    figures, document = tmp_path / "soak.json", tmp_path / "performance.md"
    options = ("--minutes", "0.15", "--every", "0.5", "--model", str(tiny_model_path))
    assert soak.main([*options, "--out", str(figures), "--document", str(document)]) == 0
    found = json.loads(figures.read_text())
    assert found["labels"] > 0
    assert found["disturbances"] >= 4  # the camera was killed, and started again
    last = found["samples"][-1]
    assert all(last[node]["memory_mb"] > 10 for node in soak.KEPT)
    assert all(last[node]["threads"] > 1 for node in soak.KEPT)
    text = document.read_text()
    assert "| segmentation_node |" in text and "| evaluation_node |" in text
    assert (tmp_path / "soak.png").read_bytes().startswith(b"\x89PNG")
