"""Ranks of next events, and their metrics in the forms that papers use.

| name                 | mean over                                                     |
|----------------------|---------------------------------------------------------------|
| `recall@K`, ...      | events                                                        |
| `non_first/...`      | events that are not the first of their session                |
| `first/...`          | events that are                                               |
| `by_user/...`        | users, of each one's mean over events                         |
| `by_batch/...`       | batches of 32 users, of the mean over their users: HierTCN's  |

`mrr` has no cut-off; `mrp` is rank / pool size. The rank of an event's item is 1 +
items above + other items of the same score / 2; with `optimistic` ties, as in the
papers' code, 1 + items above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from recjax.evals.scorer import Scorer

Ties = Literal["average", "optimistic"]
BATCH = 32
"""Users of one batch of HierTCN's evaluation."""


@dataclass(frozen=True)
class Targets:
    """The events of a split that are predicted.

    Attributes:
      event: positions in the data, i64[Q], rising.
      item: the item of each, i32[Q].
      first: whether it is the first of its session, bool[Q].
      user: its user, i32[Q].
      num_items: `N`.
    """

    event: np.ndarray
    item: np.ndarray
    first: np.ndarray
    user: np.ndarray
    num_items: int


def rank_targets(
    targets: Targets, scorer: Scorer, ties: Ties = "average", block: int = 256
) -> np.ndarray:
    """Ranks all items for every target, f64[Q]; memory: `block` x N scores.

    Raises:
      ValueError: a score is NaN or infinite.
    """
    ranks = np.zeros(len(targets.item))
    for start in range(0, len(ranks), block):
        stop = min(start + block, len(ranks))
        scores = np.asarray(scorer.scores(start, stop))
        ranks[start:stop] = rank_of(scores, targets.item[start:stop], ties)
    return ranks


def rank_of(scores: np.ndarray, item: np.ndarray, ties: Ties = "average") -> np.ndarray:
    """Returns the rank of one item a row among all of that row's scores [b, N]."""
    own = np.take_along_axis(scores, item[:, None].astype(np.int64), 1)
    if not np.isfinite(scores.sum()):
        row = int(np.flatnonzero(~np.isfinite(scores).all(1))[0])
        raise ValueError(f"a score of target {row} of this block is not finite")
    above = (scores > own).sum(1)
    if ties == "optimistic":
        return 1.0 + above
    equal = (scores == own).sum(1)
    return 0.5 + above + 0.5 * equal


def session_metrics(
    targets: Targets, ranks: np.ndarray, ks: Sequence[int] = (1, 5, 10, 20)
) -> dict[str, float]:
    """Returns name -> figure, as in the table above.

    Args:
      targets: the events.
      ranks: from 1 [Q].
      ks: lengths of the lists.

    Raises:
      ValueError: ranks of other targets.
    """
    if len(ranks) != len(targets.item):
        raise ValueError(f"{len(ranks)} ranks of {len(targets.item)} targets")
    values = {f"recall@{k}": (ranks <= k).astype(np.float64) for k in ks}
    values |= {"mrr": 1 / ranks, "mrp": ranks / targets.num_items}
    out = {}
    _, user = np.unique(targets.user, return_inverse=True)
    count = np.bincount(user)
    for name, value in values.items():
        out[name] = _mean(value)
        out[f"non_first/{name}"] = _mean(value[~targets.first])
        out[f"first/{name}"] = _mean(value[targets.first])
        of_user = np.bincount(user, value) / np.maximum(count, 1)
        out[f"by_user/{name}"] = _mean(of_user)
        parts = np.split(of_user, range(BATCH, len(of_user), BATCH))
        out[f"by_batch/{name}"] = _mean(np.array([part.mean() for part in parts]))
    return out


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
