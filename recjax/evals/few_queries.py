"""Weights of a fusion where few queries are judged: means over folds of the queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from recjax.evals.fusion_weights import (
    CandidateScores,
    Chosen,
    Shapes,
    Weights,
    ascend,
    metric_of,
    pruned,
)
from recjax.metrics.bootstrap import interval

FEW, FOLDS = 1_000, 5
"""Fewer queries than that are dealt into so many folds."""


def choose(candidates: Sequence[CandidateScores], metric: str) -> Chosen:
    """Chooses shapes and weights; of few queries, so that chance counts for less.

    Few queries are dealt into folds. The mean of what is chosen without each fold is
    taken; the figure is of each fold's queries by what was chosen without them, so that
    it is no better than on new ones.

    Args:
      candidates: of one split or several, which count as one.
      metric: see `of_queries`.
    """
    weights, shapes, order = ascend(candidates, metric)
    if FOLDS <= (size := sum(len(one.task) for one in candidates)) < FEW:
        fold = np.random.default_rng(0).permutation(size) % FOLDS
        ends = np.cumsum([0, *(len(one.task) for one in candidates)])
        folds = [fold[a:b] for a, b in zip(ends, ends[1:], strict=False)]
        weights, values, counts = _over_folds(candidates, metric, shapes, folds)
        found = pruned(candidates, metric, order, weights, shapes, drop=False)
        figure = float(np.average(values, weights=counts))
        return replace(found, figure=figure, interval=interval(values, counts))
    return pruned(candidates, metric, order, weights, shapes)


def _over_folds(
    candidates: Sequence[CandidateScores],
    metric: str,
    shapes: Shapes,
    folds: Sequence[np.ndarray],
) -> tuple[Weights, np.ndarray, np.ndarray]:
    """Returns mean weights; each query's metric without its fold, and its count."""
    spread = _spread(candidates, shapes)
    shares, values, counts = [], [], []
    for number in range(FOLDS):
        rest, held = (
            [
                one.take(np.flatnonzero((fold == number) == inside))
                for one, fold in zip(candidates, folds, strict=True)
            ]
            for inside in (False, True)
        )
        weights, _, _ = ascend(rest, metric, shapes)
        share = {name: weights.get(name, 0.0) * spread[name] for name in spread}
        shares.append({n: one / sum(share.values()) for n, one in share.items()})
        value, count = metric_of(held, weights, shapes, metric)
        values.append(value)
        counts.append(count)
    mean = {n: float(np.mean([one[n] for one in shares])) for n in spread}
    found = {n: share / spread[n] for n, share in mean.items() if share}
    return found, np.concatenate(values), np.concatenate(counts)


def _spread(
    candidates: Sequence[CandidateScores], shapes: Shapes
) -> Mapping[str, float]:
    """Returns how far apart a part's shaped scores lie, so that weights compare."""
    return {
        name: float(
            np.std(np.concatenate([one.values[name][shape] for one in candidates]))
        )
        or 1.0
        for name, shape in shapes.items()
    }
