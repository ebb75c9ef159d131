"""What is checked and decided row by row in events: of all of them, or of some users.

A user's events are all that the order, the sessions and the events given twice of that
user need, so that who has whole users in the order of the files can do without the
rest. What takes more than that is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from recjax.prepare import make
from recjax.prepare.options import option_of
from recjax.prepare.sessionize import Filter, cut_long, idle_gaps, session_column
from recjax.seconds import SECOND_NS
from recjax.tables.check import given_twice, unknown_ids
from recjax.tables.report import Findings
from recjax.tables.result import Read
from recjax.tables.typed import Table, select
from recjax.text.column import Texts

TWICE = "the same event twice"
"""The kind of problem."""


@dataclass(frozen=True)
class Rules:
    """What is asked of events.

    Attributes:
      who: the column that says whose an event is: "user", or "session" without users.
      known: column -> entity and how many of the labels it has a row for: the first.
      gap: idle seconds that end a session; None: the file's sessions, or none.
      longest: events after which a session goes on as another.
      filter: which users and items stay.
    """

    who: str = "user"
    known: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    gap: int | None = None
    longest: int | None = None
    filter: Filter = Filter()


def known_rows(
    found: Read, labels: Mapping[str, Texts], rules: Rules, findings: Findings
) -> Read:
    """Returns the events whose ids are known, by the labels of the whole table.

    Args:
      found: events.
      labels: column -> all labels.
      rules: what is known.
      findings: where those with unknown ids go.
    """
    table, good = found.table, np.ones(found.table.rows, bool)
    columns = {
        name: make.relabelled(column, labels[name]) if name in labels else column
        for name, column in table.columns.items()
    }
    found = replace(found, table=Table(table.rows, columns))
    for name, (what, count) in rules.known.items():
        it, end = f"the {what}", "delete this row"
        if name == "impressions":
            it, end = "it", "leave it out"
        fix = f"give {it} a (valid) row in the table of {option_of(what)}, or {end}"
        lost = np.arange(len(labels[name])) >= count
        good &= ~unknown_ids(found, name, lost, what, findings, fix)
    return found if good.all() else found.take(good)


def in_order(found: Read, rules: Rules, findings: Findings) -> np.ndarray:
    """Returns the events by user and time, without those that are bad beside others.

    Args:
      found: all events of some users, in the order of their files.
      rules: whose they are.
      findings: where events given twice and broken sessions go.

    Returns:
      Positions in `found`.
    """
    table = found.table
    user, time = table[rules.who].array, table["timestamp"].array
    order = np.lexsort((time, user))
    if _same_moment(user[order], time[order], table["item"].array[order]):
        key = [rules.who, "item", "timestamp"]
        key += ["action"] if "action" in table else []
        order = order[~given_twice(found, key, TWICE, findings)[order]]
    if "session" in table and rules.who != "session":
        order = _whole_sessions(found, order, findings)
    return order


def filtered(
    found: Read, order: np.ndarray, rules: Rules, events: np.ndarray | None
) -> np.ndarray:
    """Returns which of the events in order the filter leaves, see `Filter.keep`."""
    if rules.filter == Filter():
        return order
    user, item = found.table[rules.who].array, found.table["item"].array
    return order[rules.filter.keep(user[order], item[order], events)]


def cut(found: Read, order: np.ndarray, rules: Rules) -> Table:
    """Returns events in order with the sessions that they are cut into.

    Returns:
      Columns user, item[, impressions], timestamp[, session] and all others; sessions
      are numbered from 0.
    """
    table = found.table
    user = replace(table[rules.who].take(order), name="user")
    columns = [user, table["item"].take(order)]
    if "impressions" in table:
        columns.append(table["impressions"].take(order))
    columns.append(table["timestamp"].take(order))
    first = None
    if "session" in table:
        first = _first(user.array, table["session"].array[order])
    elif rules.gap is not None:
        time = columns[-1].array
        first = idle_gaps(user.array, time, rules.gap * SECOND_NS)
    if first is not None:
        first = first if rules.longest is None else cut_long(first, rules.longest)
        columns.append(session_column(first))
    done = {rules.who, "item", "impressions", "timestamp", "session"}
    rest = (column for name, column in table.columns.items() if name not in done)
    return make.table(*columns, *(column.take(order) for column in rest))


def _same_moment(user: np.ndarray, time: np.ndarray, item: np.ndarray) -> bool:
    """Returns whether a user meets an item twice in one moment; they are in order."""
    same = (user[1:] == user[:-1]) & (time[1:] == time[:-1])
    at = np.flatnonzero(np.r_[same, False] | np.r_[False, same])
    if not len(at):
        return False
    columns = {"user": user[at], "time": time[at], "item": item[at]}
    return bool(pl.DataFrame(columns).is_duplicated().any())


def _whole_sessions(found: Read, order: np.ndarray, findings: Findings) -> np.ndarray:
    """Returns the events in order without what comes back to an earlier session."""
    column, user = found.table["session"], found.table["user"].array
    session = column.array
    first = _first(user[order], session[order])
    starts = order[first]
    runs = pl.DataFrame({"user": user[starts], "session": session[starts]})
    again = ~runs.select(pl.struct("user", "session").is_first_distinct()).to_series()
    bad = again.to_numpy()[np.cumsum(first) - 1] if len(first) else first
    lost = np.sort(order[bad])
    if len(lost):
        run = np.empty(len(user), np.int64)
        run[order] = np.cumsum(first) - 1
        theirs = select(column.vocabulary, session[lost])
        other = select(column.vocabulary, session[starts[run[lost] - 1]])
        of = select(found.table["user"].vocabulary, user[lost])
        rows = zip(theirs, of, other, strict=True)
        names = [f"{one} of user {who}, after {next} began" for one, who, next in rows]
        fix = "skip these rows (--on-bad-row skip), or leave out the column (--column "
        fix += "events:session=skip) and cut sessions by --gap"
        kind = "goes on with a session after another began"
        found.tell(findings, "session", kind, lost, names, fix)
    return order[~bad]


def _first(user: np.ndarray, session: np.ndarray) -> np.ndarray:
    first = np.ones(len(user), bool)
    first[1:] = (user[1:] != user[:-1]) | (session[1:] != session[:-1])
    return first
