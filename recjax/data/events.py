"""Events and query histories: what baselines count, and what they answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from recjax.metrics.task import RankingTask


@dataclass(frozen=True)
class Events:
    """`E` events of users with items of a corpus of `N`.

    Attributes:
      user: [E], sorted.
      item: corpus indices [E].
      timestamp: seconds [E], sorted within each user. Where only the order is known,
        any numbers that grow with it.
      num_items: `N`.
      timed: whether timestamps are seconds.
      session: the session of each event [E], rising; None where there are none.
    """

    user: np.ndarray
    item: np.ndarray
    timestamp: np.ndarray
    num_items: int
    timed: bool = True
    session: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Checks order and range.

        Raises:
          ValueError: events are out of order, or of items outside the corpus.
        """
        sizes = {len(self.user), len(self.item), len(self.timestamp)}
        if len(sizes) != 1:
            raise ValueError(f"columns of different lengths: {sorted(sizes)}")
        step = np.diff(self.user)
        if (step < 0).any() or (np.diff(self.timestamp)[step == 0] < 0).any():
            raise ValueError("events are not sorted by user and timestamp")
        if len(self.item) and not 0 <= self.item.min() <= self.item.max() < (
            self.num_items
        ):
            raise ValueError(f"an item is outside 0..{self.num_items - 1}")

    def __len__(self) -> int:
        """Returns `E`."""
        return len(self.item)

    def where(self, chosen: np.ndarray) -> Events:
        """Returns some of the events, by a mask bool[E]."""
        session = None if self.session is None else self.session[chosen]
        return replace(
            self,
            user=self.user[chosen],
            item=self.item[chosen],
            timestamp=self.timestamp[chosen],
            session=session,
        )


@dataclass(frozen=True)
class Histories:
    """What the user of each of `Q` queries did before: stretches of a log of events.

    Attributes:
      items: corpus indices of the log's events [E], a user's oldest first.
      start: query q has the items `items[start[q]:stop[q]]` [Q].
      stop: [Q].
      time: seconds of the log's events [E]; None where only the order is known, NaN
        for the events of a query of which only the order is.
      when: seconds at which each query is asked [Q]; None where `time` is.
      session: where the session begins that each query goes on with, from `start` to
        `stop` [Q]; at `stop` for the first event of a session. None without sessions.
    """

    items: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    time: np.ndarray | None = None
    when: np.ndarray | None = None
    session: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Checks that the arrays fit each other.

        Raises:
          ValueError: they do not.
        """
        begin = self.start if self.session is None else self.session
        inside = (self.start >= 0) & (self.start <= begin) & (begin <= self.stop)
        if len(self.start) != len(self.stop) or not inside.all():
            raise ValueError(f"{len(self.start)} stretches do not run forward")
        if len(self) and self.stop.max() > len(self.items):
            raise ValueError(f"a stretch does not fit {len(self.items)} items")
        if (self.time is None) != (self.when is None):
            raise ValueError("times of events and of queries are known, or neither")
        if self.time is None or self.when is None:
            return
        if len(self.time) != len(self.items) or len(self.when) != len(self):
            raise ValueError(f"{len(self.time)} times of {len(self.items)} items")
        some = self.stop > self.start
        if (self.time[self.stop[some] - 1] > self.when[some]).any():
            raise ValueError("an age is negative: the event is after the query")

    def __len__(self) -> int:
        """Returns `Q`."""
        return len(self.start)

    @property
    def opening(self) -> np.ndarray | None:
        """Whether each query is for the first event of a session; None without any.

        Of sequences, whose every event is one, None too: it tells no query from others.
        """
        if self.session is None or (first := self.session == self.stop).all():
            return None
        return first

    def take(self, rows: np.ndarray) -> Histories:
        """Returns the histories of some queries [n]."""
        when = None if self.when is None else self.when[rows]
        session = None if self.session is None else self.session[rows]
        start, stop = self.start[rows], self.stop[rows]
        return replace(self, start=start, stop=stop, when=when, session=session)

    def newest(
        self, most: int | None = None, of_session: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns query, position in the log, and distance from the end of `H` events.

        Args:
          most: events of a query; None for all.
          of_session: only those of the session that the query goes on with.

        Returns:
          i64[H] each; of each query the newest event first, at distance 0.
        """
        begin = self.session if of_session and self.session is not None else self.start
        counts = self.stop - begin
        counts = counts if most is None else np.minimum(counts, most)
        query = np.repeat(np.arange(len(self)), counts)
        before = np.cumsum(counts) - counts
        back = np.arange(counts.sum()) - np.repeat(before, counts)
        return query, self.stop[query] - 1 - back, back

    def weights(
        self,
        weight: Callable[[np.ndarray, np.ndarray | None], np.ndarray],
        num_items: int,
        most: int | None = None,
        of_session: bool = False,
    ) -> sparse.csr_array:
        """Returns the histories as sums of weights by item, sparse float32 [Q, N].

        Args:
          weight: (distance from the end [H], age in seconds [H], None where only the
            order is known) -> weights [H].
          num_items: `N`.
          most: see `newest`.
          of_session: see `newest`.
        """
        query, position, back = self.newest(most, of_session)
        timed = np.zeros(len(back), bool)
        if self.time is not None and self.when is not None:
            age = self.when[query] - self.time[position]
            timed = ~np.isnan(age)
        values = np.empty(len(back), np.float32)
        if timed.any():
            values[timed] = weight(back[timed], age[timed])
        values[~timed] = weight(back[~timed], None)
        shape = len(self), num_items
        return sparse.csr_array((values, (query, self.items[position])), shape=shape)


def history_bounds(
    user: np.ndarray, timestamp: np.ndarray, events: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns where the history of some events starts and stops.

    The history of an event is everything its user did at a *smaller* timestamp: events
    of the same second have no order that could be known beforehand.

    Args:
      user: [E], sorted.
      timestamp: seconds [E], sorted within each user.
      events: positions of the events [Q].

    Returns:
      start [Q] and stop [Q], positions in the same arrays.
    """
    start, when = np.searchsorted(user, user[events]), timestamp[events]
    # Bisected for those that are asked for: all bounds would take memory with the log.
    low, high = start, events
    while (open := low < high).any():
        middle = (low + high) // 2
        later = open & (timestamp[middle] < when)
        low, high = np.where(later, middle + 1, low), np.where(later, high, middle)
    return start, low


def newest(
    values: np.ndarray,
    start: np.ndarray,
    stop: np.ndarray,
    length: int,
    fill: int = 0,
) -> np.ndarray:
    """Returns the newest `length` values of each slice, oldest first, [B, L].

    Args:
      values: [E].
      start: [B].
      stop: [B].
      length: `L`.
      fill: what stands after the last of a slice.
    """
    start = np.maximum(start, stop - length)
    position = start[:, None] + np.arange(length)[None]
    inside = position < stop[:, None]
    return np.where(inside, values[np.minimum(position, max(len(values) - 1, 0))], fill)


def hide_seen(task: RankingTask, history: Histories) -> RankingTask:
    """Returns a task that ranks nothing which a query's user has met, but what it asks.

    Args:
      task: the task; what it excludes is forgotten.
      history: of its queries.
    """
    query, position, _ = history.newest()
    seen = history.items[position].astype(np.int64)
    judged = task.query * np.int64(task.num_items) + task.items
    kept = ~np.isin(query * task.num_items + seen, judged)
    counts = np.bincount(query[kept], minlength=len(task))
    offsets = np.r_[0, np.cumsum(counts)].astype(np.int64)
    seen = seen[kept].astype(np.int32)
    return replace(task, exclude_offsets=offsets, exclude=seen)
