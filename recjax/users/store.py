"""Profiles by user, in one SQLite file, behind the methods that are asked of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from recjax.errors import UserError
from recjax.users.profile import Profile

TABLE = "CREATE TABLE profiles (user TEXT NOT NULL, profile BLOB NOT NULL)"
INDEX = "CREATE UNIQUE INDEX by_user ON profiles (user)"


class Store(Protocol):
    """Where profiles are kept."""

    def get(self, user: str) -> Profile | None:
        """Returns a user's profile, if there is one."""

    def put(self, profiles: Iterable[tuple[str, Profile]]) -> None:
        """Keeps profiles, all or none, in the place of those that were there."""

    def users(self) -> Iterator[str]:
        """Yields all users, in order."""


def write_sqlite(path: Path, profiles: Iterable[tuple[str, Profile]]) -> None:
    """Writes a new store; a few profiles are in memory at a time, in any order.

    Profiles are appended and indexed at the end: a table in the order of the users
    would be written all over, again and again.

    Raises:
      DuplicateUser: a user has two profiles.
    """
    base = sqlite3.connect(path)
    try:
        # Half a file is of no use to anyone: no journal, no waiting for the disk.
        base.execute("PRAGMA journal_mode=OFF")
        base.execute("PRAGMA synchronous=OFF")
        base.execute(TABLE)
        rows = ((user, profile.pack()) for user, profile in profiles)
        with base:
            base.executemany("INSERT INTO profiles VALUES (?, ?)", rows)
        twice = "SELECT user FROM profiles GROUP BY user HAVING count(*) > 1 LIMIT 1"
        try:
            base.execute(INDEX)
        except sqlite3.IntegrityError:
            raise DuplicateUser(base.execute(twice).fetchone()[0]) from None
        base.commit()
        base.execute("PRAGMA journal_mode=WAL")
    finally:
        base.close()


class DuplicateUser(Exception):
    """A user has two profiles; the argument is the user."""


class SqliteStore:
    """Profiles in one SQLite file. Readers go on while a writer writes."""

    def __init__(self, path: Path):
        """Opens a store that `write_sqlite` wrote; to be read alone in such a folder.

        Raises:
          UserError: the file is missing, or no store.
        """
        path = Path(path)
        if not path.is_file():
            raise UserError(f"{path}: no such file; `recjax users build` writes it")
        self._path = path
        try:
            self._base = self._open("")
        except sqlite3.DatabaseError as error:
            log = path.with_name(path.name + "-wal")
            try:
                # SQLite wants to write beside the file, unless nobody can change it.
                if log.exists() and log.stat().st_size:
                    raise error
                self._base = self._open("?immutable=1")
            except sqlite3.DatabaseError as error:
                raise UserError(f"{path}: not a store of profiles: {error}") from None

    def _open(self, how: str) -> sqlite3.Connection:
        base = sqlite3.connect(self._path.absolute().as_uri() + how, uri=True)
        try:
            base.execute("SELECT user FROM profiles LIMIT 1")
        except sqlite3.DatabaseError:
            base.close()
            raise
        return base

    def get(self, user: str) -> Profile | None:
        """Returns a user's profile, if there is one."""
        query = "SELECT profile FROM profiles WHERE user = ?"
        found = self._base.execute(query, (user,)).fetchone()
        return None if found is None else Profile.unpack(found[0])

    def put(self, profiles: Iterable[tuple[str, Profile]]) -> None:
        """Keeps profiles, all or none, in the place of those that were there.

        Raises:
          UserError: they cannot be written.
        """
        rows = ((user, profile.pack()) for user, profile in profiles)
        try:
            with self._base:
                self._base.executemany(
                    "INSERT OR REPLACE INTO profiles VALUES (?, ?)", rows
                )
        except sqlite3.OperationalError as error:
            raise UserError(f"{self._path}: cannot write to it: {error}") from None

    def users(self) -> Iterator[str]:
        """Yields all users, in order."""
        for (user,) in self._base.execute("SELECT user FROM profiles ORDER BY user"):
            yield user

    def __len__(self) -> int:
        """Number of profiles."""
        return self._base.execute("SELECT count(*) FROM profiles").fetchone()[0]

    def close(self) -> None:
        """Closes the file."""
        self._base.close()
