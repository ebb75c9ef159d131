"""A session model's embeddings of users, as rows of the paper's tables 3 and 4."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from recjax.serve.user_state import UserStates
from recjax.users.importance import importance
from recjax.users.paper.rolling_evaluation import (
    DAY,
    Given,
    RollingEvaluation,
    user_days,
)
from recjax.users.paper.session_days import daily_queries
from recjax.users.paper.session_parts import part_queries


def known_items(
    states: UserStates, names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns a model's vectors of items, f32[N, D + 1], and their places in it, or -1.

    The last number keeps items that it does not know away from every query.

    Args:
      states: of the opened bundle.
      names: own ids of the items in the order of the evaluation's rows, [N].
    """
    place = np.array([states.items.rows.get(name, -1) for name in names])
    items = np.full((len(names), states.items.vectors.shape[1] + 1), -1e9, np.float32)
    items[:, :-1] = np.where(place[:, None] >= 0, states.items.vectors[place], 0)
    items[place >= 0, -1] = 0
    return items, place


def one_query(
    states: UserStates,
    items: np.ndarray,
    user: np.ndarray,
    item: np.ndarray,
    time: np.ndarray,
    walk: RollingEvaluation,
) -> Given:
    """Returns the query of each user at the beginning of each day ("HierTCN").

    Args:
      states: of the opened bundle; the users get states in it.
      items: from `known_items`.
      user: of each event, [E], in ascending order.
      item: own id of each event's item, [E].
      time: unix seconds, ascending within a user.
      walk: the days.
    """
    found = daily_queries(states, user, item, time, walk.begin, walk.days)
    return Given(
        items, {key: (_asking(query), np.ones(1)) for key, query in found.items()}
    )


def query_of_clusters(
    states: UserStates,
    items: np.ndarray,
    place: np.ndarray,
    user: np.ndarray,
    row: np.ndarray,
    time: np.ndarray,
    label: Callable[[np.ndarray], np.ndarray],
    walk: RollingEvaluation,
    decay: float = 0.01,
) -> Given:
    """Returns the query of each cluster ("HierTCN embedding per cluster").

    The model sees a cluster's events as if they were a user's. Clusters without an item
    that it knows are left out.

    Args:
      states: of the opened bundle.
      items: from `known_items`.
      place: from `known_items`.
      user: of each event, [E], in ascending order.
      row: of each event's item, rows of `items`.
      time: unix seconds, ascending within a user.
      label: rows of a user's items [m] -> cluster of each [m].
      walk: the days, and the history that counts.
      decay: of importance, per day.
    """
    keys, weights, parts, now = [], [], [], []
    for one, days in user_days(user, time, walk):
        for day in days:
            own, when = row[day.past], time[day.past]
            clusters = label(own)
            weight = importance(clusters, (day.now - when) / DAY, decay)
            known = place[own] >= 0
            for cluster in np.unique(clusters[known]):
                part = known & (clusters == cluster)
                keys.append((one, day.number))
                weights.append(weight[cluster])
                parts.append((place[own[part]], when[part]))
                now.append(day.now)
    queries, rows = _asking(part_queries(states, parts, now)), {}
    for at, key in enumerate(keys):
        rows.setdefault(key, []).append(at)
    weights = np.array(weights)
    return Given(items, {key: (queries[at], weights[at]) for key, at in rows.items()})


def _asking(queries: np.ndarray) -> np.ndarray:
    """Returns the queries with the number that unknown items are kept away by."""
    return np.hstack([queries, np.ones((len(queries), 1), np.float32)])
