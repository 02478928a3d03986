# SPDX-License-Identifier: Apache-2.0
"""Files appear whole or not at all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from carla_unet_ros.errors import InputError
from carla_unet_ros.whole_files import (
    check_file,
    check_folder,
    clear_parts,
    whole_file,
    write_whole,
)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_and_bytes_are_written_with_the_folder_they_need(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b.txt", "Wagenlängen\n")
    write_whole(tmp_path / "a" / "c.bin", b"\x00\xff")
    assert (tmp_path / "a" / "b.txt").read_text(encoding="utf-8") == "Wagenlängen\n"
    assert (tmp_path / "a" / "c.bin").read_bytes() == b"\x00\xff"
    assert names_in(tmp_path / "a") == ["b.txt", "c.bin"]


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    write_whole(path, "old")
    with pytest.raises(RuntimeError), whole_file(path) as file:
        file.write(b"half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["history.json"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("of somebody else")
    (tmp_path / "report.json").symlink_to(tmp_path / "elsewhere")
    write_whole(tmp_path / "report.json", "ours")
    assert (tmp_path / "elsewhere").read_text() == "of somebody else"
    assert (tmp_path / "report.json").read_text() == "ours"
    assert not (tmp_path / "report.json").is_symlink()


def test_a_kill_in_the_middle_leaves_the_old_file_and_a_part_that_is_cleared(
    tmp_path: Path,
) -> None:
    path = tmp_path / "last.pt"
    write_whole(path, "old")
    script = (
        "import sys, os, signal, pathlib\n"
        "from carla_unet_ros.whole_files import whole_file\n"
        "with whole_file(pathlib.Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert len(list(tmp_path.glob("*.part"))) == 1
    clear_parts(tmp_path)
    assert names_in(tmp_path) == ["last.pt"]


def test_what_could_not_be_written_later_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    check_file(tmp_path / "new" / "deep" / "file")
    check_file(tmp_path / "file")
    with pytest.raises(InputError, match="is a folder; expected the name of a file"):
        check_file(tmp_path)
    with pytest.raises(InputError, match="file is a file; expected a folder"):
        check_file(tmp_path / "file" / "below")
    monkeypatch.setattr(os, "access", lambda *_: False)  # a test may run as root
    with pytest.raises(InputError, match="cannot be written to: it is read-only, or not yours"):
        check_folder(tmp_path / "new")
