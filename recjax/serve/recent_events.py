"""The newest events of users, as the features of pairs look at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recjax.data.sessions.pair_features import PAD, PairContext, timed
from recjax.seconds import SECOND_NS

ITEMS, TIMES = "recent", "recent_when"
UNTIMED = np.iinfo(np.int64).min
"""Time of an event that has none."""


def blank(users: int, pairs: Sequence[Any]) -> dict[str, np.ndarray]:
    """Returns what is held of users without events; times where `pairs` look at them.

    Items are i32[users, R] from 0, newest first, then `PAD`; times are unix seconds.
    """
    reach = max((values.reach for values in pairs), default=0)
    held = {ITEMS: np.full((users, reach), PAD, np.int32)}
    if timed(pairs):
        held[TIMES] = np.full((users, reach), UNTIMED, np.int64)
    return held


def remember(
    held: Mapping[str, np.ndarray], row: int, item: int, when: int | None
) -> None:
    """Adds an event, at nanoseconds since 1970 if known, to those of a user."""
    seconds = UNTIMED if when is None else when // SECOND_NS
    for name, value in ((ITEMS, item), (TIMES, seconds)):
        if name in held:
            recent = held[name][row]
            recent[1:] = recent[:-1]
            recent[:1] = value


def moment(held: Mapping[str, np.ndarray], row: int, when: int | None) -> PairContext:
    """Returns a user's moment, at nanoseconds since 1970 if known."""
    at, age = PAD if when is None else when // SECOND_NS, None
    if TIMES in held:
        times = held[TIMES][[row]]
        unknown = (times == UNTIMED) | (when is None)
        age = np.where(unknown, np.nan, at - times.astype(np.float64))
    return PairContext(held[ITEMS][[row]], np.array([at]), np.array([PAD]), age)
