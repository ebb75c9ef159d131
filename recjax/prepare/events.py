"""A user's log of events: checked, sorted, filtered, and cut into sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from recjax.errors import UserError
from recjax.prepare import make
from recjax.prepare.gather import Reading, places
from recjax.prepare.options import How
from recjax.prepare.sessionize import (
    Filter,
    cut_long,
    event_tables,
    idle_gaps,
    session_column,
)
from recjax.seconds import SECOND_NS
from recjax.tables.check import given_twice
from recjax.tables.columns import Column
from recjax.tables.report import Findings
from recjax.tables.result import Read
from recjax.tables.typed import Ragged, Table, TypedColumn
from recjax.text.column import Texts, pack

IDS = (Column("user", "id"), Column("item", "id"))
SESSION = Column("session", "id", required=False)
SCHEMA = (
    Column("timestamp", "timestamp"),
    Column("action", "category", required=False),
    Column("rating", "number", required=False),
    Column("split", "category", required=False),
    Column("impressions", "ids", required=False, filled=False),
)
TWICE = "the same event twice"
"""The kind of problem."""


@dataclass(frozen=True)
class Log:
    """Good events in the order of their files, by code.

    Attributes:
      user: i32[E] rows of `users`, or codes of its ids.
      item: i32[E] the same of `items`.
      users: the table, or ids in order of appearance.
      items: the same.
      shown: codes of the items shown with each event.
      time: i64[E] nanoseconds.
      session: i32[E] the names of sessions, by code; None where there are none.
      more: other columns.
    """

    user: np.ndarray
    item: np.ndarray
    users: Table | Texts
    items: Table | Texts
    shown: Ragged | None
    time: np.ndarray
    session: np.ndarray | None
    more: tuple[TypedColumn, ...]


def read_events(
    reading: Reading, entities: Mapping[str, Table]
) -> tuple[dict[str, Table], dict[str, Any]] | None:
    """Returns the tables user, item and events, and how sessions were made.

    Args:
      reading: the tables and options.
      entities: those that have a table of their own.

    Returns:
      None if the events cannot be used, and then the findings say why.

    Raises:
      UserError: no event is left after the filters.
    """
    how, findings = reading.how, reading.findings
    names = reading.header("events")
    anonymous = "user" not in names and "session" in names
    ids = (replace(IDS[0], name="session"), IDS[1]) if anonymous else (*IDS, SESSION)
    found = reading.read("events", (*ids, *SCHEMA))
    if found is None:
        return None
    sessions = "session" in found.table
    if sessions and how.gap is not None:
        fix = "leave out --gap, or the column: --column events:session=skip"
        findings.of_file("events", "--gap, but the file names sessions", fix)
    if how.longest is not None and not sessions and how.gap is None:
        findings.of_file("events", "--longest, but no sessions", "pass --gap SECONDS")
    log, good = _log(found, "session" if anonymous else "user", entities, findings)
    order = np.lexsort((log.time, log.user))
    if _same_moment(log, order):
        key = ["session" if anonymous else "user", "item", "timestamp"]
        key += ["action"] if "action" in found.table else []
        good &= ~given_twice(found, key, TWICE, findings)
    order = order[good[order]]
    if log.session is not None:
        order = _whole_sessions(found, log.user, log.session, order, findings)
    kept, rule = order, Filter(how.item_events, how.user_events, how.most_user_events)
    if rule != Filter():
        kept = order[rule.keep(log.user[order], log.item[order])]
    if not len(kept) and len(order):
        raise UserError(
            f"no event is left: no user with {how.user_events} events on items with "
            f"{how.item_events}; lower --user-events or --item-events"
        )
    if len(kept) < len(order):
        gone = f"{len(order) - len(kept):,} of {len(order):,} events left out: of users"
        findings.note("events", f"{gone} or items with too few or too many")
    told = {"unit": found.units.get("timestamp"), "gap": how.gap}
    told |= {"longest": how.longest, "anonymous": anonymous or None}
    settings = {name: value for name, value in told.items() if value is not None}
    return _tables(log, kept, how), settings


def _log(
    found: Read, who: str, entities: Mapping[str, Table], findings: Findings
) -> tuple[Log, np.ndarray]:
    """Returns the events by code, and which of them have known ids, bool[E]."""
    table, good = found.table, np.ones(found.table.rows, bool)

    def of(name: str, entity: str) -> tuple[np.ndarray, Table | Texts]:
        nonlocal good
        if entity not in entities:
            return table[name].array, table[name].vocabulary
        labels = entities[entity]["id"].vocabulary
        at = places(found, name, labels, entity, findings)
        good &= at >= 0
        return np.maximum(at, 0), entities[entity]

    user, users = of(who, "user")
    item, items = of("item", "item")
    shown = None
    if "impressions" in table:
        shown, items, known = _shown(found, items, findings)
        good &= known
    skipped = {who, "item", "timestamp", "session", "impressions"}
    more = tuple(c for name, c in table.columns.items() if name not in skipped)
    session = table["session"].array if "session" in table else None
    time = table["timestamp"].array
    return Log(user, item, users, items, shown, time, session, more), good


def _shown(
    found: Read, items: Table | Texts, findings: Findings
) -> tuple[Ragged, Table | Texts, np.ndarray]:
    """Returns impressions by code of items, the items, and rows with known ones."""
    column = found.table["impressions"]
    shown, theirs = column.ragged, make.series(column.vocabulary)
    own = isinstance(items, Texts)
    ids = make.series(items if own else items["id"].vocabulary)
    at = np.array(make.index_of(theirs, ids))
    good = np.ones(len(shown), bool)
    if own and (at < 0).any():
        items = pack(pl.concat([ids, theirs.filter(at < 0)]))
        at[at < 0] = len(ids) + np.arange((at < 0).sum())
    elif (at < 0).any():
        codes = at[shown.values]
        row = np.repeat(np.arange(len(shown)), np.diff(shown.start))
        lost, first = np.unique(row[codes < 0], return_index=True)
        values = column.vocabulary.take(shown.values[codes < 0][first])
        fix = "give it a (valid) row in the table of items, or leave it out"
        found.tell(findings, "impressions", "unknown item", lost, values, fix)
        good[lost] = False
    return Ragged(shown.start, np.maximum(at, 0)[shown.values]), items, good


def _same_moment(log: Log, order: np.ndarray) -> bool:
    """Returns whether a user meets an item twice in one moment."""
    user, time = log.user[order], log.time[order]
    same = (user[1:] == user[:-1]) & (time[1:] == time[:-1])
    at = np.flatnonzero(np.r_[same, False] | np.r_[False, same])
    if not len(at):
        return False
    columns = {"user": user[at], "time": time[at], "item": log.item[order[at]]}
    return bool(pl.DataFrame(columns).is_duplicated().any())


def _whole_sessions(
    found: Read,
    user: np.ndarray,
    session: np.ndarray,
    order: np.ndarray,
    findings: Findings,
) -> np.ndarray:
    """Returns the events in order without what comes back to an earlier session."""
    first = _first(user[order], session[order])
    starts = order[first]
    runs = pl.DataFrame({"user": user[starts], "session": session[starts]})
    again = ~runs.select(pl.struct("user", "session").is_first_distinct()).to_series()
    bad = again.to_numpy()[np.cumsum(first) - 1] if len(first) else first
    lost = np.sort(order[bad])
    if len(lost):
        names = found.table["session"].vocabulary.take(session[lost])
        fix = "give sessions that overlap users of their own, or leave out the column "
        fix += "(--column events:session=skip) and pass --gap"
        kind = "goes on with a session after another began"
        found.tell(findings, "session", kind, lost, names, fix)
    return order[~bad]


def _first(user: np.ndarray, session: np.ndarray) -> np.ndarray:
    first = np.ones(len(user), bool)
    first[1:] = (user[1:] != user[:-1]) | (session[1:] != session[:-1])
    return first


def _tables(log: Log, order: np.ndarray, how: How) -> dict[str, Table]:
    user, time = log.user[order], log.time[order]
    columns = [TypedColumn("timestamp", "timestamp", time)]
    first = None
    if log.session is not None:
        first = _first(user, log.session[order])
    elif how.gap is not None:
        first = idle_gaps(user, time, how.gap * SECOND_NS)
    if first is not None:
        first = first if how.longest is None else cut_long(first, how.longest)
        columns.append(session_column(first))
    return event_tables(
        user,
        log.item[order],
        log.users,
        log.items,
        *columns,
        *(column.take(order) for column in log.more),
        shown=None if log.shown is None else log.shown.take(order),
    )
