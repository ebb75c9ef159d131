"""How near the next action is to what a user is known by: the paper's table 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from recjax.seconds import DAY
from recjax.users.paper.rolling_evaluation import RollingEvaluation


def nearest_embedding_accuracy(
    methods: Mapping[str, Callable],
    vectors: np.ndarray,
    user: np.ndarray,
    item: np.ndarray,
    time: np.ndarray,
    walk: RollingEvaluation,
) -> dict[str, np.ndarray]:
    """Returns the share of actions that are near an embedding: name -> [users, 1].

    Each action from `walk.begin` on is compared with the embeddings of all that the
    user did before it. Near is a cosine of `walk.near` with the nearest embedding: with
    several, an oracle chooses among them.

    Args:
      methods: name -> (actions [m, D], ages in days [m]) -> (embeddings, importance).
      vectors: unit vectors of the items, float32 [N, D].
      user: of each action, [E], in ascending order.
      item: of each action, rows of `vectors`.
      time: unix seconds, ascending within a user.
      walk: which actions, and how many before them count.
    """
    bounds = np.flatnonzero(np.diff(user, prepend=-1, append=-2))
    found: dict[str, list] = {name: [] for name in methods}
    for begin, end in zip(bounds[:-1], bounds[1:], strict=True):
        points, when = vectors[item[begin:end]], time[begin:end]
        last = np.searchsorted(when, walk.begin + walk.days * DAY)
        todo = range(max(np.searchsorted(when, walk.begin), 1), last)
        hits: dict[str, list] = {name: [] for name in methods}
        for i in todo:
            first = np.searchsorted(when, when[i] - walk.window * DAY)
            first = max(first, i - walk.most)
            if first == i:
                continue
            ages = (when[i] - when[first:i]) / DAY
            for name, method in methods.items():
                embeddings, _ = method(points[first:i], ages)
                hits[name].append((embeddings @ points[i]).max() >= walk.near)
        for name, own in hits.items():
            if own:
                found[name].append([np.mean(own)])
    return {name: np.array(rows) for name, rows in found.items()}
