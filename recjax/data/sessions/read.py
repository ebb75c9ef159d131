"""Sessions of users as sorted flat arrays with offsets, memory-mapped from disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recjax.data import records
from recjax.data.events import Events, Histories
from recjax.errors import UserError
from recjax.text.column import Texts, offsets_of

COLUMNS = {
    "items": np.int32,
    "timestamps": np.int64,
    "lengths": np.int32,
    "sessions": np.int32,
    "shown": np.int32,
    "shown_counts": np.int32,
}
"""Columns of a record of users, and how they are stored; see `SessionsBuilder`."""
_FOLDER = "columns"


@dataclass(frozen=True)
class Sessions:
    """`E` events in `S` sessions of `U` users, sorted by user and time.

    Attributes:
      item: i32[E], index into `item_ids`.
      timestamp: i64[E], unix seconds; all 0 where only the order is known.
      session_start: i64[S + 1]; session s holds events start[s]:start[s + 1].
      user_start: i64[U + 1]; user u holds *sessions* start[u]:start[u + 1].
      user_ids: the users' own ids [U].
      item_ids: the items' own ids [N].
      shown: i32[I], items shown but not taken at the events (impressions), if known.
      shown_start: i64[E + 1]; event e was shown `shown[start[e]:start[e + 1]]`.
    """

    item: np.ndarray
    timestamp: np.ndarray
    session_start: np.ndarray
    user_start: np.ndarray
    user_ids: Texts | tuple[str, ...]
    item_ids: tuple[str, ...]
    shown: np.ndarray | None = None
    shown_start: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Checks that the arrays fit each other.

        Raises:
          ValueError: they do not, or a session or user is empty.
        """
        for name, start, end in (
            ("session_start", self.session_start, len(self.item)),
            ("user_start", self.user_start, len(self.session_start) - 1),
        ):
            bad = not len(start) or start[0] != 0 or start[-1] != end
            if bad or (np.diff(start) < 1).any():
                raise ValueError(f"{name} does not divide {end} into non-empty parts")
        if len(self.user_ids) != len(self.user_start) - 1:
            raise ValueError(f"{len(self.user_ids)} ids of {self.users} users")
        if len(self.timestamp) != len(self.item):
            raise ValueError(f"{len(self.timestamp)} times, {len(self.item)} items")

    @property
    def users(self) -> int:
        """`U`."""
        return len(self.user_start) - 1

    @property
    def timed(self) -> bool:
        """Whether it is known when events happened."""
        return bool(len(self.timestamp)) and bool(self.timestamp[-1])

    @property
    def session_user(self) -> np.ndarray:
        """The user of each session, i32[S]."""
        return np.repeat(
            np.arange(self.users, dtype=np.int32), np.diff(self.user_start)
        )

    @property
    def event_session(self) -> np.ndarray:
        """The session of each event, i32[E]."""
        sessions = len(self.session_start) - 1
        return np.repeat(
            np.arange(sessions, dtype=np.int32), np.diff(self.session_start)
        )

    @property
    def position(self) -> np.ndarray:
        """Position of each event in its session, from 0, i32[E]."""
        lengths = np.diff(self.session_start)
        start = np.repeat(self.session_start[:-1], lengths)
        return (np.arange(len(self.item)) - start).astype(np.int32)

    def log(self) -> Events:
        """Returns all events; where only the order is known, it stands for time."""
        session = self.event_session
        return Events(
            self.session_user[session],
            np.asarray(self.item),
            np.asarray(self.timestamp) if self.timed else np.arange(len(self.item)),
            len(self.item_ids),
            self.timed,
            session,
        )

    def histories(self, log: Events, event: np.ndarray) -> Histories:
        """Returns what the user of each event of `log` [Q] did before it."""
        start = np.asarray(self.session_start)
        first, session = start[self.user_start[log.user[event]]], log.session[event]
        time, when = None, None
        if self.timed:
            time, when = log.timestamp, log.timestamp[event]
        return Histories(log.item, first, event, time, when, start[session])


def load_sessions(path: str | Path) -> Sessions:
    """Opens a prepared data set of sessions, without TensorFlow.

    The records are unpacked to NumPy files beside them once; all processes of a host
    then map the same pages, and data may be larger than memory.

    Raises:
      UserError: `path` is missing, damaged or holds another kind of data.
    """
    path = Path(path)
    records.expect(path, "sessions")
    folder = path / _FOLDER
    if not folder.is_dir():
        _unpack(path, folder)
    column = {file.stem: np.load(file, mmap_mode="r") for file in folder.glob("*.npy")}
    shown_start = offsets_of(column["shown_counts"]) if len(column["shown"]) else None
    return Sessions(
        item=column["items"],
        timestamp=column["timestamps"],
        session_start=column["session_start"],
        user_start=column["user_start"],
        user_ids=Texts(column["ids_data"], column["ids_start"]),
        item_ids=tuple(_item_ids(path)),
        shown=column["shown"] if shown_start is not None else None,
        shown_start=shown_start,
    )


def _item_ids(path: Path) -> Iterator[str]:
    for block in records.read(path, "items"):
        yield from Texts(block["ids"]["data"], offsets_of(block["ids"]["lengths"]))


def _unpack(path: Path, folder: Path) -> None:
    """Writes every column as one .npy, block by block; the folder appears whole."""
    work = path / f".{_FOLDER}-{os.getpid()}"
    try:
        work.mkdir()
        with _Columns(work) as columns:
            for block in records.read(path, "users", block=1):
                for name in COLUMNS:
                    columns.add(name, block[name])
                columns.add("ids_data", block["ids"]["data"])
                columns.add("ids_lengths", block["ids"]["lengths"])
        for start, lengths in (
            ("session_start", "lengths"),
            ("user_start", "sessions"),
            ("ids_start", "ids_lengths"),
        ):
            np.save(work / f"{start}.npy", offsets_of(np.load(work / f"{lengths}.npy")))
        if folder.is_dir():  # another process was quicker
            return
        work.rename(folder)
    except OSError as error:
        if folder.is_dir():
            return
        raise UserError(
            f"cannot unpack the columns of {path}: {error.strerror or error}; free "
            "some space, or prepare it where you may write"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


class _Columns:
    """Appends blocks to flat files, then gives each its .npy header."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._types: Mapping[str, type] = {
            **COLUMNS,
            "ids_data": np.uint8,
            "ids_lengths": np.int32,
        }
        self._files = {n: (folder / f"{n}.raw").open("wb") for n in self._types}

    def __enter__(self) -> _Columns:
        return self

    def add(self, name: str, values: np.ndarray) -> None:
        """Appends values to a column."""
        np.asarray(values, self._types[name]).tofile(self._files[name])

    def __exit__(self, *error: object) -> None:
        for name, file in self._files.items():
            file.close()
            if error[0] is None:
                self._finish(name)

    def _finish(self, name: str) -> None:
        raw, dtype = self._folder / f"{name}.raw", np.dtype(self._types[name])
        size = raw.stat().st_size // dtype.itemsize
        if size:
            out = np.lib.format.open_memmap(
                self._folder / f"{name}.npy", "w+", dtype, (size,)
            )
            out[:] = np.memmap(raw, dtype, "r")
            out.flush()
        else:
            np.save(self._folder / f"{name}.npy", np.zeros(0, dtype))
        raw.unlink()
