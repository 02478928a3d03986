# SPDX-License-Identifier: Apache-2.0
"""benchmarks.compare: who is measured how, what is reported, and that no process is left."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import painted_pairs
import pytest

torch = pytest.importorskip("torch")

from benchmarks import reporting
from benchmarks.compare import __main__ as compare
from benchmarks.compare.contenders import CONTENDERS
from carla_unet_ros.labels import carla_13
from carla_unet_ros.model_file import ModelMetadata
from carla_unet_ros.training import export
from carla_unet_ros.training.net.folding import fold
from carla_unet_ros.training.net.frame_graph import FrameGraph
from carla_unet_ros.training.net.unet import UNet, UNetConfig

pytestmark = pytest.mark.training

OTHERS = [contender.name for contender in CONTENDERS if contender.name != "shipped"]


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Of a mirrored net with random weights, on a folder of pairs."""
    folder = tmp_path_factory.mktemp("compare")
    torch.manual_seed(1)
    net = UNet(UNetConfig(channels=4, depth=1, stem=2, max_channels=8))
    net(torch.randn(4, 3, 64, 96))  # batch norms that have seen something
    metadata = ModelMetadata(carla_13(), (96, 64), "fp32", "none", "", "0.0.0", flips=True)
    graph = FrameGraph.of(fold(net), metadata, folded=True)
    export.save(export.to_onnx(graph), metadata, folder / "net.onnx")
    painted_pairs.write(folder / "pairs", 20)
    model = str(folder / "net.onnx")
    data = [f"--data={folder / 'pairs'}", "--tags=0.8.x", f"--model={model}"]
    return [*data, f"--weights={model}", "--frames=2", "--rounds=2"]


def test_every_contender_does_the_same_work_and_one_that_cannot_says_why(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cv_bridge")
    monkeypatch.setenv("CXX", "/no/such/compiler")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    out, document = tmp_path / "compare.json", tmp_path / "performance.md"
    assert compare.main([*arguments, f"--out={out}", f"--document={document}"]) == 0
    results = json.loads(out.read_text())
    found = {entry["name"]: entry for entry in results["contenders"]}
    assert set(found) == {"shipped", "eager", "autocast", "our_node", "plain_node"}
    assert "compiler" in results["skipped"]["same net, torch.compile, fp32"]
    for entry in found.values():
        assert entry["peak_mb"] > 20
        assert entry["same_labels"] > 0.95, entry["name"]
    assert found["eager"]["same_labels"] == 1
    assert found["our_node"]["same_labels"] == found["shipped"]["same_labels"]
    ratio = found["eager"]["median_ms"] / found["shipped"]["median_ms"]
    assert found["eager"]["ratio"] == pytest.approx(ratio)
    assert "all nets at 96x64" in document.read_text()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_no_process_is_left(arguments: list[str], number: signal.Signals, status: int) -> None:
    command = [sys.executable, "-m", "benchmarks.compare", *arguments, "--without", *OTHERS]
    with subprocess.Popen(
        [*command, "--rounds=100000"], stderr=subprocess.PIPE, cwd=reporting.ROOT
    ) as process:
        assert process.stderr is not None
        said = b""
        while b"rounds" not in said:
            part = os.read(process.stderr.fileno(), 4096)
            assert part, said.decode()
            said += part
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        ends = [os.pidfd_open(int(child)) for child in children]
        process.send_signal(number)
        process.communicate(timeout=60)
        assert len(ends) == 2  # a worker, and what Python's multiprocessing starts beside it
        for end in ends:
            assert select.select([end], [], [], 60)[0], "a child outlives the benchmark"
            os.close(end)
    assert process.returncode == status


def test_figures_as_worked_out_by_hand(tmp_path: Path) -> None:
    """10, 20, 30, 40 ms: mean 25, median 25, and 95 % of the way from 10 to 40 is 38.5."""
    found = compare.speed([40.0, 10.0, 30.0, 20.0])
    assert found["frames_per_second"] == pytest.approx(40)
    assert (found["median_ms"], found["p95_ms"]) == pytest.approx((25, 38.5))
    work = compare.Work(tmp_path, tmp_path, tmp_path)
    assert compare.same_labels("shipped", work) is None
    np.save(work.labels_of("eager"), np.array([1, 2, 3, 4]))
    np.save(work.labels_of("shipped"), np.array([1, 2, 3, 5]))
    assert compare.same_labels("shipped", work) == 0.75


def test_data_without_tags_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        compare.main(["--data", "somewhere"])
    assert "--data and --tags go together" in capsys.readouterr().err
