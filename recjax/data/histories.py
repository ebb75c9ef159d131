"""What a user had done before each event, as slices of one sorted array."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recjax.data.events import Histories
from recjax.metrics.task import RankingTask


def history_bounds(
    user: np.ndarray, timestamp: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns where the history of each event starts and stops.

    The history of an event is everything its user did at a *smaller* timestamp: events
    of the same second have no order that could be known beforehand.

    Args:
      user: [E], sorted.
      timestamp: seconds [E], sorted within each user.

    Returns:
      start [E] and stop [E], positions in the same arrays.
    """
    place = np.arange(len(user))
    new_user = np.r_[True, user[1:] != user[:-1]] if len(user) else np.zeros(0, bool)
    new_time = new_user.copy()
    new_time[1:] |= timestamp[1:] != timestamp[:-1]
    start = np.maximum.accumulate(np.where(new_user, place, 0))
    stop = np.maximum.accumulate(np.where(new_time, place, 0))
    return start, stop


def newest(
    values: np.ndarray, start: np.ndarray, stop: np.ndarray, length: int
) -> np.ndarray:
    """Returns the newest `length` values of each slice, oldest first, zeros after.

    Args:
      values: [E].
      start: [B].
      stop: [B].
      length: `L`.
    """
    start = np.maximum(start, stop - length)
    place = start[:, None] + np.arange(length)[None]
    inside = place < stop[:, None]
    return np.where(inside, values[np.minimum(place, max(len(values) - 1, 0))], 0)


def hide_seen(task: RankingTask, history: Histories) -> RankingTask:
    """Returns a task that ranks nothing which a query's user has met, but what it asks.

    Args:
      task: the task; what it excludes is forgotten.
      history: of its queries.
    """
    query, place, _ = history.newest()
    seen = history.items[place].astype(np.int64)
    judged = task.query * np.int64(task.num_items) + task.items
    kept = ~np.isin(query * task.num_items + seen, judged)
    counts = np.bincount(query[kept], minlength=len(task))
    offsets = np.r_[0, np.cumsum(counts)].astype(np.int64)
    seen = seen[kept].astype(np.int32)
    return replace(task, exclude_offsets=offsets, exclude=seen)
