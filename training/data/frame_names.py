# SPDX-License-Identifier: Apache-2.0
"""Lists the frames of a folder by name, and those for training and for validation.

A frame's name is its file name without the suffix. Names are compared in one Unicode form, because
a list and a file system may spell the same umlaut in two ways. Numbers in names are sorted by
value: 9 before 10.
"""

import os
import re
import unicodedata
from collections import Counter
from pathlib import Path

from carla_unet_ros.errors import InputError
from carla_unet_ros.input_files import check_regular
from carla_unet_ros.pictures import SUFFIXES, shown

_VALIDATION_SHARE = 0.15
_GAP_SHARE = 0.02
_SHOWN = 5
_COMMENT = re.compile(r"(^|\s)#.*")


class DataError(InputError):
    """Data that cannot be used; the text names the file and says what is wrong with it."""


def files_by_name(folder: Path) -> dict[str, str]:
    """File names by frame name, sorted. Plain strings, because a folder may hold 100,000 of them.

    Hidden files (for example from archives of macOS) and folders are left out. Raises DataError if
    two files have one name.
    """
    found: dict[str, str] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            stem, _, suffix = entry.name.rpartition(".")
            if suffix.lower() not in SUFFIXES or entry.name.startswith("."):
                continue
            name = _one_form(stem)
            if name in found and entry.is_file():
                raise DataError(
                    f"{shown(folder)} holds {shown(found[name])} and {shown(entry.name)}: two "
                    "files of one name; remove the one that is not meant"
                )
            if entry.is_file():
                found[name] = entry.name
    return {name: found[name] for name in sorted(found, key=_as_people_count)}


def why_no_frames(folder: Path) -> str:
    """A sentence that says what a folder without pictures holds, and what was expected."""
    suffixes: Counter[str] = Counter()
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                suffixes["sub-folders"] += 1
            elif not entry.name.startswith("."):
                suffixes[f"*.{entry.name.rpartition('.')[2]}"] += 1
    kinds = [f"{count} {kind}" for kind, count in suffixes.most_common(_SHOWN)]
    return (
        f"{shown(folder)} holds no frames: found {', '.join(kinds) or 'nothing'}; expected files "
        f"{', '.join(f'*.{suffix}' for suffix in SUFFIXES)} right in the folder"
    )


def read_list(path: Path) -> list[str]:
    """Reads a list of frame names: one a line, without folders and suffixes.

    A comment is # and what follows, at the beginning of a line or after a blank.

    Raises DataError for a missing or empty list, and for a name that occurs twice.
    """
    try:
        check_regular(path)
        # Names of files may be no UTF-8.
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise DataError(f"list {shown(path)} cannot be read: {error.strerror}") from error
    if "\0" in text:
        raise DataError(f"list {shown(path)} is no text: expected names of frames, one a line")
    entries = (_COMMENT.sub("", line).strip() for line in re.split(r"[\r\n]+", text))
    names = [
        _without_suffix(_one_form(re.split(r"[/\\]", entry)[-1])) for entry in entries if entry
    ]
    if not names:
        raise DataError(f"list {shown(path)} is empty")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"list {shown(path)} names {_listed(twice)} more than once")
    return names


def split_names(folder: Path, frames: Path) -> tuple[list[str], list[str]]:
    """Names for training and for validation, of the frames in the folder `frames`.

    train.txt and val.txt name them. Without both lists, the last 15 % are for validation, after a
    gap: drives are video, and a neighbour of a training frame is no test.

    Raises DataError if one list is missing or both name the same frame.
    """
    lists = folder / "train.txt", folder / "val.txt"
    there = [path for path in lists if path.is_file()]
    if len(there) == 1:
        (missing,) = set(lists) - set(there)
        raise DataError(
            f"{shown(folder)} has {there[0].name} without {missing.name}: the frames to hold back "
            "are unknown; add the other list, or remove this one to hold back the last 15 %; a "
            "folder to train on alone is named with carla_unet_train --unsplit"
        )
    if there:
        train, val = map(read_list, lists)
        both = sorted(set(train) & set(val))
        if both:
            raise DataError(
                f"{shown(folder)}: train.txt and val.txt both name {_listed(both)}; a frame that "
                "was trained on is no test"
            )
        return train, val
    names = list(files_by_name(frames))
    first = len(names) - max(1, round(_VALIDATION_SHARE * len(names)))
    gap = round(_GAP_SHARE * len(names))
    if not names:
        raise DataError(why_no_frames(frames))
    if first - gap < 1:
        raise DataError(f"{shown(folder)} has {len(names)} frames, too few to hold some back")
    return names[: first - gap], names[first:]


def unsplit_names(folder: Path) -> list[str] | None:
    """Names of a folder that is only for training: its train.txt, or None, which means all frames.

    Raises DataError if it has a val.txt.
    """
    if (folder / "val.txt").is_file():
        raise DataError(
            f"{shown(folder)} is --unsplit, but has val.txt: leave it out of --unsplit, or remove "
            "the list to train on those frames, too"
        )
    train = folder / "train.txt"
    return read_list(train) if train.is_file() else None


def _one_form(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _as_people_count(name: str) -> list[tuple[int, str]]:
    """A key that sorts numbers by value and the rest by letters."""
    return [
        (int(part), "") if part.isascii() and part.isdigit() else (-1, part)
        for part in re.split(r"(\d+)", name)
    ]


def _without_suffix(name: str) -> str:
    """Removes only suffixes of images: a name may be a time, such as 12.05."""
    stem, _, suffix = name.rpartition(".")
    return stem if suffix.lower() in SUFFIXES else name


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(ascii, names[:_SHOWN])) + more
