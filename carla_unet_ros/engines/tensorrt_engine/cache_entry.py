# SPDX-License-Identifier: Apache-2.0
"""One entry of the engine cache: an engine and its description, valid only if they agree.

    <kind>-<sha256 of the key>.bin    the content
    <kind>-<sha256 of the key>.json   the parts of the key; length and sha256 of the .bin

Anything else under these names (half a file, a pipe, a huge file) is no entry. Reading it neither
waits nor fills the memory.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from carla_unet_ros.engines.tensorrt_engine.private_files import (
    UntrustedError,
    read_private,
    write_private,
)

UNFINISHED = ".tmp"
"""The suffix of a file while it is written."""

_LARGEST_SIDECAR = 2**16
_LARGEST_CONTENT = 2**31
_OURS = re.compile(rf"((?:engine|timing|kernels)-[0-9a-f]{{64}})\.(?:bin|json)({UNFINISHED})?")


@dataclass(frozen=True)
class Key:
    """The inputs that an entry was made from: an entry with another key is not used.

    kind:  "engine"; "timing": what earlier builds measured of the GPU's kernels; "kernels": the
           kernels that were compiled on the GPU for an engine
    parts: name -> value, as plain text
    """

    kind: str
    parts: Mapping[str, str]

    @property
    def stem(self) -> str:
        """The name of the entry's files: the kind, and sha256 of the parts."""
        text = json.dumps(dict(self.parts), sort_keys=True)
        return f"{self.kind}-{hashlib.sha256(text.encode()).hexdigest()}"


class Entry(NamedTuple):
    """An entry found in a folder. fault: why it will not be used, or empty."""

    stem: str
    parts: Mapping[str, str]
    created: str
    nbytes: int
    fault: str


def find_files(folder: Path) -> list[Path]:
    """Lists the files of a folder that have names of entries, complete or not. Raises OSError."""
    return [path for path in sorted(folder.iterdir()) if _OURS.fullmatch(path.name)]


def find_entries(folder: Path) -> list[Entry]:
    """The entries of a folder, checked as `read_entry` checks them. Raises OSError."""
    matches = (_OURS.fullmatch(path.name) for path in find_files(folder))
    stems = {match[1] for match in matches if match and not match[2]}
    return [_entry(folder, stem) for stem in stems]


def read_entry(folder: Path, key: Key) -> bytes:
    """The content of an entry. Raises UntrustedError if anything is wrong with the entry."""
    return _verified(folder, key.stem)[1]


def write_entry(folder: Path, key: Key, content: bytes) -> None:
    """Adds or replaces an entry.

    If the process is killed meanwhile, the old entry, the new one, or one whose files do not agree
    is left. Raises OSError.
    """
    sidecar = {
        "kind": key.kind,
        "key": dict(key.parts),
        "sha256": hashlib.sha256(content).hexdigest(),
        "nbytes": len(content),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    write_private(folder / f"{key.stem}.bin", content)
    text = json.dumps(sidecar, indent=2) + "\n"
    write_private(folder / f"{key.stem}.json", text.encode())


def _entry(folder: Path, stem: str) -> Entry:
    try:
        sidecar, content = _verified(folder, stem)
    except UntrustedError as fault:
        return Entry(stem, {}, "", 0, str(fault))
    return Entry(stem, sidecar["key"], sidecar["created"], len(content), "")


def _verified(folder: Path, stem: str) -> tuple[dict, bytes]:
    """Sidecar and content of an entry. Raises UntrustedError if anything is wrong with it."""
    sidecar = _parsed(read_private(folder / f"{stem}.json", _LARGEST_SIDECAR), stem)
    largest = min(sidecar["nbytes"], _LARGEST_CONTENT)
    content = read_private(folder / f"{stem}.bin", largest)
    if hashlib.sha256(content).hexdigest() != sidecar["sha256"]:
        raise UntrustedError(f"{stem}.bin is truncated or altered (sha256 differs)")
    return sidecar, content


def _parsed(text: bytes, stem: str) -> dict:
    try:
        sidecar = json.loads(text)
        # A lone surrogate could not be listed.
        json.dumps(sidecar, ensure_ascii=False).encode()
        found = Key(sidecar["kind"], sidecar["key"]).stem
        types = {"sha256": str, "created": str, "nbytes": int}
        is_complete = all(isinstance(sidecar[name], kind) for name, kind in types.items())
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UntrustedError(f"{stem}.json cannot be read ({error!r})") from error
    if found != stem or not is_complete:
        raise UntrustedError(f"{stem}.json is the sidecar of something else")
    return sidecar
