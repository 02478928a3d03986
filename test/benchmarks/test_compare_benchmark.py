"""benchmarks/compare.py: who is measured how, what is reported, and that no process is left."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import painted_pairs
import pytest

torch = pytest.importorskip("torch")

import compare
import compare_frames
import compare_processes
import compare_report
import compare_smp
from compare_contenders import CONTENDERS, Contender, Skipped
from compare_processes import Times, Worker

from carla_unet_ros.labels import carla_13
from carla_unet_ros.model_file import ModelMetadata
from carla_unet_ros.training import export
from carla_unet_ros.training.net.checkpoints import write_checkpoint
from carla_unet_ros.training.net.folding import fold
from carla_unet_ros.training.net.frame_graph import FrameGraph
from carla_unet_ros.training.net.unet import UNet, UNetConfig

pytestmark = pytest.mark.training

CONFIG = UNetConfig(channels=4, depth=1, stem=2, max_channels=8)
NET = ["--channels=4", "--depth=1", "--stem=2", "--max-channels=8"]
SIZE = (96, 64)
OTHERS = [contender.name for contender in CONTENDERS if contender.name != "shipped"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """net.onnx, the checkpoint net.pt it was made from, and a folder of pairs."""
    folder = tmp_path_factory.mktemp("compare")
    torch.manual_seed(1)
    net = UNet(CONFIG)
    net(torch.randn(4, 3, 64, 96))  # batch norms that have seen something
    metadata = ModelMetadata(carla_13(), SIZE, "fp32", "none", "2026-01-01", "0.0.0", flips=True)
    graph = FrameGraph.of(fold(net), metadata, folded=True)
    export.save(export.to_onnx(graph), metadata, folder / "net.onnx")
    state = {
        "net_config": CONFIG.as_dict(),
        "average": net.state_dict(),
        "label_set": carla_13().to_json(),
        "network_size": SIZE,
        "training_data": "none",
        "epoch": 0,
    }
    write_checkpoint(folder / "net.pt", state)
    painted_pairs.write(folder / "pairs", 20)
    return folder


def arguments(folder: Path, *more: str) -> list[str]:
    data = [f"--data={folder / 'pairs'}", "--tags=0.8.x", f"--model={folder / 'net.onnx'}"]
    return [*data, "--frames=2", "--rounds=2", *more]


def test_every_contender_does_the_same_work_and_one_that_cannot_says_why(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("cv_bridge")
    monkeypatch.setenv("CXX", "/no/such/compiler")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    out = tmp_path / "new" / "compare.json"
    checkpoint = f"--checkpoint={folder / 'net.pt'}"
    assert compare.main([*arguments(folder, checkpoint), "--no-smp", f"--out={out}"]) == 0
    results = json.loads(out.read_text())
    found = {entry["name"]: entry for entry in results["contenders"]}
    assert set(found) == {"shipped", "eager", "autocast", "our_node", "plain_node"}
    reason = results["skipped"]["same net, torch.compile, fp32"]
    assert "compiler" in reason
    assert reason in capsys.readouterr().out
    for entry in found.values():
        assert np.shape(entry["rounds_ms"]) == (2, 2)
        assert entry["peak_mb"] > 20
        assert entry["same_labels"] > 0.95, entry["name"]
    assert found["eager"]["same_labels"] == 1
    assert found["our_node"]["same_labels"] == found["shipped"]["same_labels"]
    assert found["eager"]["ratio"] == pytest.approx(
        found["eager"]["median_ms"] / found["shipped"]["median_ms"]
    )
    assert (results["frame_size"], results["views"]) == ("96x64", 2)
    assert results["command"].endswith("--checkpoint=net.pt --no-smp --out=compare.json")
    assert out.with_suffix(".png").stat().st_size > 1000


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_no_process_is_left(
    folder: Path, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    command = [sys.executable, compare.__file__, *arguments(folder, *NET, "--without", *OTHERS)]
    root = str(Path(compare.__file__).parents[1])
    with subprocess.Popen(
        [*command, "--rounds=100000", f"--out={tmp_path / 'out.json'}"],
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": root},
    ) as process:
        assert process.stderr is not None
        said = b""
        while b"turns" not in said:
            part = os.read(process.stderr.fileno(), 4096)
            assert part, said.decode()
            said += part
        workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        ends = [os.pidfd_open(int(worker)) for worker in workers]
        process.send_signal(number)
        process.communicate(timeout=60)
        assert len(ends) == 1
        for end in ends:
            assert select.select([end], [], [], 60)[0], "a worker outlives the benchmark"
            os.close(end)
    assert process.returncode == status
    assert not (tmp_path / "out.json").exists()


class Counting:
    """In a worker's place: its n-th turn gives n; writes down whose turn it was."""

    def __init__(self, name: str, turns: list[str]) -> None:
        self.contender = Contender(name, "group", name)
        self._turns = turns

    def run(self) -> tuple[list[float], float]:
        self._turns.append(self.contender.name)
        return [float(self._turns.count(self.contender.name))], float(len(self._turns))


