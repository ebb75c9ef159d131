"""What a user had done before each event, as slices of one sorted array."""

from __future__ import annotations

import numpy as np


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


def ragged(
    values: np.ndarray, start: np.ndarray, stop: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns slices one after the other.

    Args:
      values: [E].
      start: [B].
      stop: [B].

    Returns:
      offsets [B + 1] and the values of every slice.
    """
    offsets = np.r_[0, np.cumsum(stop - start)].astype(np.int64)
    shift = np.repeat(start - offsets[:-1], stop - start)
    return offsets, values[np.arange(offsets[-1]) + shift]


def without(
    offsets: np.ndarray, values: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns ragged slices without one value each: what was seen and is not sought.

    Args:
      offsets: [B + 1].
      values: of all slices.
      wanted: the value that slice b loses [B].

    Returns:
      offsets [B + 1] and the values that stay.
    """
    kept = values != np.repeat(wanted, np.diff(offsets))
    before = np.r_[0, np.cumsum(kept)]
    return before[offsets].astype(np.int64), values[kept]
