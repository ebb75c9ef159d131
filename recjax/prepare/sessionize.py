"""From a log of events to sessions: order, filters, idle gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recjax.data.sessions.read import Sessions


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

    def keep(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Returns the positions of the events that stay, in order.

        Args:
          user: whole numbers from 0 [E].
          item: whole numbers from 0 [E].
        """
        kept = np.arange(len(user))
        for _ in range(self.passes):
            count = np.bincount(item[kept], minlength=1)
            kept = kept[count[item[kept]] >= self.item_events]
            count = np.bincount(user[kept], minlength=1)[user[kept]]
            good = count >= self.user_events
            if self.most_user_events is not None:
                good &= count <= self.most_user_events
            kept = kept[good]
        return kept


def idle_gaps(user: np.ndarray, timestamp: np.ndarray, gap: int) -> np.ndarray:
    """Returns whether each event starts a session: bool[E].

    An event starts one if its user was idle for `gap` seconds *or more* before it, as
    in HierTCN's code, or if it is the user's first.

    Args:
      user: [E], sorted.
      timestamp: seconds [E], sorted within each user.
      gap: seconds.
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


def build(
    user: np.ndarray,
    item: np.ndarray,
    timestamp: np.ndarray,
    first: np.ndarray,
    user_ids: Sequence[str],
    item_ids: Sequence[str],
    shown: tuple[np.ndarray, np.ndarray] | None = None,
) -> Sessions:
    """Returns the sessions of sorted events; users and items without events go.

    Args:
      user: index into `user_ids` [E], sorted.
      item: index into `item_ids` [E].
      timestamp: seconds [E], sorted within each user; zeros where unknown.
      first: whether each event starts a session [E].
      user_ids: own ids.
      item_ids: own ids.
      shown: impressions as (offsets [E + 1], indices into `item_ids`).
    """
    users = np.unique(user)
    met = np.zeros(len(item_ids), bool)
    met[item] = True
    if shown is not None:
        met[shown[1]] = True
    new_index = (np.cumsum(met) - 1).astype(np.int32)
    starts = np.flatnonzero(first)
    owner = user[starts]
    new_user = np.r_[True, owner[1:] != owner[:-1]] if len(owner) else owner > 0
    return Sessions(
        item=new_index[item],
        timestamp=np.asarray(timestamp, np.int64),
        session_start=np.r_[starts, len(user)].astype(np.int64),
        user_start=np.r_[np.flatnonzero(new_user), len(starts)].astype(np.int64),
        user_ids=tuple(user_ids[u] for u in users),
        item_ids=tuple(item_ids[i] for i in np.flatnonzero(met)),
        shown=None if shown is None else new_index[shown[1]],
        shown_start=None if shown is None else np.asarray(shown[0], np.int64),
    )
