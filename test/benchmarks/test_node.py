# SPDX-License-Identifier: Apache-2.0
"""benchmarks.node and .ground_grid: what they measure, how they show it, how a run ends."""

import contextlib
import json
import mmap
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")

from benchmarks import reporting
from benchmarks.ground_grid import __main__ as ground_grid
from benchmarks.node import __main__ as node
from benchmarks.node import outputs, overhead
from benchmarks.transport import cases as transport_cases
from benchmarks.transport.receiver import usage


@pytest.fixture
def own_domain(ros_domain: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A domain for the processes that the benchmarks start."""
    for module in (transport_cases, overhead, outputs):
        monkeypatch.setattr(module, "free_domain", lambda: ros_domain)


def case(**changed: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"received_by_camera": [30], "sent_hz": 19.98, "received_hz": 15.0}
    found |= {"median_ms": 41.26, "p95_ms": 50.0, "cpu_share": 1.234, "memory_mb": 250.4}
    return (
        transport_cases.Case("labels", 1, "reliable", "sender", 20.0)._asdict() | found | changed
    )


def children(parent: int) -> list[int]:
    """Ids of the processes that a process has started."""
    found: list[int] = []
    for path in Path(f"/proc/{parent}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread that has just ended
            found += map(int, path.read_text().split())
    return found


def test_every_case_is_run_once() -> None:
    found = node.cases(node._parser().parse_args([]))
    assert [(case.cameras, case.rate) for case in found] == [
        *((1, 10), (1, 20), (1, 30), (1, 60)),
        *((2, 20), (4, 20)),
    ]
    assert {case[0:1] + case[2:4] for case in found} == {("labels", "reliable", "sender")}


def test_a_row_tells_rates_evenness_age_and_use() -> None:
    silent = {"sent_hz": None, "median_ms": None, "p95_ms": None, "received_hz": 0.0}
    found = [
        case(cameras=2, received_by_camera=[14, 16], received_hz=7.5),
        case(received_by_camera=[0], **silent),
    ]
    rows = reporting.table(node._HEADS, [node._row(one) for one in found]).splitlines()
    assert rows[2:] == [
        "| 2 | 20 | 20 | 7.5 | 14 | 16 | 41.3 | 50 | 123 | 250 |",
        "| 1 | 20 | - | 0 | 0 | 0 | - | - | 123 | 250 |",
    ]


def test_usage_is_read_from_the_right_fields(tmp_path: Path) -> None:
    """A name with spaces and parentheses; 250 + 50 ticks; 1000 pages."""
    (tmp_path / "7").mkdir()
    before = "S 1 7 7 0 -1 4194304 9 9 9 9"  # fields 3 to 13
    between = "9 9 20 0 8 0 99 12345678"  # 16 to 23
    (tmp_path / "7" / "stat").write_text(f"7 (a) b (c) {before} 250 50 {between} 1000 9 9\n")
    seconds, megabytes = usage(7, tmp_path)
    assert seconds == 300 / os.sysconf("SC_CLK_TCK")
    assert megabytes == 1000 * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_usage_of_this_process_is_what_the_kernel_says_elsewhere() -> None:
    """Pages straight from the kernel: malloc may give what other tests left resident."""
    before = usage(os.getpid())[1]
    with mmap.mmap(-1, 50_000_000) as held:
        held.write(b"x" * len(held))
        seconds, megabytes = usage(os.getpid())
    assert megabytes - before == pytest.approx(50, abs=10)
    assert seconds == pytest.approx(time.process_time(), abs=1)


@pytest.mark.usefixtures("own_domain")
def test_labels_of_every_camera_arrive_and_are_reported(
    tiny_model_path: Path, tmp_path: Path
) -> None:
    out, document = tmp_path / "node.json", tmp_path / "performance.md"
    document.write_text("# Performance\n\n<!-- node -->\nold\n<!-- end of node -->\n")
    frames = "--width 64 --height 48 --rates 10 --cameras 2 --seconds 1 --warm-up 0"
    choice = f"--model {tiny_model_path} --engine openvino --out {out} --document {document}"
    assert node.main([*frames.split(), *choice.split()]) == 0
    results = json.loads(out.read_text())
    assert results["model"] == "tiny"
    assert results["engine"].startswith("OpenVINO")
    assert [(case["cameras"], case["rate"]) for case in results["cases"]] == [(1, 10), (2, 20)]
    for case in results["cases"]:
        assert len(case["received_by_camera"]) == case["cameras"]
        assert min(case["received_by_camera"]) > 0
        assert 0 < case["median_ms"] <= case["p95_ms"] < 60e3
        assert case["cpu_share"] > 0
        assert case["memory_mb"] > 20
    written = document.read_text()
    assert "old" not in written
    assert node.section(results) in written


@pytest.mark.usefixtures("own_domain")
def test_a_node_that_dies_ends_the_run_and_the_other_processes(
    tiny_model_path: Path, tmp_path: Path
) -> None:
    options = f"--seconds 300 --model {tiny_model_path} --engine openvino --rates 10"
    benchmark = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.node", *options.split()],
        cwd=reporting.ROOT,
        env=os.environ | {"ROS_LOG_DIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while len(started := children(benchmark.pid)) < 3 and benchmark.poll() is None:
            time.sleep(0.1)
        victim = next(
            pid
            for pid in started
            if b"carla_unet_ros.segmentation.segmentation_node"
            in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
        os.kill(victim, 15)
        said = benchmark.communicate(timeout=60)[1]
    finally:
        benchmark.terminate()
        benchmark.wait(60)
    assert benchmark.returncode == 1
    assert "node: segmentation_node ended with status" in said
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]


def test_a_wrong_model_is_told_before_anything_is_started(
    ros_domain: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport_cases, "free_domain", lambda: ros_domain)
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("started"))
    with pytest.raises(SystemExit, match=r"^node: model .*nothing.onnx cannot be read"):
        node.main(["--model", "nothing.onnx", "--out", str(tmp_path / "node.json")])
    assert list(tmp_path.iterdir()) == []


def test_the_ground_grids_benchmark_writes_its_section(tmp_path: Path) -> None:
    out, document = tmp_path / "grid.json", tmp_path / "performance.md"
    assert ground_grid.main(f"--frames 2 --out {out} --document {document}".split()) == 0
    results = json.loads(out.read_text())
    assert [case["camera"] for case in results["cases"]] == ["800x600", "1280x720", "1920x1080"]
    assert all(0 < case["median_ms"] <= case["p95_ms"] for case in results["cases"])
    written = document.read_text()
    assert written.startswith("<!-- ground_grid -->")
    command = "python -m benchmarks.ground_grid --frames 2 --out grid.json"
    assert f"    {command} --document performance.md\n" in written
    assert written.count("| 800x600 |") == 1


@pytest.mark.usefixtures("own_domain")
def test_the_overheads_benchmark_writes_its_section(tmp_path: Path) -> None:
    out, document = tmp_path / "overhead.json", tmp_path / "performance.md"
    assert overhead.main(f"--frames 2 --out {out} --document {document}".split()) == 0
    results = json.loads(out.read_text())
    assert [len(case["outputs"]) for case in results["cases"]] == [1, 2, 3]
    assert all(case["work_ms"] > 0 for case in results["cases"])
    written = document.read_text()
    assert written.startswith("<!-- overhead -->")
    assert "python -m benchmarks.node.overhead --frames 2 --out overhead.json" in written
    assert overhead.section(results) in written


@pytest.mark.usefixtures("own_domain")
def test_every_output_for_planners_comes_and_is_reported(
    tiny_model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", "")  # the run sets it; undone at the end
    monkeypatch.setattr(outputs, "_CAMERA", {"width": "160", "height": "120"})
    small = {"model": str(tiny_model_path), "engine": "openvino"}
    monkeypatch.setattr(outputs, "_SEGMENTATION", small)
    for name in ("confidence/compressed", "overlay", "overlay/compressed"):
        monkeypatch.delitem(outputs.OUTPUTS, name)
    out = tmp_path / "outputs.json"
    assert outputs.main(["--seconds", "2", "--out", str(out)]) == 0
    results = json.loads(out.read_text())
    assert 0 < results["cloud_ms"] < 1000
    cases = {case["output"]: case for case in results["cases"]}
    assert list(cases) == ["labels", "labels/compressed", "semantic_cloud", "ground_grid"]
    assert all(case["hz"] > 0 and case["median_ms"] > 0 for case in cases.values())
    raw, compressed, *others = [case["mb"] for case in cases.values()]
    assert [raw, *others] == pytest.approx([0.0192, 18 * 0.0192, 0.04])
    assert 0 < compressed < raw
    assert cases["labels"]["own"] is None and cases["ground_grid"]["own"] is not None
