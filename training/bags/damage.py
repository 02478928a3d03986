# SPDX-License-Identifier: Apache-2.0
"""Says why a rosbag2 recording cannot be read, and what helps."""

import re
from pathlib import Path

from rosbags.rosbag2 import Reader

from carla_unet_ros.errors import InputError
from carla_unet_ros.pictures import shown

METADATA = "metadata.yaml"
_STORAGES = (".mcap", ".db3")
_COMPRESSED = ".zstd"
_NO_NAME = re.compile("[?#]|%[0-9A-Fa-f]{2}")
_RECOVERIES = {
    ".mcap": "`mcap recover {0} -o whole.mcap` saves what is whole",
    ".db3": "`python -m carla_unet_ros.training.recover_bag {0} --out whole.db3` saves what is "
    "whole",
    _COMPRESSED: "`zstd -t {0}` says whether it is whole",
}


class BagError(InputError):
    """A bag that cannot be used; the text says what was found and what to do."""


def is_recording(path: Path) -> bool:
    """Returns whether a path was meant to be a recording; it may lack something to be read."""
    if not path.is_dir():
        return path.suffix in (*_STORAGES, _COMPRESSED, ".bag")
    if (path / METADATA).is_file():
        return True
    return bool(_storage_files(path)) and not any(entry.is_dir() for entry in path.iterdir())


def check_path(path: Path) -> None:
    """Raises BagError if there cannot be a recording; reads no file."""
    problem = _problem_of_folder(path) if path.is_dir() else _problem_of_file(path)
    problem = problem or _problem_of_name(path)
    if problem:
        raise BagError(f"{shown(path)} cannot be read as a rosbag2 recording: {problem}")


def why_unreadable(path: Path, error: Exception) -> str:
    """Returns a sentence about a recording that could not be opened because of `error`."""
    text = f"{shown(path)} cannot be read as a rosbag2 recording: {reason(error)}"
    if isinstance(error, PermissionError):
        return text
    if not path.is_dir():
        return f"{text}{recovery(path)}"
    files = _storage_files(path)
    for file in files:
        if file.suffix == _COMPRESSED:
            return f"{text}{recovery(file)}"
        if not _opens(file):
            return f"{text}; {shown(file)} is damaged{recovery(file)}"
    alone = f"; {shown(files[0])} can be read by itself: name it" if files else ""
    return f"{text}{alone}"


def recovery(file: Path) -> str:
    """Advice for a damaged file of a recording, with a semicolon before it; "" for others."""
    advice = _RECOVERIES.get(file.suffix)
    return f"; {advice.format(shown(file))}" if advice else ""


def reason(error: Exception) -> str:
    """Returns the text of an error in one line, or the name of its type if it has no text."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _problem_of_folder(path: Path) -> str:
    if (path / METADATA).is_file():
        return ""
    files = _storage_files(path)
    if not files:
        return f"it holds no {METADATA}, and no file {' or '.join(_STORAGES)}"
    if files[0].suffix == _COMPRESSED:
        alone = f"`zstd -d {shown(files[0])}` makes a file that can be read by itself"
    else:
        alone = f"name the file {shown(files[0])} itself"
    return (
        f"it has no {METADATA}, as after a recording that was killed; "
        f"`ros2 bag reindex {shown(path)}` writes one, or {alone}"
    )


def _problem_of_file(path: Path) -> str:
    if not path.exists():
        return "it does not exist"
    if not path.is_file():
        return "it is no regular file"
    if path.suffix == ".bag":
        converted = shown(path.with_suffix(""))
        return (
            "it is a bag of ROS 1; "
            f"`rosbags-convert --src {shown(path)} --dst {converted}` makes one of ROS 2"
        )
    if path.suffix == _COMPRESSED:
        return f"it is compressed; run `zstd -d {shown(path)}`, then name what that wrote"
    if path.suffix not in _STORAGES:
        return f"expected a folder with {METADATA}, or a file {' or '.join(_STORAGES)}"
    log = path.with_name(f"{path.name}-wal")
    if log.is_file() and log.stat().st_size:
        return (
            f"{shown(log)} holds messages that its recorder has not written into it; "
            f"`sqlite3 {shown(path)} 'PRAGMA wal_checkpoint(TRUNCATE)'` does that"
        )
    return ""


def _problem_of_name(path: Path) -> str:
    """SQLite is given the name as part of a URI."""
    for file in _storage_files(path) if path.is_dir() else [path]:
        if file.suffix == ".db3" and (found := _NO_NAME.search(str(file))):
            return f"SQLite cannot open a name with {found[0]} in it: rename {shown(file)}"
    return ""


def _storage_files(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.iterdir()
        if Path(file.name.removesuffix(_COMPRESSED)).suffix in _STORAGES
    )


def _opens(file: Path) -> bool:
    try:
        with Reader(file):
            return True
    except Exception:  # whatever it is, the file is damaged
        return False
