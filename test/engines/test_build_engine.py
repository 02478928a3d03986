# SPDX-License-Identifier: Apache-2.0
"""`carla_unet_build_engine`: what it says, what it leaves in the cache, and its exit status."""

import os
import threading
from pathlib import Path

import pytest
from gpu_double import FakeTensorRT
from small_engine import needs_library, put, target_for

from carla_unet_ros.command_line import parse
from carla_unet_ros.engines import build_engine
from carla_unet_ros.engines.tensorrt_engine import build as tensorrt_build
from carla_unet_ros.engines.tensorrt_engine import cuda
from carla_unet_ros.engines.tensorrt_engine.engine_cache import EngineCache, entries

pytestmark = needs_library


def arguments(model: Path, cache: Path, *more: str) -> list[str]:
    return ["--model", str(model), "--cache", str(cache), *more]


@pytest.mark.usefixtures("no_driver")
def test_without_a_gpu_it_fails_and_says_what_is_missing(
    small_model_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_engine.main(arguments(small_model_path, tmp_path)) == 1
    assert "no NVIDIA driver is loaded" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_driver")
def test_a_dry_run_without_a_gpu_still_parses_the_model(
    small_model_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "cache"
    assert build_engine.main(arguments(small_model_path, folder, "--dry-run")) == 1
    said = capsys.readouterr().out
    assert "fp32, network at 64x48" in said
    assert "layers of the model" in said
    assert "no NVIDIA driver is loaded" in said
    assert "800x600 cannot be built here" in said
    assert not folder.exists()


def test_every_size_is_built_run_once_and_freed(
    fake: FakeTensorRT,
    small_model_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workspaces: list[int | None] = []
    build = tensorrt_build._build
    monkeypatch.setattr(
        tensorrt_build,
        "_build",
        lambda target, *more: (workspaces.append(target.workspace), build(target, *more))[1],
    )
    sizes = ("--size", "800x600", "--size", "64x48", "--workspace", "512")
    assert build_engine.main(arguments(small_model_path, tmp_path, *sizes)) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == ["building", "built", "ready:"] * 2
    assert {entry.parts["frame"] for entry in entries(tmp_path)} == {"800x600", "64x48"}
    assert workspaces == [2**29, 2**29]
    assert fake.cuda.calls.count("cudaGraphLaunch") == 2
    assert not fake.cuda.alive


@pytest.mark.usefixtures("fake")
def test_a_dry_run_tells_what_is_there_and_what_would_be_built(
    small_model_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_engine.main(arguments(small_model_path, tmp_path, "--size", "64x48")) == 0
    capsys.readouterr()
    sizes = ("--size", "64x48", "--size", "800x600", "--dry-run")
    assert build_engine.main(arguments(small_model_path, tmp_path, *sizes)) == 0
    said = capsys.readouterr().out
    assert "Fake GPU, 8.9, 13.2" in said
    assert "64x48 is there: engine-" in said
    assert "800x600 would be built: engine-" in said
    assert [path.name.split("-")[0] for path in tmp_path.glob("*.bin")].count("engine") == 1


def test_engines_are_listed_with_their_keys_and_faults_and_removed(
    small_model_path: Path,
    small_engine: bytes,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cache = EngineCache(tmp_path, print)
    target = target_for(small_model_path)
    put(cache, target.key, small_engine)
    put(cache, target.timing_key, b"times")
    os.truncate(tmp_path / f"{target.timing_key.stem}.bin", 2)
    assert build_engine.main(["--list", "--cache", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"2 in {tmp_path}")
    assert f"model {target.model.sha256}" in said
    assert "compute_capability 8.9" in said
    assert f"will not be used: {target.timing_key.stem}.bin is truncated" in said
    assert build_engine.main(["--clean", "--cache", str(tmp_path)]) == 0
    assert "removed 4 files" in capsys.readouterr().out
    assert entries(tmp_path) == []


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "1"])
def test_what_is_no_gpu_is_refused(device: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_engine.main(["--device", device])
    assert "expected one like cuda:0" in capsys.readouterr().err


def test_a_gpu_other_than_the_first_builds_and_runs_its_engine(
    fake: FakeTensorRT,
    small_model_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cuda, "_thread", threading.local())
    command = arguments(small_model_path, tmp_path, "--device", "cuda:1", "--size", "64x48")
    assert build_engine.main(command) == 1
    assert "there is no CUDA device cuda:1" in capsys.readouterr().err
    fake.cuda.count = 2
    assert build_engine.main(command) == 0
    assert fake.cuda.used == {1}


@pytest.mark.parametrize("size", ["800", "0x600", "800x600x4", "-1x5", "800x99999", "axb"])
@pytest.mark.usefixtures("wide_terminal")
def test_what_is_no_size_is_refused(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        build_engine.main([f"--size={size}"])
    assert f"'{size}' is no size; expected WIDTHxHEIGHT" in capsys.readouterr().err


@pytest.mark.parametrize("limit", ["0", "1.5", "-3", "much"])
def test_what_is_no_workspace_is_refused(limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        build_engine.main([f"--workspace={limit}"])
    assert "--workspace" in capsys.readouterr().err


def test_all_sizes_of_one_or_of_several_options_are_built_for() -> None:
    words = ["--size", "800x600", "640x480", "--size", "1920x1080"]
    options = parse(build_engine.Options, "carla_unet_build_engine", words)
    assert [str(size) for sizes in options.size for size in sizes] == [
        *("800x600", "640x480", "1920x1080"),
    ]


def test_a_model_that_is_not_there_is_an_error_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_engine.main(["--model", str(tmp_path / "none.onnx")]) == 1
    assert "cannot be read (No such file or directory)" in capsys.readouterr().err
