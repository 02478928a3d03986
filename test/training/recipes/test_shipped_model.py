# SPDX-License-Identifier: Apache-2.0
"""The recipe's stages are commands that exist, with options that they know, in the right order."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

pytest.importorskip("torch")

from carla_unet_ros.training.recipes import shipped_model
from carla_unet_ros.training.recipes.shipped_model import Options, main, shipped_stages

pytestmark = pytest.mark.training

FOLDERS = ("town01", "course", "town07", "town02_roads", "many_towns")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in FOLDERS:
        (tmp_path / "data" / name).mkdir(parents=True)
    return tmp_path / "data"


def options(data: Path, tmp_path: Path) -> Options:
    return Options(data=data, out=tmp_path / "out", start=Path("start.onnx"), epochs=2, frames=80)


def words_after(arguments: tuple[str, ...], option: str) -> list[str]:
    """The values of an option."""
    rest = arguments[arguments.index(option) + 1 :]
    end = next((place for place, word in enumerate(rest) if word.startswith("--")), len(rest))
    return list(rest[:end])


def test_labelling_training_mean_and_settling_end_in_three_files(
    data: Path, tmp_path: Path
) -> None:
    stages = shipped_stages(options(data, tmp_path))
    assert [stage.name for stage in stages] == [
        *("label_streets", "label_people", "label_vehicles"),
        *("train", "mean", "settle"),
        *("fp32", "fp16", "int8"),
    ]
    outs = [stage.arguments[stage.arguments.index("--out") + 1] for stage in stages[-3:]]
    assert [Path(out).name for out in outs] == [
        "carla_unet.onnx",
        "carla_unet_fp16.onnx",
        "carla_unet_int8.onnx",
    ]


def test_the_mean_of_before_and_after_settles_with_its_statistics(
    data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    stages = {stage.name: stage.arguments for stage in shipped_stages(options(data, tmp_path))}
    assert words_after(stages["train"], "--init") == ["start.onnx"]
    averaged = words_after(stages["mean"], "--checkpoint")
    assert averaged == [str(out / "train" / name) for name in ("first.pt", "last.pt")]
    assert str(out / "people") in words_after(stages["mean"], "--statistics")
    assert words_after(stages["settle"], "--init") == [str(out / "mean.onnx")]
    assert "--frozen-statistics" in stages["settle"]
    assert "--frozen-statistics" not in stages["train"]


def test_teachers_vote_beside_the_start(data: Path, tmp_path: Path) -> None:
    with_teacher = replace(options(data, tmp_path), teachers=(Path("teacher.onnx"),))
    stages = {stage.name: stage.arguments for stage in shipped_stages(with_teacher)}
    for name in ("label_streets", "label_people", "label_vehicles"):
        assert words_after(stages[name], "--models") == ["teacher.onnx", "start.onnx"]


def test_the_files_are_a_mean_with_biases_and_are_calibrated_on_other_towns(
    data: Path, tmp_path: Path
) -> None:
    stages = {stage.name: stage.arguments for stage in shipped_stages(options(data, tmp_path))}
    averaged = [str(tmp_path / "out" / name) for name in ("train/first.pt", "settle/last.pt")]
    for name in ("fp32", "fp16"):
        assert words_after(stages[name], "--checkpoint") == averaged
        assert "Pedestrians=1.6" in words_after(stages[name], "--logit-bias")
    assert "--logit-bias" not in stages["mean"]
    assert {"Pedestrians=-1.6", "Poles=1.2"} < set(words_after(stages["train"], "--init-bias"))
    assert str(data / "many_towns") in stages["int8"]


def test_commands_know_all_options_they_are_given(data: Path, tmp_path: Path, capsys) -> None:
    """Each ends with a sentence about the empty folders; an unknown option would exit with 2."""
    for stage in shipped_stages(options(data, tmp_path)):
        module, *arguments = stage.arguments
        assert import_module(module).main(arguments) == 1, stage.name
        assert f"carla_unet_{module.rpartition('.')[2]}: " in capsys.readouterr().err


def test_nothing_that_is_held_back_is_trained_on(data: Path, tmp_path: Path) -> None:
    for stage in shipped_stages(options(data, tmp_path)):
        assert "val.txt" not in " ".join(stage.arguments)
        assert "town10" not in " ".join(stage.arguments)


def test_frames_with_people_and_with_vehicles_have_lists_of_their_own(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frame 1 has both and counts as people; frames 588 to 711 are held back or beside those."""
    folder = data / "many_towns"
    (folder / "rgb").mkdir()
    for number in range(600):
        (folder / "rgb" / f"{number:03}.jpg").touch()
    found = [("000", "person"), ("001", "person"), ("001", "car"), ("002", "truck")]
    held_back = [("590", "person"), ("591", "car")]
    rows = [f"{name},{what},0.5,0.5,0.1,0.2" for name, what in found + held_back]
    (folder / "boxes.csv").write_text("\n".join(["name,what,x,y,width,height", *rows]))
    monkeypatch.setattr(shipped_model, "run_stages", lambda *_: None)
    assert main(["--data", str(data), "--out", str(tmp_path / "out")]) == 0
    streets, people, vehicles = (
        (tmp_path / "out" / f"{name}.txt").read_text().split()
        for name in ("streets", "people", "vehicles")
    )
    assert people == ["000", "001"]
    assert vehicles == ["002"]
    assert streets == [f"{number:03}" for number in range(3, 588)]


def test_a_missing_data_folder_is_named(data: Path, tmp_path: Path, capsys) -> None:
    (data / "course").rmdir()
    assert main(["--data", str(data), "--out", str(tmp_path / "out")]) == 1
    assert "has no folder course; expected town01, course" in capsys.readouterr().err


def test_no_epochs_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--epochs 0: expected at least 1"):
        Options(data=data, out=tmp_path, epochs=0)
