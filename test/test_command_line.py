# SPDX-License-Identifier: Apache-2.0
"""Options of a command: from what is typed, from a file, and back into a file."""

import errno
import os
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import pytest
import yaml

from carla_unet_ros.camera_model import Size, parse_size
from carla_unet_ros.command_line import (
    EMPTY,
    Configured,
    SizeOption,
    check_ranges,
    parse,
    run_command,
    values_of,
)


@dataclass(frozen=True)
class Lens:
    """What is seen."""

    size: SizeOption = Size(800, 600)  # of the picture
    pitch: float = 0.0  # positive looks down


@dataclass(frozen=True, kw_only=True)
class Options(Configured):
    """Take pictures."""

    data: tuple[Path, ...]  # folders
    tags: Annotated[tuple[str, ...], EMPTY] = ()  # versions
    jpeg: int | None = None  # quality
    flips: bool = False  # mirror them
    skips: bool = True  # leave some out
    lens: Lens = field(default_factory=Lens)

    def __post_init__(self) -> None:
        check_ranges(self, jpeg=(1, 100))


def typed(words: str) -> Options:
    return parse(Options, "take_pictures", words.split())


def written(folder: Path, text: str) -> str:
    (folder / "options.yaml").write_text(text)
    return str(folder / "options.yaml")


def test_groups_lists_sizes_and_flags_are_typed_as_one_would() -> None:
    found = typed("--data a b --size 448x320 --pitch -5 --flips --no-skips")
    lens = Lens(Size(448, 320), -5.0)
    assert found == Options(data=(Path("a"), Path("b")), flips=True, skips=False, lens=lens)


def test_what_is_typed_last_holds() -> None:
    assert typed("--data a --tags 1 2 --jpeg 5 --tags 3 --jpeg 6") == Options(
        data=(Path("a"),), tags=("3",), jpeg=6
    )


def test_a_file_gives_options_and_what_is_typed_wins(tmp_path: Path) -> None:
    file = written(tmp_path, "data: [a, b]\nskips: false\nflips: true\njpeg: 5\npitch: -3e-1\n")
    found = replace(typed(f"--jpeg 6 --config {file} --no-flips"), config=None)
    lens = Lens(pitch=-0.3)
    assert found == Options(data=(Path("a"), Path("b")), jpeg=6, skips=False, lens=lens)


def test_a_files_values_are_not_interpreted(tmp_path: Path) -> None:
    """YAML would make 0.1, 1000 and 12 * 60 + 30 of these; null and nothing are left out."""
    file = written(tmp_path, "data: [x]\ntags: [0.10, 1_000, 12:30]\njpeg: null\nsize:\n")
    found = typed(f"--config {file}")
    assert found.tags == ("0.10", "1_000", "12:30")
    assert found.jpeg is None
    assert found.lens == Lens()


def test_what_is_written_reads_as_the_same_options(tmp_path: Path) -> None:
    options = typed("--data a b --size 448x320 --jpeg 7 --no-skips")
    values = values_of(options)
    assert values == {
        "data": ["a", "b"],
        "tags": [],
        "jpeg": 7,
        "flips": False,
        "skips": False,
        "size": "448x320",
        "pitch": 0.0,
    }
    file = written(tmp_path, yaml.safe_dump(values))
    assert replace(typed(f"--config {file}"), config=None) == options


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "--data"),
        ("--data a --jpg 5", "--jpg"),
        ("--data a --jpeg many", "--jpeg"),
        ("--data a --jpeg 101", "--jpeg 101: expected 1 to 100"),
        ("--data a --size wide", "'wide' is no size; expected WIDTHxHEIGHT"),
        ("--config none.yaml", "--config none.yaml cannot be used: none.yaml: No such file"),
        (
            "--config /dev/zero",
            "cannot be used: /dev/zero: It is no regular file",
        ),
    ],
)
@pytest.mark.usefixtures("wide_terminal")
def test_errors_are_sentences_and_status_2(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        typed(words)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: [a]\njpg: 5\n", "--jpg"),
        ("- data\n", "expected lines such as `rate: 2e-3`"),
        ("lens: {pitch: 5}\n", "lens holds {'pitch': '5'}; expected a value or a list of them"),
        ("data: [[a]]\n", "data holds [['a']]"),
        ("config: other.yaml\n", "no further config"),
        ("data: [a\n", "cannot be used: while parsing"),
        ("data: [a]\nflips: perhaps\n", "perhaps"),
    ],
)
@pytest.mark.usefixtures("wide_terminal")
def test_errors_of_a_file_are_too(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        typed(f"--config {written(tmp_path, text)}")
    assert message in capsys.readouterr().err


def test_help_shows_groups_comments_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        typed("--help")
    said = " ".join(capsys.readouterr().out.split())
    for part in (
        "Take pictures.",
        "lens options",
        "What is seen.",
        "positive looks down",
        "800x600",
    ):
        assert part in said


def test_a_size_is_written_as_it_is_typed() -> None:
    assert str(parse_size("448x320")) == "448x320"
    for text in ("448", "0x5", "448x320x1", "1x9999", "x"):
        with pytest.raises(ValueError, match="is no size"):
            parse_size(text)


def act(options: Options) -> None:
    """Says what the descriptors are that a command opens, and fails with an operating system's
    error."""
    with options.data[0].open() as file:
        print(file.fileno(), flush=True)
    raise OSError(errno.ENOSPC, "No space left on device", "/run/out")


def run_in_shell(redirection: str, tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    (tmp_path / "data").touch()
    code = (
        "import sys, test_command_line as t; from carla_unet_ros.command_line import run_command;"
        " sys.exit(run_command(t.Options, 'x', t.act))"
    )
    command = f'exec {sys.executable} -c "{code}" --data {tmp_path / "data"} {redirection}'
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        command, shell=True, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.once
@pytest.mark.parametrize(
    ("redirection", "said"),
    [
        (">&-", "x: /run/out: No space left on device"),
        (">/dev/full", "x: No space left on device"),  # the output itself
    ],
)
def test_an_error_is_one_sentence_wherever_the_output_goes(
    redirection: str, said: str, tmp_path: Path
) -> None:
    done = run_in_shell(redirection, tmp_path)
    assert done.stderr.splitlines() == [said]
    assert done.returncode == 1


def test_a_mistake_of_ours_keeps_its_traceback() -> None:
    def command(_: Options) -> None:
        raise ValueError("operands could not be broadcast together")

    with pytest.raises(ValueError, match="broadcast"):
        run_command(Options, "x", command, ["--data", "a"])


@pytest.mark.once
def test_a_name_that_is_no_utf_8_can_be_told() -> None:
    code = (
        "import sys, test_command_line as t; from carla_unet_ros.command_line import run_command;"
        " sys.exit(run_command(t.Options, 'x', lambda options: print(*options.data)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--data", b"stra\xdfe"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("stra\\udcdfe\n", "", 0)


@pytest.mark.once
def test_help_that_nobody_gets_is_no_success(tmp_path: Path) -> None:
    done = run_in_shell("--help >/dev/full", tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


@pytest.mark.once
def test_a_file_does_not_get_the_descriptor_of_a_closed_stream(tmp_path: Path) -> None:
    """Else a library that prints would write into that file."""
    assert int(run_in_shell("2>&- <&-", tmp_path).stdout) > 2
