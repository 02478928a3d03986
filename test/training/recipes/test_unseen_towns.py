# SPDX-License-Identifier: Apache-2.0
"""A town that is held out gives its frames to the net that drove in it, and never its labels."""

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

pytest.importorskip("torch")

from carla_unet_ros.training.recipes.shipped_model import LABELLED
from carla_unet_ros.training.recipes.unseen_towns import Options, main, stages_of, table

pytestmark = pytest.mark.training


@pytest.fixture
def options(tmp_path: Path) -> Options:
    for name in LABELLED:
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        frames = 700 if name == "town07" else 3
        (folder / "train.txt").write_text("\n".join(f"{place:03}" for place in range(frames)))
    return Options(data=tmp_path / "data", out=tmp_path / "out", epochs=1, frames=8)


def commands(options: Options) -> dict[str, tuple[str, ...]]:
    return {stage.name: stage.arguments for stage in stages_of(options)}


def folders(arguments: tuple[str, ...]) -> list[Path]:
    """What stands between --data and --tags."""
    return [Path(word) for word in arguments[2 : arguments.index("--tags")]]


@pytest.mark.parametrize("town", LABELLED)
def test_no_net_is_scored_where_it_saw_labels_except_the_one_of_all_towns(
    options: Options, town: str
) -> None:
    stages = commands(options)
    others = [options.data / name for name in LABELLED if name != town]
    driven = options.out / f"{town}_driven" / town
    assert folders(stages[f"train_{town}_never_seen"]) == others
    assert folders(stages[f"train_{town}_driven_in"]) == [*others, driven]
    assert str(driven) in stages[f"label_{town}"]
    assert str(options.out / f"{town}_never_seen.onnx") in stages[f"label_{town}"]
    assert folders(stages["train_all"]) == [options.data / name for name in LABELLED]


def test_a_teacher_votes_beside_the_net(options: Options) -> None:
    stages = commands(replace(options, teachers=(Path("teacher.onnx"),)))
    label = stages["label_course"]
    models = label.index("--models") + 1
    never_seen = str(options.out / "course_never_seen.onnx")
    assert label[models : models + 3] == ("teacher.onnx", never_seen, "--out")


def test_every_net_sees_as_many_frames(options: Options) -> None:
    trainings = [words for name, words in commands(options).items() if name.startswith("train_")]
    lengths = {words[words.index("--epochs") : words.index("--frames") + 2] for words in trainings}
    assert len(trainings) == 1 + 2 * len(LABELLED)
    assert lengths == {("--epochs", "1", "--frames", "8")}


def test_a_long_drive_is_labelled_in_part(options: Options) -> None:
    stages = commands(options)
    for town, every in (("town01", "1"), ("town07", "2")):
        arguments = stages[f"label_{town}"]
        assert arguments[arguments.index("--every") + 1] == every


def test_commands_know_all_options_they_are_given(options: Options, capsys) -> None:
    """Each ends with a sentence about the empty folders; an unknown option would exit with 2."""
    for name, (module, *arguments) in commands(options).items():
        assert import_module(module).main(arguments) == 1, name
        assert f"carla_unet_{module.rpartition('.')[2]}: " in capsys.readouterr().err


def test_only_held_back_frames_are_scored(options: Options) -> None:
    for name, arguments in commands(options).items():
        assert ("val.txt" in arguments) == name.startswith("score_")


def test_the_table_has_the_three_nets_of_each_town(options: Options) -> None:
    options.out.mkdir()
    for place, name in enumerate(commands(options)):
        if name.startswith("score_"):
            figures = {"mean_iou": place / 100, "pixel_accuracy": 0.9}
            (options.out / f"{name.removeprefix('score_')}.json").write_text(json.dumps(figures))
    lines = table(options.out).splitlines()
    assert lines[0] == "| new town | never seen | driven in | labelled |"
    # Two stages of the net of all towns, then five before the scores of the first town.
    assert lines[2] == "| town01 | 0.070 (0.900) | 0.080 (0.900) | 0.090 (0.900) |"
    assert len(lines) == 2 + len(LABELLED)


def test_a_town_without_a_list_is_named(options: Options, capsys) -> None:
    (options.data / "course" / "train.txt").unlink()
    assert main(["--data", str(options.data), "--out", str(options.out)]) == 1
    assert "course" in capsys.readouterr().err