def test_they_take_turns_and_warm_up_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_processes, "_PAUSE", 0)
    turns: list[str] = []
    workers = cast(list[Worker], [Counting(name, turns) for name in "abc"])
    times = compare_processes.in_turns(workers, rounds=3, warm_up=2)
    rounds = ["".join(turns[first : first + 3]) for first in range(0, 15, 3)]
    assert ["".join(sorted(names)) for names in rounds] == ["abc"] * 5
    assert len(set(rounds)) > 1
    assert all(entry.ms == [[3.0], [4.0], [5.0]] for entry in times.values())
    assert max(entry.peak_mb for entry in times.values()) == 15


def test_figures_as_worked_out_by_hand() -> None:
    """10, 20, 30, 40 ms: mean 25, median 25, and 95 % of the way from 10 to 40 is 38.5."""
    found = compare_report.figures(Times([[40.0, 10.0], [30.0, 20.0]], peak_mb=123.0))
    assert found["frames_per_second"] == pytest.approx(40)
    assert (found["median_ms"], found["p95_ms"]) == pytest.approx((25, 38.5))
    assert found["peak_mb"] == 123


def results(**medians: float) -> dict[str, Any]:
    contenders = [
        {
            **contender._asdict(),
            "software": "some library 1.0",
            **compare_report.figures(Times([[medians[contender.name]]], peak_mb=100.4)),
            "same_labels": None if contender.name == "shipped" else 0.9876,
        }
        for contender in CONTENDERS
        if contender.name in medians
    ]
    compare_report.add_ratios(contenders)
    run = {
        "machine": "a machine",
        "date": "today",
        "command": "the command",
        "source": "s",
        "weights": "w",
    }
    sizes = {"network_size": (704, 512), "frame_size": "800x600", "views": 2}
    counts = {"rounds": 1, "frames": 1, "warm_up": 0}
    skipped = {"Unet": "pip said: no"}
    return {**run, **sizes, **counts, "contenders": contenders, "skipped": skipped}


def test_each_group_has_its_own_baseline() -> None:
    rows = compare_report.tables(results(shipped=20, eager=50, our_node=25, plain_node=100))
    lines = rows.splitlines()
    shipped, eager = (line for line in lines if "shipped" in line or "eager" in line)
    assert shipped.endswith("(some library 1.0) | 50 | 20 | 20 | 100 | 1 | - |")
    assert eager.endswith("| 20 | 50 | 50 | 100 | 2.5 | 98.76% |")
    assert next(line for line in lines if "plain node" in line).endswith("| 4 | 98.76% |")
    assert lines[-1] == "Skipped: Unet: pip said: no"


def test_without_its_baseline_a_group_has_no_ratios() -> None:
    found = results(shipped=20, plain_node=100)
    assert [entry["ratio"] for entry in found["contenders"]] == [1, None]
    assert "| - | 98.76% |" in compare_report.tables(found)


def test_the_document_gets_its_section_and_its_picture(tmp_path: Path) -> None:
    document = tmp_path / "docs" / "performance.md"
    compare_report.write_document(results(shipped=1234.0), document)
    compare_report.write_document(results(shipped=20, eager=50), document)
    text = document.read_text()
    assert text.count("<!-- compare -->") == 1
    assert "the command" in text
    assert "at 704x512" in text
    assert "1234" not in text
    assert (document.parent / "compare.png").read_bytes().startswith(b"\x89PNG")


def test_a_model_of_another_net_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare_frames.check_same_net(CONFIG, folder / "net.onnx")
    assert compare.main(arguments(folder, *NET, "--stem=1")) == 1
    said = capsys.readouterr().err
    assert "is not the net with" in said
    assert "kernels of shape (4, 4, 3, 3)" in said


def test_frames_of_two_sizes_are_refused(folder: Path, tmp_path: Path) -> None:
    painted_pairs.write(tmp_path, 2, width=128)
    painted_pairs.write(tmp_path, 1, width=96)
    (tmp_path / "train.txt").write_text("000\n")
    (tmp_path / "val.txt").write_text("000\n001\n")
    options = SimpleNamespace(frames=2, data=tmp_path, tags="0.8.x")
    model = compare.read_model(folder / "net.onnx")
    with pytest.raises(ValueError, match="has frames of 128x64, 96x64; expected one size"):
        compare_frames.read_frames(cast(Any, options), model)


def test_data_without_tags_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        compare.main(["--data", "somewhere"])
    assert "--data and --tags go together" in capsys.readouterr().err


def test_an_environment_that_cannot_be_made_says_pips_last_words() -> None:
    script = "print('first'); print('ERROR: no matching distribution'); print(); exit(3)"
    with pytest.raises(Skipped, match="pip ended with status 3, and said: ERROR: no matching"):
        compare_smp._run([sys.executable, "-c", script], "pip")


def test_an_environment_is_made_once_and_again_for_other_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def run(command: list[str], name: str) -> None:
        made.append(name)
        if name == "venv":
            Path(command[-1], "bin").mkdir(parents=True, exist_ok=True)
            Path(command[-1], "bin", "python").touch()

    monkeypatch.setattr(compare_smp, "_run", run)
    python = compare_smp.python_of(tmp_path / "smp")
    assert python == tmp_path / "smp" / "bin" / "python"
    assert compare_smp.python_of(tmp_path / "smp") == python
    assert made == ["venv", "pip"]
    monkeypatch.setattr(compare_smp, "PACKAGES", ("another==1.0",))
    compare_smp.python_of(tmp_path / "smp")
    assert made == ["venv", "pip", "venv", "pip"]
