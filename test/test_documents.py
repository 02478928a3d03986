# SPDX-License-Identifier: Apache-2.0
"""The documents tell the truth: what they name exists: commands, options, ids, topics, paths."""

import importlib
import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from carla_unet_ros.cloud import semantic_cloud_node
from carla_unet_ros.command_line import Configured, parse
from carla_unet_ros.evaluation import evaluation_node
from carla_unet_ros.ground import ground_grid_node
from carla_unet_ros.labels import carla_13, carla_label_set
from carla_unet_ros.labels.carla_tags import TAG_TABLES
from carla_unet_ros.segmentation import segmentation_node
from carla_unet_ros.stand_in import camera_node

ROOT = Path(__file__).parents[1]
CARD = ROOT / "carla_unet_ros" / "models" / "carla_unet.md"
# CHANGELOG.md is not among them: it may name what is no longer there.
DOCUMENTS = [*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
FOLDERS = r"carla_unet_ros|training|launch|config|docs|benchmarks|typings|test|\.github|\.ci"
NODES = (
    segmentation_node,
    camera_node,
    evaluation_node,
    ground_grid_node,
    semantic_cloud_node,
)


def text_of(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def commands(start: str, *more: Path) -> list[list[str]]:
    """Words of every indented line of the documents that begins so, continued lines joined.

    The shell's variables, set by such lines before it, are put in.
    """
    joined = "\n".join(path.read_text() for path in (*DOCUMENTS, *more)).replace("\\\n", " ")
    found: list[list[str]] = []
    variables: dict[str, str] = {}
    for line in joined.splitlines():
        if not line.startswith("    "):
            continue
        command = line.partition(" #")[0].strip()
        command = re.sub(r"\$([A-Z])\b", lambda match: variables[match[1]], command)
        if setting := re.fullmatch(r'([A-Z])="(.*)"', command):
            variables[setting[1]] = setting[2]
        elif command.startswith(start):
            found.append(command.split())
    return found


def options_of(name: str) -> type[Configured]:
    if name in ("train", "export"):
        pytest.importorskip("torch")
    rooms = {"demo": "demo.demo", "build_engine": "engines.build_engine"}
    rooms |= {"check": "check.check", "spawn": "simulator.spawn"}
    rooms["train"] = "training.options"
    module = rooms.get(name, f"training.{name}")
    return importlib.import_module(f"carla_unet_ros.{module}").Options


def command_lines() -> list[tuple[str, str]]:
    """(name, what is typed behind it) of our commands, behind torchrun and in the card, too."""
    typed = "\n".join(" ".join(words) for words in commands("", CARD))
    return sorted(set(re.findall(r"\bcarla_unet_(?!ros)(\w+) (.*)", typed)))


@pytest.mark.parametrize(("name", "words"), command_lines())
def test_command_lines_are_understood(
    name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is named holds what must be given to train."""
    monkeypatch.chdir(tmp_path)
    for config in re.findall(r"--config (\S+)", words):
        Path(config).parent.mkdir(parents=True)
        Path(config).write_text("data: [my_town]\ntags: [0.9.16]\n")
    assert parse(options_of(name), name, words.split())


@pytest.mark.parametrize(
    "words", commands("python -m benchmarks."), ids=lambda words: words[2].partition(".")[2]
)
def test_benchmarks_and_their_options_exist(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if words[2].endswith((".compare", ".tradeoff")):
        pytest.importorskip("torch")
    folder = (ROOT / words[2].replace(".", "/")).is_dir()
    module = importlib.import_module(words[2] + ".__main__" * folder)
    with pytest.raises(SystemExit):
        module.main(["--help"])
    known = set(re.findall(r"--[\w-]+", capsys.readouterr().out))
    assert {word for word in words if word.startswith("--")} <= known


def test_options_named_in_running_text_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Such as `carla_unet_export --flips`, where what must be given is left out."""
    text = "\n".join(path.read_text() for path in (*DOCUMENTS, CARD))
    named = set(re.findall(r"`carla_unet_(\w+) (-[^`]*)`", text))
    assert len(named) >= 4
    for name, words in named:
        with pytest.raises(SystemExit):
            parse(options_of(name), name, ["--help"])
        known = set(re.findall(r"--[\w-]+", capsys.readouterr().out))
        assert set(re.findall(r"--[\w-]+", words)) <= known, name


def test_launch_files_and_their_arguments_exist() -> None:
    nodes = {parameter.name for module in NODES for parameter in module.Parameters.rows()}
    launches = [words for words in commands("ros2 launch") if words[2] == "carla_unet_ros"]
    assert len(launches) >= 3
    for words in launches:
        file = ROOT / "launch" / words[3]
        assert file.is_file(), words
        own = (ROOT / "launch").glob("*.launch.py")
        declared = nodes | set(re.findall(r'"(\w+)"', "".join(path.read_text() for path in own)))
        given = {word.partition(":=")[0] for word in words[4:] if ":=" in word}
        assert given <= declared, words


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / link).exists(), link


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_paths_in_the_repository_exist(path: Path) -> None:
    for found in re.findall(rf"(?<![\w/.)>-])(?:{FOLDERS})/[\w/.-]*", path.read_text()):
        assert (ROOT / found.rstrip(".")).exists(), found


def test_the_layout_lists_every_room() -> None:
    tree = (ROOT / "README.md").read_text().partition("## Layout")[2]
    listed: set[Path] = set()
    parent = Path()
    for indentation, names in re.findall(r"^( {4,8})((?:[\w.]+/? +)+) ", tree, re.MULTILINE):
        paths = [Path(name) for name in names.split()]
        if len(indentation) == 4:
            parent = paths[0]
            listed |= set(paths)
        else:
            listed |= {parent / path for path in paths}
    assert not [path for path in listed if not (ROOT / path).exists()]
    for folder in (".", "carla_unet_ros", "training"):
        packages = {path.parent.relative_to(ROOT) for path in ROOT.glob(f"{folder}/*/__init__.py")}
        assert packages - {Path("carla_unet_ros/training")} <= listed


def test_the_table_of_ids_is_that_of_the_shipped_models_label_set() -> None:
    section = text_of("planners.md").partition("## Class ids")[2].partition("\n## ")[0]
    cells = re.findall(r"\| (\d+) \| ([\w/]+)", section)
    found = {int(number): name for number, name in cells}
    assert found == {label.id: label.name for label in carla_13().classes}


def test_the_planners_code_finds_the_pixels_of_road() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", text_of("planners.md"), re.DOTALL)
    names = {
        "np": np,
        "json": json,
        "labels": SimpleNamespace(height=1, width=4, data=bytes([6, 7, 8, 10])),
        "legend": SimpleNamespace(data=carla_13().to_json()),
    }
    exec(code, names)
    assert names["road"].tolist() == [[True, True, False, False]]


def test_other_versions_ids_in_the_text_are_right() -> None:
    assert "(the road is 1 there, and every vehicle a Car, 14)" in text_of("planners.md")
    assert carla_label_set("0.9.15").ids(["Roads", "Car"]) == [1, 14]
    assert "7 is the road up to 0.9.13 and a traffic light since 0.9.14" in text_of("carla.md")
    assert carla_label_set("0.9.13").names[7] == "Roads"
    assert carla_label_set("0.9.14").names[7] == "TrafficLight"
    assert all(f"`{span}`" in text_of("carla.md") for span in TAG_TABLES)
