"""What comes next after a whole session: asked without a state, which others keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from recjax.bundle.contract import (
    FOUND,
    INT,
    MANY,
    TEXT,
    Columns,
    Signature,
    Spec,
    check_k,
)
from recjax.bundle.narrowed import narrowed
from recjax.bundle.open import OpenBundle
from recjax.errors import UserError, nearest
from recjax.index.exact import largest
from recjax.serve.live_clicks import LiveClicks
from recjax.serve.session import states_of
from recjax.serve.user_state import UserStates

FEED = (
    "Feed a log with timestamps, and ask for a user: "
    "`recjax session feed BUNDLE events.csv --states states.npz`, then "
    "`recjax session ask BUNDLE --states states.npz --user ID --time SECONDS`; in "
    "Python feed and best of `recjax.serve.session.open_states(BUNDLE)`"
)
HISTORY, K, LONGEST, USER = "history", "k", 200, "you"


def next_items(
    bundle: OpenBundle, history: Sequence[str], k: int, where: Sequence[str] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the best `k` items as the next of a session i32[K], and scores f32[K].

    The session is one of a user of whom nothing else is known, without times. Its own
    items are left out; fewer than `k` are found where fewer meet the conditions.

    Args:
      bundle: of a model of sessions.
      history: item ids, the oldest first.
      k: how many.
      where: conditions on the items' columns that all hold.

    Raises:
      UserError: an item is unknown, or the model counts clicks by their times.
    """
    empty = states_of(bundle)
    if _counts_clicks(empty):
        raise UserError(
            "--history: this model reads what everybody clicked on just before, which "
            f"one session does not tell. {FEED}"
        )
    return _after(empty, bundle, history, k, where)


def _counts_clicks(states: UserStates) -> bool:
    return any(isinstance(values, LiveClicks) for values in states.pairs)


def _after(
    empty: UserStates,
    bundle: OpenBundle,
    history: Sequence[str],
    k: int,
    where: Sequence[str],
) -> tuple[np.ndarray, np.ndarray]:
    # Of its own, so that no session counts for another.
    states = replace(empty)
    for item in history:
        states.feed(USER, item)
    scores = states.scores(USER)
    if where:
        scores = np.where(bundle.finder.meeting(where), scores, -np.inf)
    scores[[bundle.items.rows[item] for item in history]] = -np.inf
    items, best = largest(scores[None], min(k, len(scores)))
    there = np.isfinite(best[0])
    return items[0][there], best[0][there]


def signatures(bundle: OpenBundle) -> dict[str, Signature]:
    """Returns the signature that a server adds for models of sessions, if any.

    history  history string[B, any], k i32[B] -> ids and scores: of a session from its
             start. Models that count clicks by their times have none.
    """
    first, empty = bundle.items.ids[0], states_of(bundle)
    if _counts_clicks(empty):
        return {}
    read, find = partial(_read, bundle), partial(_find, empty, bundle)
    inputs = {HISTORY: Spec(TEXT, (MANY, MANY)), K: Spec(INT)}
    blank = {HISTORY: [[first]], K: [1]}
    made = Signature(
        *(inputs, FOUND, read, lambda columns, rows: {}, lambda arrays: arrays, find),
        blank=blank,
        kept=True,
    )
    return {HISTORY: narrowed(bundle.finder, made, find)}


def _read(bundle: OpenBundle, columns: Columns) -> Columns:
    check_k(columns[K], bundle.serving.k)
    known, kept = bundle.items.rows, []
    for row, ids in enumerate(columns[HISTORY]):
        place, met = f"{HISTORY}, row {row}", [id for id in ids if id]
        if not met:
            raise UserError(f"{place}: there is nothing to ask; give item ids")
        if len(met) > LONGEST:
            raise UserError(f"{place}: {len(met)} items; give the last {LONGEST}")
        if unknown := [id for id in met if id not in known]:
            close = nearest(unknown[0], bundle.items.ids[:2_000])
            raise UserError(f"{place}: there is no item {unknown[0]!r}.{close}")
        kept.append(met)
    return {HISTORY: kept, K: columns[K]}


def _find(
    empty: UserStates,
    bundle: OpenBundle,
    made: object,
    columns: Columns,
    where: Sequence[str] = (),
) -> Columns:
    ids = bundle.items.ids
    rows = zip(columns[HISTORY], columns[K], strict=True)
    found = [_after(empty, bundle, history, k, where) for history, k in rows]
    named = [[ids[item] for item in items] for items, _ in found]
    return {"ids": named, "scores": [scores for _, scores in found]}
