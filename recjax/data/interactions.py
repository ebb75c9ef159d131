"""Interactions: who met what, and when, as columns in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from recjax.data import records


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
    user_ids: tuple[str, ...]
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


def from_frames(events: pl.DataFrame, items: pl.DataFrame | None) -> Interactions:
    """Indexes raw ids: users in order of appearance, items in order of their table.

    Args:
      events: columns user, item (text), timestamp (seconds), maybe rating.
      items: columns item, title, maybe tags; every item of `events` is in it. Without
        it, items are those of `events` in order of appearance, without text.
    """
    users = events["user"].unique(maintain_order=True)
    if items is None:
        items = events.select(pl.col("item").unique(maintain_order=True))
    user = index_of(events["user"], users)
    timestamp = events["timestamp"].cast(pl.Int64).to_numpy()
    order = np.lexsort((timestamp, user))
    if "rating" in events.columns:
        rating = events["rating"].cast(pl.Float32).to_numpy()
    else:
        rating = np.ones(events.height, np.float32)
    return Interactions(
        user=user[order],
        item=index_of(events["item"], items["item"])[order],
        timestamp=timestamp[order],
        rating=rating[order],
        user_ids=tuple(users),
        item_ids=tuple(items["item"]),
        titles=_texts(items, "title"),
        tags=_texts(items, "tags"),
    )


def load_interactions(path: str | Path) -> Interactions:
    """Reads a prepared data set of interactions, without TensorFlow.

    Raises:
      UserError: `path` is missing, damaged or holds another kind of data.
    """
    path = Path(path)
    records.expect(path, "interactions")
    users = list(records.read(path, "users"))
    items = list(records.read(path, "items"))
    counts = [len(u["items"]) for u in users]

    def column(name: str, dtype: type) -> np.ndarray:
        parts = [u[name] for u in users]
        return np.concatenate([np.zeros(0, dtype), *parts]).astype(dtype)

    return Interactions(
        user=np.repeat(np.arange(len(users), dtype=np.int32), counts),
        item=column("items", np.int32),
        timestamp=column("timestamps", np.int64),
        rating=column("ratings", np.float32),
        user_ids=tuple(u["id"].decode() for u in users),
        item_ids=tuple(i["id"].decode() for i in items),
        titles=tuple(i["title"].decode() for i in items),
        tags=tuple(i["tags"].decode() for i in items),
    )


def index_of(values: pl.Series, ids: pl.Series) -> np.ndarray:
    """Returns i32: the position of each value in `ids` (distinct, holding all)."""
    table = pl.DataFrame({"id": ids, "at": np.arange(len(ids), dtype=np.int32)})
    found = pl.DataFrame({"id": values}).join(
        table, on="id", how="left", maintain_order="left"
    )["at"]
    if found.null_count():
        raise ValueError(f"{found.null_count()} values have no id in the table")
    return found.to_numpy()


def _texts(frame: pl.DataFrame, name: str) -> tuple[str, ...]:
    if name not in frame.columns:
        return ("",) * frame.height
    return tuple(frame[name].fill_null(""))
