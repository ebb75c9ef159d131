"""What a session model knows of its users at the beginning of each day."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recjax.seconds import DAY
from recjax.serve.user_state import UserStates


def daily_queries(
    states: UserStates,
    user: Sequence[int] | np.ndarray,
    item: Sequence[str] | np.ndarray,
    time: np.ndarray,
    begin: float,
    days: int,
) -> dict[tuple[int, int], np.ndarray]:
    """Returns the query of each user and day with events: (user, day) -> f32[1, D].

    A day's query has seen the user's events before that day, and none of it. Events on
    items that the model does not know do not reach it. Users without any event before a
    day have no query of that day. What meets features of pairs is left out: an index of
    vectors does not hold them.

    Args:
      states: of an opened bundle; the users get states in it.
      user: of each event, [E], in ascending order.
      item: own id of each event's item, [E].
      time: unix seconds, ascending within a user.
      begin: unix seconds, the first day.
      days: how many.
    """
    found: dict[tuple[int, int], np.ndarray] = {}
    known = set(states.items.rows)
    before = (None, 0)
    for one, own, when in zip(user, item, time, strict=True):
        name, day = str(one), int((when - begin) // DAY)
        if day >= days:
            continue
        if day >= 0 and before != (one, day) and name in states:
            now = int(begin + day * DAY)
            query = states.query(name, now, new_session=True)
            found[one, day] = query[None, : states.items.vectors.shape[1]]
        before = one, day
        if own in known:
            states.feed(name, own, int(when))
    return found
