"""The picture of benchmarks/node.py: labels a second, and their age, against the camera's rate."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot


def plot(results: dict[str, Any], path: Path) -> None:
    """Writes a PNG; of the cases, those with one camera."""
    one = sorted(
        (case for case in results["cases"] if case["cameras"] == 1), key=lambda case: case["rate"]
    )
    rates = [case["rate"] for case in one]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 4), layout="constrained")
    left.plot([0, max(rates)], [0, max(rates)], color="0.8", label="every frame")
    left.plot(rates, _known(one, "sent_hz"), "x", color="0.5", label="frames sent")
    left.plot(rates, _known(one, "received_hz"), "o-", label="labels received")
    left.set(ylabel="a second")
    right.plot(rates, _known(one, "median_ms"), "o-", label="median")
    right.plot(rates, _known(one, "p95_ms"), "o--", label="95 %")
    right.set(ylabel="age of the labels on receipt, ms")
    for axes in (left, right):
        axes.set(xlabel="camera's rate, Hz", xlim=(0, None), ylim=(0, None))
        axes.legend(frameon=False)
    figure.suptitle(f"{results['model']} on {results['engine']}")
    figure.savefig(path)
    pyplot.close(figure)


def _known(cases: list[dict[str, Any]], key: str) -> list[float]:
    """Nothing is drawn for a case without images."""
    return [float("nan") if case[key] is None else case[key] for case in cases]
