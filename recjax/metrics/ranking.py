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
| `condensed_ndcg@K`  | queries             | the same, among judged items alone    |
| `judged@K`          | queries             | share of its top K that are judged    |
| `map@K`             | queries             | precisions at its positives           |
| `mrr`               | queries             | 1 / rank of the first positive        |
| `mrp`               | positive pairs      | rank / items ranked for the query     |
| `coverage@K`        | items of the corpus | in the top K of any query             |

Only queries with a positive count (for `ndcg@K`: with a gain above 0). `ndcg@K` gives
an item its gain, linear, over log2(1 + rank); the best DCG sorts all judged gains of
the query, not only those of positives; items that nobody judged gain 0. Where few are
judged, a ranking is punished for answers that nobody looked at: `condensed_ndcg@K`
leaves these out (Sakai 2007, "Alternatives to bpref"), and `judged@K` tells how many
they are. Both are of graded tasks alone: where all that is judged is alike, they say
nothing. `map@K` sums the precision at each positive of rank <= K, over the number of
positives or K, which is less. `coverage@K` is of rankings with top lists.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recjax.errors import UserError, nearest
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
    positive, rank = task.positive, np.asarray(ranks.rank, np.float64)
    among = _among_judged(task, rank) if task.graded else None
    out: dict[str, Mean | Exposure] = {}
    for k in ks:
        out[f"recall@{k}"] = Mean.of((positive & (rank <= k))[positive])
        found = _by_query(task, rank, k)
        found |= {} if among is None else _of_judged(task, rank, among, k)
        for name, (values, weights) in found.items():
            out[f"{name}@{k}"] = Mean.of(values, weights)
        if ranks.top.shape[1]:
            out[f"coverage@{k}"] = Exposure.of(task.num_items, ranks.top, k)
    out["mrr"] = Mean.of(*_mrr(task, rank))
    out["mrp"] = Mean.of((rank / task.pool[task.query])[positive])
    return out


Values = tuple[np.ndarray, np.ndarray]
"""Of each query [Q]: a value, and how much it counts."""


def of_queries(task: RankingTask, ranks: Ranks, metric: str) -> Values:
    """Returns a metric of each query [Q] and its weight: their mean is the figure.

    Args:
      task: `Q` queries over `N` items.
      ranks: of all judged items of the task.
      metric: "mrr", or "recall@K" or another of the table that has a K, but coverage.

    Raises:
      UserError: no such metric.
    """
    check_metric(metric)
    rank = np.asarray(ranks.rank, np.float64)
    if metric == "mrr":
        return _mrr(task, rank)
    name, _, k = metric.partition("@")
    if name in GRADED:
        return _of_judged(task, rank, _among_judged(task, rank), int(k))[name]
    found = _by_query(task, rank, int(k))
    if name != "recall":
        return found[name]
    count = np.bincount(task.query[task.positive], minlength=len(task))
    return found["recall_by_query"][0], count.astype(np.float64)


BY_QUERY = ("recall_by_query", "hit", "ndcg", "map")
GRADED = ("condensed_ndcg", "judged")


def check_metric(metric: str) -> None:
    """Checks the name of a metric of queries; see `of_queries`.

    Raises:
      UserError: no such metric.
    """
    name, _, k = metric.partition("@")
    known = (*BY_QUERY, *GRADED, "recall")
    if metric != "mrr" and (name not in known or not k.isdigit() or not int(k)):
        there = [f"{one}@10" for one in known]
        raise UserError(
            f"metric {metric!r} is none of a query: take mrr, {', '.join(there)}, ..."
            + nearest(metric, there)
        )


def _by_query(task: RankingTask, rank: np.ndarray, k: int) -> dict[str, Values]:
    positive, query, size = task.positive, task.query, len(task)
    of_query = np.bincount(query[positive], minlength=size)
    found = np.bincount(query[positive & (rank <= k)], minlength=size)
    asked = (of_query > 0).astype(np.float64)
    share = found / np.maximum(of_query, 1), asked
    ndcg, map_at_k = _ndcg(task, rank, k), _map(task, rank, k)
    return dict(zip(BY_QUERY, (share, (found > 0, asked), ndcg, map_at_k), strict=True))


def _of_judged(
    task: RankingTask, rank: np.ndarray, among: np.ndarray, k: int
) -> dict[str, Values]:
    within = np.bincount(task.query[rank <= k], minlength=len(task))
    share = np.minimum(within / np.minimum(k, np.maximum(task.pool, 1)), 1)
    asked = np.bincount(task.query[task.positive], minlength=len(task)) > 0
    found = _ndcg(task, among, k), (share, asked.astype(np.float64))
    return dict(zip(GRADED, found, strict=True))


def _among_judged(task: RankingTask, rank: np.ndarray) -> np.ndarray:
    """Returns ranks among the judged items of a query; ties share their middle."""
    order = np.lexsort((rank, task.query))
    query, sorted_ = task.query[order], rank[order]
    same = np.cumsum(
        np.r_[True, (np.diff(query) > 0) | (np.diff(sorted_) > 0)][: len(rank)]
    )
    size = np.bincount(same)
    middle = (np.cumsum(size) - (size - 1) / 2)[same]
    among = np.empty(len(rank))
    among[order] = middle - task.offsets[query]
    return among


def _mrr(task: RankingTask, rank: np.ndarray) -> Values:
    first = np.full(len(task), np.inf)
    np.minimum.at(first, task.query[task.positive], rank[task.positive])
    return 1 / first, np.isfinite(first).astype(np.float64)


def _ndcg(task: RankingTask, rank: np.ndarray, k: int) -> Values:
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
    return value, wanted.astype(np.float64)


def _map(task: RankingTask, rank: np.ndarray, k: int) -> Values:
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
    return np.minimum(value, 1), (count > 0).astype(np.float64)


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
