# SPDX-License-Identifier: Apache-2.0
"""Saves what is whole of a damaged sqlite3 recording: `python -m ...training.recover_bag`.

Where a page of the file is broken, SQLite gives no row that lies on it, and refuses to count the
others. This command asks for each row by its number. It needs no `sqlite3` program, whose
`.recover` fails in some releases.
"""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tyro.conf import Positional

from carla_unet_ros.command_line import Configured, run_command
from carla_unet_ros.errors import InputError
from carla_unet_ros.pictures import shown
from carla_unet_ros.whole_files import prepare_file, whole_file

_MOST_MISSING = 100_000
"""Rows that may be missing one after the other; a broken page of the tree takes some thousands."""


@dataclass(frozen=True, kw_only=True)
class Options(Configured):
    """Copy all messages that can be read from a damaged .db3 file of a recording.

    The copy is read without metadata.yaml: carla_unet_from_bag OUT
    """

    damaged: Positional[Path]  # the .db3 file
    out: Path  # the .db3 file to write


def recover(damaged: Path, out: Path) -> tuple[int, int]:
    """Writes `out`; returns how many messages were saved, and how many are known to be lost.

    Raises InputError if the file is no recording, or its tables cannot be read, OSError if `out`
    cannot be written.
    """
    if not damaged.is_file():
        raise InputError(f"{shown(damaged)} is no file; expected the .db3 file of a recording")
    with (
        closing(sqlite3.connect(f"{damaged.absolute().as_uri()}?immutable=1", uri=True)) as old,
        whole_file(out) as file,
        closing(sqlite3.connect(file.name, isolation_level=None)) as new,
    ):
        new.execute("PRAGMA journal_mode = OFF")  # an unfinished copy is removed as a whole
        _copy_tables(old, new, damaged)
        rows = _Rows(old)
        try:
            new.execute("BEGIN")
            new.executemany(f"INSERT INTO messages VALUES ({rows.places})", rows)
            new.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise OSError(f"{shown(out)} cannot be written: {error}") from error
    return rows.saved, rows.lost


class _Rows:
    """The rows of the table of messages, by their numbers from 1 on.

    saved: how many were given so far
    lost:  how many before the last one could not be read
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self.saved = self.lost = 0
        columns = database.execute("PRAGMA table_info(messages)").fetchall()
        self.places = ", ".join("?" for _ in columns)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        number = broken = missing = 0
        while missing < _MOST_MISSING:
            number += 1
            row = None
            try:
                query = "SELECT * FROM messages WHERE id = ?"
                row = self._database.execute(query, (number,)).fetchone()
            except sqlite3.DatabaseError:
                broken += 1
            if row is None:
                missing += 1
                continue
            self.saved, self.lost, missing = self.saved + 1, broken, 0
            yield row


def _copy_tables(old: sqlite3.Connection, new: sqlite3.Connection, damaged: Path) -> None:
    """Makes the tables, and fills all but that of the messages."""
    try:
        made = old.execute("SELECT name, sql FROM sqlite_master WHERE sql NOTNULL").fetchall()
        tables = [name for name, sql in made if sql.startswith("CREATE TABLE")]
        if "messages" not in tables or "topics" not in tables:
            raise InputError(f"{shown(damaged)} has no messages and topics: it is no recording")
        for _, sql in made:
            new.execute(sql)
        for table in tables:
            if table == "messages":
                continue
            for row in old.execute(f'SELECT * FROM "{table}"'):
                places = ", ".join("?" for _ in row)
                new.execute(f'INSERT INTO "{table}" VALUES ({places})', row)
    except sqlite3.DatabaseError as error:
        raise InputError(
            f"{shown(damaged)}: its list of topics is damaged, too ({error}): nothing can be saved"
        ) from error


def _recover(options: Options) -> None:
    prepare_file(options.out)
    saved, lost = recover(options.damaged, options.out)
    print(f"{shown(options.out)}: {saved} messages; {lost} more cannot be read")


def main(argv: list[str] | None = None) -> int:
    return run_command(Options, "recover_bag", _recover, argv)


if __name__ == "__main__":
    sys.exit(main())
