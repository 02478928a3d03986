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
    prepare_file,
    prepare_folder,
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


WRITER = """
import os, pathlib, signal, sys
from carla_unet_ros.whole_files import whole_file
with whole_file(pathlib.Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), getattr(signal, sys.argv[2]))
"""


def killed_writer(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WRITER, str(path), "SIGKILL"], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(path.parent.glob(f"{path.name}.*.part"))) == 1


def test_a_kill_in_the_middle_leaves_the_old_file_and_a_part_that_is_cleared(
    tmp_path: Path,
) -> None:
    inside = tmp_path / "rgb" / "000.png"
    for path in (tmp_path / "last.pt", inside):
        write_whole(path, "old")
        killed_writer(path)
        assert path.read_text() == "old"
    (tmp_path / "film.mp4.part").touch()  # a browser's download
    prepare_file(tmp_path / "first.pt")
    assert len(names_in(tmp_path)) == 4
    prepare_file(tmp_path / "last.pt")
    assert names_in(tmp_path) == ["film.mp4.part", "last.pt", "rgb"]
    prepare_folder(tmp_path)
    assert names_in(tmp_path / "rgb") == ["000.png"]
    assert names_in(tmp_path) == ["film.mp4.part", "last.pt", "rgb"]


def test_the_part_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path), "SIGSTOP"])
    try:
        os.waitpid(process.pid, os.WUNTRACED)
        prepare_folder(tmp_path)
        prepare_file(path)
        assert len(names_in(tmp_path)) == 1
        process.send_signal(signal.SIGCONT)
        assert process.wait(30) == 0
    finally:
        process.kill()
    assert path.read_bytes() == b"half"
    assert names_in(tmp_path) == ["last.pt"]


def test_names_that_are_no_utf_8_are_written_as_their_bytes(tmp_path: Path) -> None:
    write_whole(tmp_path / "train.txt", os.fsdecode(b"stra\xdfe\n"))
    assert (tmp_path / "train.txt").read_bytes() == b"stra\xdfe\n"


def test_what_could_not_be_written_later_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    prepare_file(tmp_path / "new" / "deep" / "file")
    prepare_file(tmp_path / "file")
    with pytest.raises(InputError, match="is a folder; expected the name of a file"):
        prepare_file(tmp_path)
    with pytest.raises(InputError, match="file is a file; expected a folder"):
        prepare_file(tmp_path / "file" / "below")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe is no regular file"):
        prepare_file(tmp_path / "pipe")
    monkeypatch.setattr(os, "access", lambda *_: False)  # a test may run as root
    with pytest.raises(InputError, match="cannot be written to: it is read-only, or not yours"):
        prepare_folder(tmp_path / "new")
