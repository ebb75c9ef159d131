"""Interactions: who met what, and when, as columns in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recjax.data.prepared import Prepared, as_texts, seconds
from recjax.tables.typed import Table
from recjax.text.column import Texts


@dataclass(frozen=True)
class Interactions:
    """`E` events of users with items, sorted by (user, timestamp, input row).

    Attributes:
      user: i32[E], index into `user_ids`.
      item: i32[E], index into `item_ids`.
      timestamp: i64[E], unix seconds.
      rating: f32[E]; 1 where the source has none.
      user_ids: raw user ids.
      item_ids: raw item ids.
      titles: one text an item; empty where the source has none.
      tags: genres or categories of an item as one text; may be empty.
    """

    user: np.ndarray
    item: np.ndarray
    timestamp: np.ndarray
    rating: np.ndarray
    user_ids: Texts | tuple[str, ...]
    item_ids: tuple[str, ...]
    titles: tuple[str, ...]
    tags: tuple[str, ...]

    @property
    def offsets(self) -> np.ndarray:
        """i64[users + 1]: events `offsets[u]:offsets[u + 1]` are those of user `u`."""
        return np.searchsorted(self.user, np.arange(len(self.user_ids) + 1))

    @property
    def texts(self) -> tuple[str, ...]:
        """Title and tags of each item, as one text [N]."""
        both = zip(self.titles, self.tags, strict=True)
        return tuple(f"{title} {tags}".strip() for title, tags in both)


def load_interactions(name: str | Path) -> Interactions:
    """Opens the events of a prepared data set.

    Raises:
      UserError: it is not prepared, damaged, or has no events with times.
    """
    known = Prepared.open(name)
    events = known.table("events", "user", "item", "timestamp")
    return interactions_of(events, known.table("user"), known.table("item"))


def interactions_of(events: Table, users: Table, items: Table) -> Interactions:
    """Returns the columns of tables that belong together."""
    rating = np.ones(events.rows, np.float32)
    if "rating" in events:
        rating = events["rating"].array
    return Interactions(
        user=events["user"].array,
        item=events["item"].array,
        timestamp=seconds(events["timestamp"]),
        rating=rating,
        user_ids=users["id"].vocabulary,
        item_ids=tuple(items["id"].vocabulary),
        titles=texts_of(items, "title"),
        tags=texts_of(items, "tags"),
    )


def texts_of(table: Table, name: str) -> tuple[str, ...]:
    """Returns a column of text; "" for every row where there is none."""
    if name not in table:
        return ("",) * table.rows
    return tuple(as_texts(table[name]))
