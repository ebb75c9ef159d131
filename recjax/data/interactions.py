"""Interactions: who met what, and when, as columns in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from recjax.data.events import Events
from recjax.data.given_split import given_split
from recjax.data.long_columns import counts
from recjax.data.prepared import Prepared, as_texts, seconds
from recjax.data.splits import Examples
from recjax.errors import UserError, nearest
from recjax.seconds import MINUTE
from recjax.tables.typed import Table
from recjax.text.column import Texts

TEXTS = ("title", "tags")
"""Columns that are an item's text, where the experiment names no others."""


@dataclass(frozen=True)
class Interactions:
    """`E` events of users with items, sorted by (user, timestamp, input row).

    Attributes:
      user: i32[E], row of the users.
      item: i32[E], row of the items.
      timestamp: i64[E], unix seconds; a minute an event where only the order is known.
      rating: f32[E]; 1 where the source has none.
      tables: "user", "item" and "events": what is known of them.
      timed: whether timestamps are known.
    """

    user: np.ndarray
    item: np.ndarray
    timestamp: np.ndarray
    rating: np.ndarray
    tables: Mapping[str, Table]
    timed: bool = True

    @property
    def user_ids(self) -> Texts:
        """Raw user ids."""
        return self.tables["user"]["id"].vocabulary

    @cached_property
    def item_ids(self) -> tuple[str, ...]:
        """Raw item ids."""
        return tuple(self.tables["item"]["id"].vocabulary)

    @cached_property
    def titles(self) -> tuple[str, ...]:
        """One text an item; empty where the source has none."""
        return texts_of(self.tables["item"], "title")

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """Genres or categories of an item as one text; may be empty."""
        return texts_of(self.tables["item"], "tags")

    @property
    def offsets(self) -> np.ndarray:
        """i64[users + 1]: events `offsets[u]:offsets[u + 1]` are those of user `u`."""
        return np.searchsorted(self.user, np.arange(len(self.user_ids) + 1))

    @property
    def examples(self) -> Examples:
        """The events, as splits know them."""
        time = self.timestamp if self.timed else None
        known = Examples("events", self.user, time, self.item)
        return replace(known, column=given_split(self.tables["events"], "events"))

    @property
    def log(self) -> Events:
        """The events, as baselines know them."""
        size = self.tables["item"].rows
        return Events(self.user, self.item, self.timestamp, size, self.timed)

    def counts(self, events: np.ndarray) -> Mapping[str, np.ndarray]:
        """Returns how many of some events each "user" has, and each "item"."""
        return {
            "user": counts(self.user, events, len(self.user_ids)),
            "item": counts(self.item, events, self.tables["item"].rows),
        }

    def age(self, events: np.ndarray, what: str) -> np.ndarray:
        """Returns seconds before the newest of some events, below 0 after it, i64[E].

        Raises:
          UserError: only the order is known, which `what` cannot do with.
        """
        if not self.timed:
            raise UserError(f"{what} needs timestamps, which these events do not have")
        return self.timestamp[events].max() - self.timestamp

    def texts(self, names: Sequence[str]) -> tuple[str, ...]:
        """Returns columns of items joined, those that are not empty, as one text [N].

        Raises:
          UserError: there is no such column; what `TEXTS` names may be missing.
        """
        table = self.tables["item"]
        for name in names:
            if name not in table and name not in TEXTS:
                raise UserError(
                    f"data.texts: the items have no column {name!r}."
                    + nearest(name, table.columns)
                )
        rows = zip(*(texts_of(table, name) for name in names), strict=True)
        return tuple(" ".join(part for part in row if part) for row in rows)


def load_interactions(name: str | Path) -> Interactions:
    """Opens the events of a prepared data set.

    Raises:
      UserError: it is not prepared, damaged, or has no events.
    """
    known = Prepared.open(name)
    events = known.table("events", "user", "item")
    return interactions_of(events, known.table("user"), known.table("item"))


def interactions_of(events: Table, users: Table, items: Table) -> Interactions:
    """Returns the columns of tables that belong together."""
    rating = np.broadcast_to(np.float32(1), events.rows)
    if "rating" in events:
        rating = events["rating"].array
    # Without times, events are a minute apart, for what forgets by age.
    timed, order = "timestamp" in events, np.arange(events.rows) * MINUTE
    return Interactions(
        user=events["user"].array,
        item=events["item"].array,
        timestamp=seconds(events["timestamp"]) if timed else order,
        rating=rating,
        tables={"user": users, "item": items, "events": events},
        timed=timed,
    )


def texts_of(table: Table, name: str) -> tuple[str, ...]:
    """Returns a column of text; "" for every row where there is none."""
    if name not in table:
        return ("",) * table.rows
    return tuple(as_texts(table[name]))
