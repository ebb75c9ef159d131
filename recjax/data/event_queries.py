"""Queries that events ask: what comes next, given what is known beforehand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recjax.data.events import Histories, history_bounds, newest
from recjax.data.fitted import Fitted
from recjax.data.interactions import Interactions


@dataclass(frozen=True)
class EventQueries:
    """What is known at each event: the user's history, the user, the circumstances.

    Attributes:
      known: all events.
      length: newest items of a query.
      user: columns of users.
      event: columns of events.
    """

    known: Interactions
    length: int
    user: Fitted
    event: Fitted

    def bounds(self, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Start and stop of the history of events [Q]; see `history_bounds`."""
        return history_bounds(self.known.user, self.known.timestamp, events)

    def features(self, events: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the newest items before each event, how long before, and columns."""
        start, stop = self.bounds(events)
        time = self.known.timestamp
        items = newest(self.known.item, start, stop, self.length, -1) + 1
        when = newest(time, start, stop, self.length)
        age = np.where(items > 0, time[events][:, None] - when, 0)
        return {
            "history": items.astype(np.int32),
            "history_age": age.astype(np.float32),
            **self.user.take(self.known.user[events]),
            **self.event.take(events),
        }

    def raw(self, events: np.ndarray) -> dict[str, list]:
        """Returns the same as raw values: ids, seconds, and values of columns."""
        known, lists, ages = self.known, [], []
        for event, *bounds in zip(events, *self.bounds(events), strict=True):
            seen = slice(*bounds)
            lists.append([known.item_ids[i] for i in known.item[seen]])
            ages.append((known.timestamp[event] - known.timestamp[seen]).tolist())
        return {
            "history": lists,
            "history_age": ages,
            **self.user.raw(known.user[events]),
            **self.event.raw(events),
        }

    def histories(self, events: np.ndarray) -> Histories:
        """Returns all that the user of each event did before it."""
        start, stop = self.bounds(events)
        if not self.known.timed:
            return Histories(self.known.item, start, stop)
        time = self.known.timestamp
        return Histories(self.known.item, start, stop, time, time[events])
