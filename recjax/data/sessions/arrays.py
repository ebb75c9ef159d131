"""What a model reads of a packed batch: ids, positions, ages and gaps of events."""

from __future__ import annotations

import numpy as np

from recjax.data.sessions.packing import PAD, Grid
from recjax.data.sessions.read import Sessions
from recjax.typing import Array, Int


def packed_arrays(known: Sessions, grid: Grid) -> dict[str, np.ndarray]:
    """Returns what a model reads of some rows.

    Returns:
      item: id of each event, from 1; 0 where there is none, i32[B, T].
      slot: its session's slot, i32[B, T].
      position: its position in the session, i32[B, T].
      age: events of its user before it, i32[B, T].
      filled: whether a slot holds a session, bool[B, S].
      fresh: whether that is its user's first, bool[B, S].
      gap: seconds since the session before ended, 0 if unknown, f32[B, S].
    """
    there, event = grid.event != PAD, np.maximum(grid.event, 0)
    start = known.session_start[grid.session]
    of_slot = np.take_along_axis(start, grid.slot.astype(np.int64), 1)
    of_run = np.take_along_axis(grid.run_event, grid.slot.astype(np.int64), 1)
    filled = grid.session != PAD
    before = np.maximum(start - 1, 0)
    gap = known.timestamp[np.where(filled, start, 0)] - known.timestamp[before]
    return {
        "item": np.where(there, known.item[event] + 1, 0).astype(np.int32),
        "slot": grid.slot,
        "position": np.where(there, event - of_slot, 0).astype(np.int32),
        "age": np.where(there, event - of_run, 0).astype(np.int32),
        "filled": filled,
        "fresh": grid.fresh,
        "gap": np.where(filled & ~grid.fresh, gap, 0).astype(np.float32),
    }


def impressions_of(known: Sessions, grid: Grid, most: int) -> Int[Array, "B T I"]:
    """Returns ids of the first items shown at events, from 1; 0 for none.

    Args:
      known: all sessions.
      grid: where events lie in some rows.
      most: `I`.
    """
    there, event = grid.event != PAD, np.maximum(grid.event, 0)
    start = known.shown_start[event][..., None] + np.arange(most)
    inside = there[..., None] & (start < known.shown_start[event + 1][..., None])
    held = np.minimum(start, max(len(known.shown) - 1, 0))
    return np.where(inside, known.shown[held] + 1, 0).astype(np.int32)
