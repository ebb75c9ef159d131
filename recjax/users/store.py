"""Profiles by user, in one SQLite file, behind the methods that are asked of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from recjax.errors import UserError
from recjax.users.profile import Profile


class Store(Protocol):
    """Where profiles are kept."""

    def get(self, user: str) -> Profile | None:
        """Returns a user's profile, if there is one."""

    def put(self, profiles: Iterable[tuple[str, Profile]]) -> None:
        """Keeps profiles, all or none, in the place of those that were there."""

    def users(self) -> Iterator[str]:
        """Yields all users, in order."""


class SqliteStore:
    """Profiles in one SQLite file. Readers go on while a writer writes."""

    def __init__(self, path: Path, create: bool = False):
        """Opens a store.

        Args:
          path: the file.
          create: make it where it is missing.

        Raises:
          UserError: the file is missing, or no store.
        """
        if not create and not Path(path).is_file():
            raise UserError(f"{path}: no such file; `recjax users build` writes it")
        self._path = path
        self._base = sqlite3.connect(path)
        try:
            if create:
                self._base.execute("PRAGMA journal_mode=WAL")
                self._base.execute(
                    "CREATE TABLE IF NOT EXISTS profiles"
                    " (user TEXT PRIMARY KEY, profile BLOB NOT NULL) WITHOUT ROWID"
                )
            self._base.execute("SELECT user FROM profiles LIMIT 1")
        except sqlite3.DatabaseError as error:
            raise UserError(f"{path}: not a store of profiles: {error}") from None

    def get(self, user: str) -> Profile | None:
        """Returns a user's profile, if there is one."""
        query = "SELECT profile FROM profiles WHERE user = ?"
        found = self._base.execute(query, (user,)).fetchone()
        return None if found is None else Profile.unpack(found[0])

    def put(self, profiles: Iterable[tuple[str, Profile]]) -> None:
        """Keeps profiles, all or none, in the place of those that were there."""
        rows = ((user, profile.pack()) for user, profile in profiles)
        with self._base:
            self._base.executemany(
                "INSERT OR REPLACE INTO profiles VALUES (?, ?)", rows
            )

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
