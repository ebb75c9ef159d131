"""Metrics of rankings: each is a function of ranks, and a mean of its values.

Ranks are exact with ties averaged, so an item that ties with others counts as found at
K only if its average place does. Means add up over parts of the queries: `means` of two
parts merge into those of the whole.

| name                | mean over           | of                                    |
|---------------------|---------------------|---------------------------------------|
| `recall@K`          | positive pairs      | rank <= K                             |
| `recall_by_query@K` | queries             | share of its positives with rank <= K |
| `hit@K`             | queries             | any positive with rank <= K           |
| `ndcg@K`            | queries             | DCG over the best DCG possible        |
| `map@K`             | queries             | precisions at its positives           |
| `mrr`               | queries             | 1 / rank of the first positive        |
| `mrp`               | positive pairs      | rank / items ranked for the query     |
| `coverage@K`        | items of the corpus | in the top K of any query             |

Only queries with a positive count (for `ndcg@K`: with a gain above 0). `ndcg@K` gives
an item its gain, linear, over log2(1 + rank); the best DCG sorts all judged gains of
the query, not only those of positives; items that nobody judged gain 0. `map@K` sums
the precision at each positive of rank <= K, over the number of positives or K, which is
less. `coverage@K` is of rankings with top lists.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recjax.metrics.exposure import Exposure
from recjax.metrics.mean import Mean
from recjax.metrics.ranks import Ranks
from recjax.metrics.task import RankingTask


def ranking_metrics(
    task: RankingTask, ranks: Ranks, ks: Sequence[int] = (10, 100)
) -> dict[str, float]:
    """Returns name -> figure, as in the table above.

    Args:
      task: `Q` queries over `N` items.
      ranks: of all judged items of the task, and top lists of at least `max(ks)`, or
        of length 0.
      ks: lengths of the lists that are judged.

    Raises:
      ValueError: `ranks` are of another task, or too short for `ks`.
    """
    return {name: mean.value for name, mean in means(task, ranks, ks).items()}


def means(
    task: RankingTask, ranks: Ranks, ks: Sequence[int] = (10, 100)
) -> dict[str, Mean | Exposure]:
    """Returns name -> mergeable mean; see `ranking_metrics`."""
    _check(task, ranks, ks)
    positive, query = task.positive, task.query
    rank = np.asarray(ranks.rank, np.float64)
    of_query = np.bincount(query[positive], minlength=len(task))
    asked = (of_query > 0).astype(np.float64)
    first = np.full(len(task), np.inf)
    np.minimum.at(first, query[positive], rank[positive])

    out: dict[str, Mean | Exposure] = {}
    for k in ks:
        found = positive & (rank <= k)
        share = np.bincount(query[found], minlength=len(task)) / np.maximum(of_query, 1)
        out[f"recall@{k}"] = Mean.of(found[positive])
        out[f"recall_by_query@{k}"] = Mean.of(share, asked)
        out[f"hit@{k}"] = Mean.of(first <= k, asked)
        out[f"ndcg@{k}"] = _ndcg(task, rank, k)
        out[f"map@{k}"] = _map(task, rank, k)
        if ranks.top.shape[1]:
            out[f"coverage@{k}"] = Exposure.of(task.num_items, ranks.top, k)
    out["mrr"] = Mean.of(1 / first, asked)
    out["mrp"] = Mean.of((rank / task.pool[query])[positive])
    return out


def _ndcg(task: RankingTask, rank: np.ndarray, k: int) -> Mean:
    size, query = len(task), task.query
    gains = task.gains.astype(np.float64)
    shown = np.where(rank <= k, gains / np.log2(1 + rank), 0)
    order = np.lexsort((-gains, query))
    place = np.arange(len(gains)) - np.repeat(task.offsets[:-1], np.diff(task.offsets))
    best = np.where(place < k, gains[order] / np.log2(2 + place), 0)
    ideal = np.bincount(query, best, minlength=size)
    actual = np.bincount(query, shown, minlength=size)
    wanted = ideal > 0
    # Judged items that tie share one rank, and K of them or more can all be within K.
    value = np.minimum(actual / np.where(wanted, ideal, 1), 1)
    return Mean.of(value, wanted)


def _map(task: RankingTask, rank: np.ndarray, k: int) -> Mean:
    mine = task.positive
    query, rank = task.query[mine], rank[mine]
    order = np.lexsort((rank, query))
    query, rank = query[order], rank[order]
    same = np.cumsum(np.r_[True, (np.diff(query) > 0) | (np.diff(rank) > 0)]) - 1
    size, count = (
        np.bincount(same[: len(rank)]),
        np.bincount(query, minlength=len(task)),
    )
    # Positives that tie share their middle place among the positives, as ranks do.
    middle = (np.cumsum(size) - (size - 1) / 2)[same[: len(rank)]]
    place = middle - (np.cumsum(count) - count)[query]
    precision = np.where(rank <= k, np.minimum(place / rank, 1), 0)
    total = np.bincount(query, precision, len(task))
    value = total / np.maximum(np.minimum(count, k), 1)
    return Mean.of(np.minimum(value, 1), count > 0)


def _check(task: RankingTask, ranks: Ranks, ks: Sequence[int]) -> None:
    if len(ranks.rank) != len(task.items) or not np.array_equal(
        ranks.query, task.query
    ):
        raise ValueError(
            f"{len(ranks.rank)} ranks do not fit the {len(task.items)} judged items"
        )
    if len(ranks.top) != len(task):
        raise ValueError(f"{len(ranks.top)} top lists of {len(task)} queries")
    longest = ranks.top.shape[1]
    if not len(ks) or min(ks) < 1 or (longest and max(ks) > longest):
        raise ValueError(
            f"ks {tuple(ks)} must lie in 1..{longest}, the top lists' length"
        )
