# SPDX-License-Identifier: Apache-2.0
"""Options of training: folders by their use, and runs of other options or other releases."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from carla_unet_ros.command_line import parse, values_of
from carla_unet_ros.training.options import OptionError, Options

pytestmark = pytest.mark.training


def options(words: str = "") -> Options:
    typed = f"--data town other pseudo --tags 0.8.x --out run {words}"
    return parse(Options, "carla_unet_train", typed.split())


def uses(found: Options) -> list[tuple[str, str, float, bool, bool]]:
    """(name, tags, share, split, validated) of each folder."""
    return [
        (folder.path.name, folder.tags, folder.share, folder.split, folder.validate)
        for folder in found.sources.folders(Path("run"))
    ]


def test_one_version_is_for_all_and_the_first_is_validated() -> None:
    assert uses(options()) == [
        ("town", "0.8.x", 1.0, True, True),
        ("other", "0.8.x", 1.0, True, False),
        ("pseudo", "0.8.x", 1.0, True, False),
    ]


def test_what_holds_nothing_back_is_not_validated() -> None:
    assert uses(options("--tags 0.8.x 0.9.13 0.8.x --shares 6 1 2 --unsplit town pseudo")) == [
        ("town", "0.8.x", 6.0, False, False),
        ("other", "0.9.13", 1.0, True, True),
        ("pseudo", "0.8.x", 2.0, False, False),
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "--unsplit pseudo --validate pseudo",
            "pseudo is not among those of --data that hold frames",
        ),
        ("--unsplit town other pseudo", "nothing is left to validate on"),
    ],
)
@pytest.mark.usefixtures("wide_terminal")
def test_something_is_left_to_validate_on(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        options(words)
    assert message in capsys.readouterr().err


def test_a_run_goes_on_elsewhere_but_not_with_another_net() -> None:
    saved = values_of(options("--depth 4 --rate 1e-3"))
    moved = options("--data /new/town b c --out x --depth 4 --rate 0.001")
    moved.check_same_run(saved)
    with pytest.raises(OptionError, match="skips was True, now False"):
        options("--depth 4 --rate 1e-3 --no-skips").check_same_run(saved)


def test_a_run_of_before_config_yaml_goes_on() -> None:
    """Its names had underscores, its sizes were pairs and the skips a negation."""
    old = {name.replace("-", "_"): value for name, value in values_of(options()).items()}
    old |= {"crop": [512, 384], "network_size": [576, 448], "no_skips": old.pop("skips")}
    del old["unsplit"], old["weather"]  # there were none
    with pytest.raises(OptionError, match="skips was False, now True"):
        options().check_same_run(old)
    options().check_same_run(old | {"no_skips": False})


def test_weather_is_drawn_for_the_classes_of_carla_13_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    drawn = options("--weather 0.3 --bonnet 0.1").augmentation.weather_drawn
    assert (drawn.share, drawn.bonnet) == (0.3, 0.1)
    with pytest.raises(SystemExit):
        options("--labels 0.9.16 --weather 0.3")
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "--weather and --bonnet know the classes of carla-13" in said


@pytest.mark.usefixtures("wide_terminal")
@pytest.mark.parametrize("words", ["--frozen-statistics", "--init-bias Vehicles=-1"])
def test_what_changes_a_start_needs_one(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    options(f"{words} --init net.pt")
    with pytest.raises(SystemExit):
        options(words)
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "of --init, but there is no --init" in said
