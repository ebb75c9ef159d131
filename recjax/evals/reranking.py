"""A second stage of a fusion: the best items of a sum, put in another order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from recjax.evals.fusion_weights import (
    BLOCK,
    PASSES,
    SHAPES,
    STEPS,
    CandidateScores,
    Shape,
    Shapes,
    Weights,
    judged,
    metric_of,
    shaped,
)
from recjax.evals.scorer import Scores
from recjax.index.exact import largest
from recjax.metrics.bootstrap import interval
from recjax.metrics.task import RankingTask

FIRST = ""
"""The name of the sum among the parts."""
BEHIND = 1e6
"""What is taken off the sum of items that are not put in another order."""


@dataclass(frozen=True)
class Reranking:
    """What was chosen.

    Attributes:
      weights: of each part that is kept; the sum's is 1.
      shapes: of each of them.
      gain: of the metric by all of them: mean and ends of its 95 % interval.
    """

    weights: Weights = field(default_factory=dict)
    shapes: Shapes = field(default_factory=dict)
    gain: tuple[float, float, float] = (0.0, 0.0, 0.0)


def rerank(
    total: np.ndarray, parts: Sequence[tuple[float, Shape, np.ndarray]], top: int
) -> np.ndarray:
    """Returns scores by which the best items come in another order [Q, N].

    The best of each query get the shaped scores of the parts added; all others keep
    their order behind them. Shapes are of the scores of the best alone.

    Args:
      total: scores [Q, N].
      parts: weight, shape and scores [Q, N].
      top: how many are put in order.
    """
    items, first = largest(np.asarray(total, np.float32), min(top, total.shape[1]))
    new = first.copy()
    for weight, shape, scores in parts:
        new += np.float32(weight) * shaped(np.take_along_axis(scores, items, 1), shape)
    # All others stay behind the last of them.
    fall = np.minimum(new.min(1) - first.min(1), 0)
    found = np.asarray(total, np.float32) + fall[:, None]
    np.put_along_axis(found, items, new, 1)
    return found


def candidates(
    task: RankingTask, first: Scores, parts: Mapping[str, Scores], top: int
) -> CandidateScores:
    """Returns what the sum and the parts say of the best items, and of the judged.

    Args:
      task: `Q` queries over `N` items.
      first: the sum.
      parts: name -> scores of those queries.
      top: see `rerank`.
    """
    queries, rows, values = [], [], {name: [] for name in (FIRST, *parts)}
    for start in range(0, len(task), BLOCK):
        stop = min(start + BLOCK, len(task))
        total = np.asarray(first.scores(start, stop))
        items, _ = largest(total, min(top, task.num_items))
        best = np.arange(stop - start)[:, None] * task.num_items + items
        place = np.union1d(judged(task, start, stop), best.ravel())
        at = np.searchsorted(place, best)
        behind = np.full(len(place), BEHIND)
        behind[at] = 0
        out = task.exclude[task.exclude_offsets[start] : task.exclude_offsets[stop]]
        lengths = np.diff(task.exclude_offsets[start : stop + 1])
        hidden = np.repeat(np.arange(stop - start), lengths) * task.num_items + out
        behind[np.isin(place, hidden)] = np.inf
        row, item = place // task.num_items, place % task.num_items
        base = total[row, item] - behind
        values[FIRST].append(np.stack([base] * len(SHAPES)))
        for name, part in parts.items():
            scores = np.asarray(part.scores(start, stop))
            picked = np.take_along_axis(scores, items, 1)
            made = np.zeros((len(SHAPES), len(place)))
            for number, shape in enumerate(SHAPES):
                made[number][at] = shaped(picked, shape)
            values[name].append(made)
        queries.append(row + start)
        rows.append(item)
    return CandidateScores.made(task, queries, rows, values)


def choose(found: Sequence[CandidateScores], metric: str) -> Reranking:
    """Chooses shapes and weights of the parts, by coordinate ascent.

    Nothing is put in another order where the 95 % interval of the gain holds 0.

    Args:
      found: of one split or several, which count as one.
      metric: see `of_queries`.
    """

    def values(weights: Weights, shapes: Shapes) -> np.ndarray:
        every = {FIRST: 1.0, **weights}, {FIRST: SHAPES[0], **shapes}
        return metric_of(found, *every, metric)[0]

    names = [name for name in found[0].values if name != FIRST]
    before, counts = metric_of(found, {FIRST: 1.0}, {FIRST: SHAPES[0]}, metric)
    inside = np.concatenate([one.values[FIRST][SHAPES[0]] for one in found])
    unit = float(np.std(inside[inside > -BEHIND / 2])) or 1.0
    weights, shapes = dict.fromkeys(names, 0.0), dict.fromkeys(names, SHAPES[0])
    best = start = float(np.average(before, weights=counts))
    for _ in range(PASSES):
        last = best
        for name in names:
            for shape in SHAPES:
                for step in STEPS:
                    one = {**weights, name: step * (weights[name] or unit)}
                    kinds = {**shapes, name: shape}
                    now = float(np.average(values(one, kinds), weights=counts))
                    if now > best + 1e-9:
                        best, weights, shapes = now, one, kinds
        if best == last:
            break
    low, high = interval(values(weights, shapes) - before, counts)
    if not low > 0:
        return Reranking(gain=(best - start, low, high))
    kept = {name: weight for name, weight in weights.items() if weight}
    return Reranking(
        kept, {name: shapes[name] for name in kept}, (best - start, low, high)
    )
