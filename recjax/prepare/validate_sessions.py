"""Checking a user's own log of sessions, and making sessions of it.

A log is a table with columns user, item, timestamp and maybe session (any name; another
name starts another session) and impressions (ids of the items shown with the event but
not taken, parted by spaces). Events may come in any order; those of one user and one
second keep the order of the file.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from recjax.data.interactions import index_of
from recjax.data.sessions.read import Sessions
from recjax.errors import UserError
from recjax.prepare import sessionize as sessions_cut
from recjax.prepare.sessionize import Filter
from recjax.prepare.validate import Checked
from recjax.tables.old.check import check_options, clean, distinct, known_columns
from recjax.tables.old.columns import Column
from recjax.tables.old.convert import Unit
from recjax.tables.old.read import read_table
from recjax.tables.report import Findings

EVENTS = (
    Column("user", "id"),
    Column("item", "id"),
    Column("timestamp", "time"),
    Column("session", "note", required=False),
    Column("impressions", "note", required=False),
)


@dataclass(frozen=True)
class Sessionize:
    """How a log becomes sessions.

    Attributes:
      gap: idle seconds that end a session, where the log names no sessions.
      longest: events after which a session goes on as another.
      item_events: fewest events of an item that stays.
      user_events: fewest events of a user that stays.
    """

    gap: int = 1_800
    longest: int = 50
    item_events: int = 1
    user_events: int = 1

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
          UserError: one is below 1.
        """
        for name, value in vars(self).items():
            if value < 1:
                flag = name.replace("_", "-")
                raise UserError(f"--{flag} {value}: must be at least 1")


def validate_sessions(
    events: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    unit: Unit = "s",
    encoding: str = "utf-8",
    now: float | None = None,
) -> Checked:
    """Checks a log: missing values, times that are negative or to come, events twice.

    Args:
      events: CSV, TSV or Parquet file.
      columns: recjax's column name -> the file's, where they differ.
      unit: of numeric timestamps: "s" or "ms"; ISO dates are taken as they are.
      encoding: of CSV files.
      now: unix seconds; timestamps over a day later are problems (default: the clock).

    Raises:
      UserError: an argument, rather than the file, is wrong.
    """
    findings = Findings()
    columns = known_columns(columns, EVENTS)
    check_options(unit, encoding)
    table = read_table(Path(events), EVENTS, columns, encoding, findings)
    now = time.time() if now is None else now
    main = clean(table, EVENTS, unit, now, findings)
    key = ["user", "item", "timestamp"]
    main = distinct(main, table, key, "the same event twice", findings)
    return Checked(findings.report(), main, None)


def from_checked(checked: Checked, cut: Sessionize) -> Sessions:
    """Sorts the good events and cuts them into sessions.

    Raises:
      UserError: no event is left after the filters.
    """
    frame = checked.main
    users = frame["user"].unique(maintain_order=True)
    items = frame["item"].unique(maintain_order=True)
    shown = None
    if "impressions" in frame.columns:
        lists = frame["impressions"].str.split(" ")
        shown = lists.list.eval(pl.element().filter(pl.element() != ""))
        items = pl.concat([items, shown.explode().drop_nulls().rename("item")])
        items = items.unique(maintain_order=True)
    user, item = index_of(frame["user"], users), index_of(frame["item"], items)
    when = frame["timestamp"].cast(pl.Int64).to_numpy()
    order = np.lexsort((when, user))
    keep = Filter(cut.item_events, cut.user_events).keep(user[order], item[order])
    order = order[keep]
    if not len(order):
        raise UserError(
            f"no event is left: no user with {cut.user_events} events on items with "
            f"{cut.item_events}; lower --user-events or --item-events"
        )
    user, item, when = user[order], item[order], when[order]
    if "session" in frame.columns:
        name = frame["session"].to_numpy()[order]
        first = np.ones(len(user), bool)
        first[1:] = (user[1:] != user[:-1]) | (name[1:] != name[:-1])
    else:
        first = sessions_cut.idle_gaps(user, when, cut.gap)
    if shown is not None:
        shown = _ragged(shown[order], items)
    first = sessions_cut.cut_long(first, cut.longest)
    return sessions_cut.build(
        user, item, when, first, users.to_list(), items.to_list(), shown
    )


def _ragged(lists: pl.Series, items: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    lengths = lists.list.len().fill_null(0).to_numpy()
    flat = lists.explode().drop_nulls()
    return np.r_[0, np.cumsum(lengths)], index_of(flat, items)
