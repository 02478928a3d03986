# SPDX-License-Identifier: Apache-2.0
"""benchmarks.transport: what it counts, how it shows it, and that a case really runs."""

import json
from pathlib import Path

import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from benchmarks import processes, reporting
from benchmarks.transport import __main__ as transport
from benchmarks.transport import receiver
from benchmarks.transport.receiver import Receipt, Receipts, figures


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The receiver's time stands at 10 s."""
    monkeypatch.setattr(receiver.time, "time_ns", lambda: 10 * 10**9)


def receipts(*images: tuple[int, int]) -> Receipts:
    """Images of these numbers, sent so many milliseconds before 10 s."""
    stamps = [Time(sec=9, nanosec=(1000 - age) * 10**6) for _, age in images]
    return [
        Receipt.of(Image(header=Header(stamp=stamp, frame_id=str(number))))
        for (number, _), stamp in zip(images, stamps, strict=True)
    ]


@pytest.mark.usefixtures("clock")
def test_frames_between_the_first_and_the_last_that_came_were_sent() -> None:
    """Camera one: 3, 4 and 7 came of 3..7. Camera two: 5 and 6 of 5..6."""
    cameras = [receipts((3, 50), (4, 40), (7, 10)), receipts((5, 30), (6, 20))]
    counted = figures(cameras, 0.5)
    assert (counted["received"], counted["sent"]) == (5, 7)
    assert counted["received_by_camera"] == [3, 2]
    assert (counted["median_ms"], counted["p95_ms"]) == (30.0, 48.0)


@pytest.mark.usefixtures("clock")
def test_rates_are_those_of_one_camera() -> None:
    """Number 3 left 50 ms before 10 s, number 7 10 ms before: 4 periods in 40 ms, 100 Hz."""
    cameras = [receipts((3, 50), (4, 40), (7, 10)), receipts((5, 30), (6, 20))]
    counted = figures(cameras, 0.5)
    assert (counted["sent_hz"], counted["received_hz"]) == (100.0, 5.0)


@pytest.mark.usefixtures("clock")
def test_a_camera_of_which_nothing_came_is_told() -> None:
    assert figures([receipts((3, 10)), []], 1.0)["received_by_camera"] == [1, 0]
    assert figures([[]], 1.0) == {
        "sent": 0,
        "received": 0,
        "received_by_camera": [0],
        "sent_hz": None,
        "received_hz": 0.0,
        "median_ms": None,
        "p95_ms": None,
    }


def test_the_table_has_a_row_for_each_case() -> None:
    case = transport.Case("labels", 2, "best_effort", "sender", 20.0)._asdict()
    lively = {"sent": 40, "received": 31, "median_ms": 12.34, "p95_ms": 20.0}
    silent = {"sent": 0, "received": 0, "median_ms": None, "p95_ms": None}
    found = [
        case | lively | {"received_by_camera": [15, 16]},
        case | silent | {"received_by_camera": [0, 0]},
    ]
    rows = reporting.table(transport._HEADS, [transport._row(one) for one in found]).splitlines()
    assert rows[2:] == [
        "| labels | 2 | best_effort | sender | 31 of 40 | 12.3 | 20 |",
        "| labels | 2 | best_effort | sender | 0 of 0, nothing from 2 | - | - |",
    ]


def test_frames_and_labels_really_arrive(
    ros_domain: int, tiny_model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "free_domain", lambda: ros_domain)
    out, document = tmp_path / "transport.json", tmp_path / "performance.md"
    frames = "--size 64x48 --rate 10 --seconds 1 --cameras 2 --shared-memory sender"
    choice = f"--warm-up 0 --reliability reliable --model {tiny_model_path} --engine openvino"
    report = f"--out {out} --document {document}"
    assert transport.main([*frames.split(), *choice.split(), *report.split()]) == 0
    results = json.loads(out.read_text())
    assert [case["way"] for case in results["cases"]] == ["frames", "labels"]
    for case in results["cases"]:
        assert 0 < case["median_ms"] < 60e3
        assert 0 < case["received"] <= case["sent"]
        assert len(case["received_by_camera"]) == 2
        assert min(case["received_by_camera"]) > 0
    written = document.read_text()
    assert written.startswith("<!-- transport -->\n## Transport\n\n    python -m benchmarks.")
    assert transport.described(results) in written
    assert str(tmp_path) not in written
