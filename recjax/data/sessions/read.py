"""Sessions of users as sorted flat arrays with offsets, memory-mapped from disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from recjax.data.events import Events, Histories
from recjax.data.given_split import given_split
from recjax.data.interactions import texts_of
from recjax.data.prepared import Prepared, seconds
from recjax.data.splits import Examples
from recjax.errors import UserError
from recjax.tables.typed import Table
from recjax.text.column import Texts


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
      split: i8[S], as a column `split` says; None without one.
      titles: one text an item, for people; () for none.
      tables: "item", "user" and "events": all their columns.
      user_row: i32[U], the row of each user in their table; None for the same.
    """

    item: np.ndarray
    timestamp: np.ndarray
    session_start: np.ndarray
    user_start: np.ndarray
    user_ids: Texts | tuple[str, ...]
    item_ids: tuple[str, ...]
    shown: np.ndarray | None = None
    shown_start: np.ndarray | None = None
    split: np.ndarray | None = None
    titles: tuple[str, ...] = ()
    tables: Mapping[str, Table] = field(default_factory=dict)
    user_row: np.ndarray | None = None

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

    def users_of(self, sessions: np.ndarray) -> np.ndarray:
        """Returns the row of the user of each of some sessions in the users' table."""
        user = np.searchsorted(self.user_start, sessions, side="right") - 1
        return user if self.user_row is None else self.user_row[user]

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

    @property
    def examples(self) -> Examples:
        """What is known of the sessions that decides to which split one belongs."""
        time = self.timestamp[self.session_start[:-1]] if self.timed else None
        return Examples("sessions", self.session_user, time, column=self.split)

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


def load_sessions(name: str | Path, apart: bool = False) -> Sessions:
    """Opens the sessions of a prepared data set.

    Args:
      name: of the data set, or its path.
      apart: each event is a session of its own.

    Columns are mapped, so that all processes of a host share their pages, and data may
    be larger than memory.

    Raises:
      UserError: it is not prepared, damaged, or has events without sessions.
    """
    known = Prepared.open(name)
    events = known.table("events", "user", "item")
    if "session" not in events and not apart:
        raise UserError(
            f"{known.path} has events without sessions: prepare it with --gap SECONDS, "
            "or from a file with a column `session`; or take them as sequences, by "
            "data.sequences=True"
        )
    return sessions_of(events, known.table("user"), known.table("item"), apart)


def sessions_of(
    events: Table, users: Table, items: Table, apart: bool = False
) -> Sessions:
    """Returns the columns of tables that belong together; users without events go."""
    start = np.arange(events.rows + 1)
    if not apart:
        start = _starts(events["session"].array)
    user = events["user"].array[start[:-1]]
    user_start, user_ids = _starts(user), users["id"].vocabulary
    if len(user_start) - 1 < users.rows:
        user_ids = tuple(user_ids.take(user[user_start[:-1]]))
    shown = events["impressions"].ragged if "impressions" in events else None
    when = np.zeros(events.rows, np.int64)
    if "timestamp" in events:
        when = seconds(events["timestamp"])
    return Sessions(
        item=events["item"].array,
        timestamp=when,
        session_start=start,
        user_start=user_start,
        user_ids=user_ids,
        item_ids=tuple(items["id"].vocabulary),
        shown=None if shown is None else shown.values,
        shown_start=None if shown is None else shown.start,
        split=_split_of(events, start),
        titles=texts_of(items, "title"),
        tables={"item": items, "user": users, "events": events},
        user_row=user[user_start[:-1]],
    )


def _split_of(events: Table, start: np.ndarray) -> np.ndarray | None:
    """Returns the part of each session, i8[S]; None without a column `split`."""
    part = given_split(events, "events")
    if part is None:
        return None
    first = part[start[:-1]]
    mixed = np.add.reduceat(part != np.repeat(first, np.diff(start)), start[:-1])
    if mixed.any():
        raise UserError(
            f"column 'split' of the events: {np.count_nonzero(mixed):,} of "
            f"{len(mixed):,} sessions have events of several splits; give all events "
            "of a session one, and prepare the data again"
        )
    return first


def _starts(codes: np.ndarray) -> np.ndarray:
    """Returns i64[runs + 1]: where each run of equal codes starts, and their end."""
    inner = np.flatnonzero(codes[1:] != codes[:-1]) + 1
    return np.r_[np.zeros(min(len(codes), 1), np.int64), inner, len(codes)]
