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


def test_two_rounds_of_labelling_training_and_export_end_in_three_files(
    data: Path, tmp_path: Path
) -> None:
    stages = shipped_stages(options(data, tmp_path))
    assert [stage.name for stage in stages] == [
        *("label_streets_1", "label_people_1", "train_1", "export_1"),
        *("label_streets_2", "label_people_2", "train_2", "export_2"),
        *("fp32", "fp16", "int8"),
    ]
    outs = [stage.arguments[stage.arguments.index("--out") + 1] for stage in stages[-3:]]
    assert [Path(out).name for out in outs] == [
        "carla_unet.onnx",
        "carla_unet_fp16.onnx",
        "carla_unet_int8.onnx",
    ]


def test_the_second_round_goes_on_from_the_first(data: Path, tmp_path: Path) -> None:
    stages = {stage.name: stage.arguments for stage in shipped_stages(options(data, tmp_path))}
    first = str(tmp_path / "out" / "round_1.onnx")
    assert "start.onnx" in stages["label_people_1"]
    assert "start.onnx" in stages["train_1"]
    assert first in stages["export_1"]
    assert first in stages["label_people_2"]
    assert first in stages["train_2"]


def test_teachers_vote_beside_the_net_of_each_round(data: Path, tmp_path: Path) -> None:
    with_teacher = replace(options(data, tmp_path), teachers=(Path("teacher.onnx"),))
    stages = {stage.name: stage.arguments for stage in shipped_stages(with_teacher)}
    for number, net in ((1, "start.onnx"), (2, str(tmp_path / "out" / "round_1.onnx"))):
        arguments = stages[f"label_people_{number}"]
        models = arguments.index("--models") + 1
        assert arguments[models : models + 2] == ("teacher.onnx", net)


def test_the_files_are_the_mean_of_start_and_rounds_calibrated_on_other_towns(
    data: Path, tmp_path: Path
) -> None:
    stages = {stage.name: stage.arguments for stage in shipped_stages(options(data, tmp_path))}
    out = tmp_path / "out"
    averaged = [str(out / name) for name in ("net_1/first.pt", "net_1/last.pt", "net_2/last.pt")]
    for name in ("fp32", "fp16"):
        place = stages[name].index("--checkpoint")
        assert list(stages[name][place + 1 : place + 5]) == [*averaged, "--out"]
        assert "Vehicles=1" in stages[name]
    assert "--logit-bias" not in stages["export_2"]
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


def test_frames_with_people_have_a_list_of_their_own(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames 0 and 1 have a person; frames 588 to 711 are held back or beside those."""
    folder = data / "many_towns"
    (folder / "rgb").mkdir()
    for number in range(600):
        (folder / "rgb" / f"{number:03}.jpg").touch()
    rows = [f"{name},person,0.5,0.5,0.1,0.2" for name in ("000", "001", "590")]
    (folder / "boxes.csv").write_text("\n".join(["name,what,x,y,width,height", *rows]))
    monkeypatch.setattr(shipped_model, "run_stages", lambda *_: None)
    assert main(["--data", str(data), "--out", str(tmp_path / "out")]) == 0
    streets, people = (
        (tmp_path / "out" / f"{name}.txt").read_text().split() for name in ("streets", "people")
    )
    assert people == ["000", "001"]
    assert streets == [f"{number:03}" for number in range(2, 588)]


def test_a_missing_data_folder_is_named(data: Path, tmp_path: Path, capsys) -> None:
    (data / "course").rmdir()
    assert main(["--data", str(data), "--out", str(tmp_path / "out")]) == 1
    assert "has no folder course; expected town01, course" in capsys.readouterr().err


def test_no_epochs_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--epochs 0: expected at least 1"):
        Options(data=data, out=tmp_path, epochs=0)
