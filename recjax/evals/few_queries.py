"""What a fusion is worth where few queries are judged: folds of them in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from recjax.evals.fusion_weights import CandidateScores, Chosen, best_of, metric_of
from recjax.metrics.bootstrap import interval
from recjax.metrics.ranking import Values

FEW, FOLDS = 300, 5
"""Fewer queries than that are dealt into so many folds."""


def choose(candidates: Sequence[CandidateScores], metric: str) -> Chosen:
    """Chooses shapes and weights, and tells what they are worth on new queries.

    On few queries the best of many weights looks better than it is. They are dealt into
    folds, and the figure is of each fold by what is chosen on the others.

    Args:
      candidates: of one split or several, which count as one.
      metric: see `of_queries`.
    """
    chosen = best_of(candidates, metric)
    if not FOLDS <= sum(len(one.task) for one in candidates) < FEW:
        return chosen
    values, counts = _held_out(candidates, metric)
    figure = float(np.average(values, weights=counts))
    ends = interval(values, counts)
    return replace(chosen, figure=figure, interval=ends, folds=FOLDS)


def _held_out(candidates: Sequence[CandidateScores], metric: str) -> Values:
    """Returns the metric of each query by what is chosen on the other folds."""
    deal = np.random.default_rng(0)
    folds = [deal.permutation(len(one.task)) % FOLDS for one in candidates]
    found = []
    for number in range(FOLDS):
        rest, held = (
            [
                one.take(np.flatnonzero((fold == number) == inside))
                for one, fold in zip(candidates, folds, strict=True)
            ]
            for inside in (False, True)
        )
        chosen = best_of(rest, metric)
        found.append(metric_of(held, chosen.weights, chosen.shapes, metric))
    values, counts = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return values, counts
