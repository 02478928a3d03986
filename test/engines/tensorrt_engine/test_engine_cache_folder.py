# SPDX-License-Identifier: Apache-2.0
"""The engine cache is its user's alone; where it cannot be written, engines live in memory."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_engine import files, needs_library, put, target_for

from carla_unet_ros.engines import EngineError
from carla_unet_ros.engines.tensorrt_engine import private_files
from carla_unet_ros.engines.tensorrt_engine.cache_entry import Key
from carla_unet_ros.engines.tensorrt_engine.engine_cache import EngineCache, entries

pytestmark = needs_library

NOBODY = 65534


@pytest.fixture
def key(small_model_path: Path) -> Key:
    return target_for(small_model_path).key


@pytest.fixture
def cache(tmp_path: Path, lines: list[str], key: Key, small_engine: bytes) -> EngineCache:
    """A cache that holds the engine of `key`."""
    cache = EngineCache(tmp_path / "cache", lines.append)
    put(cache, key, small_engine)
    return cache


def test_folder_and_files_are_the_users_alone(
    tmp_path: Path, key: Key, small_engine: bytes, lines: list[str]
) -> None:
    old_mask = os.umask(0)
    try:
        cache = EngineCache(tmp_path / "new" / "cache", lines.append)
        put(cache, key, small_engine)
    finally:
        os.umask(old_mask)
    assert lines == [], "closed from the beginning, not afterwards"
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in cache.folder.iterdir()} == {0o600}


def test_a_folder_open_to_others_is_closed_and_that_is_said(
    tmp_path: Path, lines: list[str]
) -> None:
    tmp_path.chmod(0o775)
    EngineCache(tmp_path, lines.append)
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    assert "open to other users (0775); now it is 0700" in lines[0]


def test_another_users_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_files.os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(EngineError, match=r"belongs to another user .* set engine_cache to"):
        EngineCache(tmp_path, print)


def test_a_folder_others_can_write_and_that_cannot_be_closed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    tmp_path.chmod(0o775)
    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(EngineError, match="can be written by other users"):
        EngineCache(tmp_path, print)


@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_a_folder_that_serves_something_else_is_refused_and_left_as_it_was(
    tmp_path: Path, mode: int
) -> None:
    (tmp_path / "letters").mkdir()
    tmp_path.chmod(mode)
    with pytest.raises(EngineError, match=r"something else \('letters' is in it\).* set engine_c"):
        EngineCache(tmp_path, print)
    assert tmp_path.stat().st_mode & 0o777 == mode
    assert list(tmp_path.iterdir()) == [tmp_path / "letters"]


def test_a_folder_that_all_users_share_is_refused_even_if_it_is_empty(tmp_path: Path) -> None:
    """As /tmp is: whoever may close it, must not."""
    tmp_path.chmod(0o1777)
    with pytest.raises(EngineError, match=r"is shared by all users \(1777\)"):
        EngineCache(tmp_path, print)
    assert tmp_path.stat().st_mode & 0o7777 == 0o1777


def test_a_cache_with_notes_in_it_stays_a_cache(
    cache: EngineCache, key: Key, small_engine: bytes
) -> None:
    (cache.folder / "notes").touch()
    assert EngineCache(cache.folder, print).read(key) == small_engine
    cache.clean()
    assert EngineCache(cache.folder, print).read(key) is None


def test_a_home_that_nobody_has_is_a_sentence() -> None:
    with pytest.raises(EngineError, match="engine cache ~no_such_user/cache cannot be found"):
        EngineCache(Path("~no_such_user/cache"), print)


@pytest.mark.parametrize("ending", [".bin", ".json"])
def test_a_file_another_user_could_change_is_not_used(
    cache: EngineCache, key: Key, ending: str
) -> None:
    path = cache.folder / f"{key.stem}{ending}"
    path.chmod(0o620)
    assert cache.read(key) is None
    path.chmod(0o600)
    assert cache.read(key) is not None
    # The same content, but through a link that may lead anywhere.
    path.rename(cache.folder / "elsewhere")
    path.symlink_to(cache.folder / "elsewhere")
    assert cache.read(key) is None


def test_another_users_file_is_not_used(
    cache: EngineCache, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = cache.folder.stat().st_uid + 1
    monkeypatch.setattr(private_files.os, "geteuid", lambda: other)
    assert cache.read(key) is None


@contextlib.contextmanager
def unprivileged() -> Iterator[Path]:
    """A folder of one's own, as a user for whom permissions hold, which they do not for root."""
    folder = Path(tempfile.mkdtemp(prefix="engine_cache_", dir="/tmp"))
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o700)
        shutil.rmtree(folder)


def test_a_read_only_folder_is_read_and_new_engines_live_in_memory(
    key: Key, small_engine: bytes, lines: list[str]
) -> None:
    with unprivileged() as folder:
        put(EngineCache(folder, lines.append), key, small_engine)
        folder.chmod(0o500)
        assert EngineCache(folder, lines.append).read(key) == small_engine
        assert lines == []
        (folder / "carla_unet_ros.lock").chmod(0o400)
        cache = EngineCache(folder, lines.append)
        put(cache, Key("engine", {"part": "other"}), small_engine)
        put(cache, Key("engine", {"part": "third"}), small_engine)
        assert lines == [
            f"engines are not kept, and built at every start: {folder} cannot be written "
            "(Permission denied)"
        ]
        assert len(entries(folder)) == 1


def test_what_cannot_be_removed_is_an_error_in_words(
    key: Key, small_engine: bytes, lines: list[str]
) -> None:
    with unprivileged() as folder:
        cache = EngineCache(folder, lines.append)
        put(cache, key, small_engine)
        folder.chmod(0o500)
        with pytest.raises(EngineError, match=r"cannot be removed \(Permission denied\)"):
            cache.clean()
        assert len(entries(folder)) == 1


def test_without_a_folder_engines_live_in_memory(
    small_model_path: Path, small_engine: bytes, lines: list[str]
) -> None:
    target = target_for(small_model_path)
    with unprivileged() as folder:
        folder.chmod(0o500)
        cache = EngineCache(folder / "cache", lines.append)
        assert "cannot be made (Permission denied)" in lines[0]
        assert cache.read(target.key) is None
        put(cache, target.key, small_engine)
        assert "engines are not kept" in lines[1]


def test_a_folder_that_cannot_even_be_looked_into_is_no_cache(
    key: Key, small_engine: bytes, lines: list[str]
) -> None:
    with unprivileged() as folder:
        (folder / "cache").mkdir()
        folder.chmod(0)
        cache = EngineCache(folder / "cache", lines.append)
        assert cache.read(key) is None
        put(cache, key, small_engine)
        assert [line.split(" (")[1] for line in lines] == ["Permission denied)"] * 2
        with pytest.raises(EngineError, match=r"cannot be read \(Permission denied\)"):
            entries(folder / "cache")


def test_a_full_disk_leaves_the_old_engine_and_no_rubbish(
    cache: EngineCache,
    key: Key,
    small_engine: bytes,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = files(cache)
    monkeypatch.setattr(private_files.os, "fsync", full)
    put(cache, key, small_engine[::-1])
    assert "No space left on device" in lines[-1]
    assert files(cache) == before
    assert cache.read(key) == small_engine
