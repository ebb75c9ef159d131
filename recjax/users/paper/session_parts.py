"""What a session model makes of parts of histories, such as the items of a cluster."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recjax.serve.user_state import UserStates
from recjax.users.paper.replay import replay


def part_queries(
    states: UserStates,
    parts: Sequence[tuple[np.ndarray, np.ndarray]],
    now: Sequence[float],
) -> np.ndarray:
    """Returns the query that begins a session after each part, f32[P, D].

    A part is a whole history to the model: gaps, sessions and states are those of its
    own events. What meets features of pairs is left out.

    Args:
      states: of an opened bundle; they stay as they are.
      parts: items, positions among `states.items`, and unix seconds of the events by
        time, both [E], E >= 1.
      now: unix seconds of each query, not before the part's last event.
    """
    # Parts of one length go side by side: shorter ones would wait for the longest.
    order = np.argsort([len(items) for items, _ in parts], kind="stable")
    logs = [
        _log(parts[at][0], parts[at][1], now[at], states.kept.rules.gap) for at in order
    ]
    width = states.items.vectors.shape[1]
    found = np.zeros((len(parts), width), np.float32)
    for at, queries in zip(
        order, replay(states.step, states.kept.empty, logs), strict=True
    ):
        found[at] = queries[-1, :width]
    return found


def _log(
    items: np.ndarray, times: np.ndarray, now: float, most_idle: int | None
) -> dict[str, np.ndarray]:
    """Returns the events as `replay` takes them, and one more, which asks."""
    whole = np.append(times, now).astype(np.int64)
    gap = np.diff(whole, prepend=whole[:1])
    begins = np.zeros(len(whole), bool)
    begins[[0, -1]] = True
    if most_idle is not None:
        begins |= gap >= most_idle
    age = np.arange(len(whole))
    start = np.maximum.accumulate(np.where(begins, age, 0))
    return {
        # Which item the last one is has no part in the query before it.
        "item": np.append(items + 1, 1),
        "position": age - start,
        "age": age,
        "gap": gap[start].astype(np.float32),
    }
