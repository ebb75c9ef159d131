"""From a log of events to sessions: order, filters, idle gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recjax.prepare import make
from recjax.tables.typed import Ragged, Table, TypedColumn, select
from recjax.text.column import Texts


@dataclass(frozen=True)
class Filter:
    """Which items and users stay; HierTCN's own is `Filter(50, 10, 1000)`, once.

    Items are counted first, then users on what is left; each further pass counts anew.

    Attributes:
      item_events: fewest events of an item.
      user_events: fewest events of a user.
      most_user_events: most events of a user: who has more is a machine; None: all.
      passes: how often both are counted.
    """

    item_events: int = 1
    user_events: int = 1
    most_user_events: int | None = None
    passes: int = 1

    def keep(
        self, user: np.ndarray, item: np.ndarray, events: np.ndarray | None = None
    ) -> np.ndarray:
        """Returns the positions of the events that stay, in order.

        Args:
          user: whole numbers from 0 [E].
          item: whole numbers from 0 [E].
          events: of each item, where these are events of some users alone; then items
            are counted once.
        """
        kept = np.arange(len(user))
        for _ in range(self.passes):
            count = np.bincount(item[kept], minlength=1) if events is None else events
            kept = kept[count[item[kept]] >= self.item_events]
            count = np.bincount(user[kept], minlength=1)[user[kept]]
            good = count >= self.user_events
            if self.most_user_events is not None:
                good &= count <= self.most_user_events
            kept = kept[good]
        return kept


def idle_gaps(user: np.ndarray, timestamp: np.ndarray, gap: int) -> np.ndarray:
    """Returns whether each event starts a session: bool[E].

    An event starts one if its user was idle for `gap` *or more* before it, as in
    HierTCN's code, or if it is the user's first.

    Args:
      user: [E], sorted.
      timestamp: [E], sorted within each user.
      gap: in the unit of the timestamps.
    """
    first = np.ones(len(user), bool)
    first[1:] = (user[1:] != user[:-1]) | (np.diff(timestamp) >= gap)
    return first


def cut_long(first: np.ndarray, longest: int) -> np.ndarray:
    """Returns session starts such that no session has over `longest` events.

    A session that is longer goes on as a session of its own: nothing is dropped, and
    a server that follows the same rule sees the same sessions.

    Args:
      first: whether each event starts a session, bool[E].
      longest: events.
    """
    place = np.arange(len(first))
    start = np.maximum.accumulate(np.where(first, place, 0))
    return first | ((place - start) % longest == 0)


def session_column(first: np.ndarray) -> TypedColumn:
    """Returns the number of each event's session, rising, from its starts bool[E]."""
    return TypedColumn("session", "id", np.cumsum(first, dtype=np.int32) - 1)


def event_tables(
    user: np.ndarray,
    item: np.ndarray,
    users: Table | Texts,
    items: Table | Texts,
    *columns: TypedColumn,
    shown: Ragged | None = None,
) -> dict[str, Table]:
    """Returns the tables of sorted events and of whom they are.

    Args:
      user: codes of `users` i32[E], sorted.
      item: codes of `items` i32[E].
      users: their table, which stays as it is; or ids, of which those without events
        go.
      items: the same; those that were shown stay too.
      *columns: of the events.
      shown: codes of the items shown with each event.
    """
    users, new = met(users, user)
    user = user if new is None else new[user]
    items, new = met(items, item, *(() if shown is None else (shown.values,)))
    if new is not None:
        item = new[item]
        shown = None if shown is None else Ragged(shown.start, new[shown.values])
    ids = [make.refers("user", user, users), make.refers("item", item, items)]
    if shown is not None:
        ids.append(make.refers("impressions", shown, items, "ids"))
    return {"user": users, "item": items, "events": make.table(*ids, *columns)}


def met(ids: Table | Texts, *codes: np.ndarray) -> tuple[Table, np.ndarray | None]:
    """Returns a table of entities, and i32[ids]: their rows; None: as they are.

    Args:
      ids: their table; or ids, of which those that are not met go.
      *codes: of those that are met.
    """
    if isinstance(ids, Table):
        return ids, None
    there = np.zeros(len(ids), bool)
    for some in codes:
        there[some] = True
    new = (np.cumsum(there) - 1).astype(np.int32)
    return make.entity(select(ids, np.flatnonzero(there))), new
