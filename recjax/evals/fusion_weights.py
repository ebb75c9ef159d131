"""How much each part of a fusion counts: chosen on queries whose answers are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from recjax.evals.scorer import Scores
from recjax.index.exact import largest
from recjax.metrics.bootstrap import interval
from recjax.metrics.ranking import Values, of_queries
from recjax.metrics.ranks import Ranks, ranks_of
from recjax.metrics.task import RankingTask

Shape = Literal["z", "max", "rank"]
"""What scores of a part become, for each query: "z" (less their mean, over their
standard deviation), "max" (over the largest), "rank" (61 / (60 + rank); Cormack et al.,
2009)."""
SHAPES: tuple[Shape, ...] = ("z", "max", "rank")
STEPS = (0.0, 1 / 8, 1 / 4, 1 / 2, 0.7, 1.0, 1.4, 2.0, 4.0, 8.0)
"""Weights that are tried: multiples of the weight that a part has."""
BLOCK, CANDIDATES, PASSES = 128, 100, 3
RANK_CONSTANT = 60.0


def shaped(scores: np.ndarray, shape: Shape) -> np.ndarray:
    """Returns scores of queries that can be added to others' [Q, N].

    A query that scores all items alike gets 0: it does not know.

    Args:
      scores: [Q, N].
      shape: see `Shape`.
    """
    if shape == "rank":
        order = np.argsort(-scores, axis=1, kind="stable")
        place = np.empty_like(order)
        np.put_along_axis(place, order, np.arange(scores.shape[1])[None], 1)
        best = (1 + RANK_CONSTANT) / (1 + RANK_CONSTANT + place)
        varied = scores.max(1, keepdims=True) > scores.min(1, keepdims=True)
        return np.where(varied, best, 0.0).astype(np.float32)
    if shape == "max":
        top = scores.max(1, keepdims=True)
        return scores / np.where(top > 0, top, np.inf)
    spread = scores.std(1, keepdims=True)
    centred = scores - scores.mean(1, keepdims=True)
    return centred / np.where(spread > 0, spread, np.inf)


@dataclass(frozen=True)
class CandidateScores:
    """What parts say of the items that may be found.

    Attributes:
      task: the queries.
      query: the query of each candidate, rising [C].
      judged: the candidate that each judged item of the task is [P].
      values: part -> shape -> its shaped scores [C].
    """

    task: RankingTask
    query: np.ndarray
    judged: np.ndarray
    values: Mapping[str, Mapping[Shape, np.ndarray]]

    @classmethod
    def of(cls, task: RankingTask, parts: Mapping[str, Scores]) -> CandidateScores:
        """Collects the best items of every part, and all that are judged.

        Args:
          task: `Q` queries over `N` items.
          parts: name -> scores of those queries.
        """
        asked, rows, values = [], [], {name: [] for name in parts}
        for start in range(0, len(task), BLOCK):
            stop = min(start + BLOCK, len(task))
            found = {n: np.asarray(s.scores(start, stop)) for n, s in parts.items()}
            place = _union(task, start, stop, list(found.values()))
            asked.append(place // task.num_items + start)
            rows.append(place % task.num_items)
            at = place // task.num_items, place % task.num_items
            for name, scores in found.items():
                made = [shaped(scores, shape)[at] for shape in SHAPES]
                values[name].append(np.stack(made))
        return cls.made(task, asked, rows, values)

    @classmethod
    def made(
        cls,
        task: RankingTask,
        asked: Sequence[np.ndarray],
        rows: Sequence[np.ndarray],
        values: Mapping[str, Sequence[np.ndarray]],
    ) -> CandidateScores:
        """Puts blocks of queries together.

        Args:
          task: all queries.
          asked: the query of each candidate, of each block.
          rows: its item; all that are judged are among them.
          values: part -> its shaped scores [shapes, n], of each block.
        """
        query = np.concatenate(asked)
        key = query * task.num_items + np.concatenate(rows)
        at = np.searchsorted(
            key, task.query.astype(np.int64) * task.num_items + task.items
        )
        whole = {name: np.concatenate(made, 1) for name, made in values.items()}
        return cls(
            task,
            query,
            at,
            {n: dict(zip(SHAPES, one, strict=True)) for n, one in whole.items()},
        )

    def take(self, queries: np.ndarray) -> CandidateScores:
        """Returns those of some queries, rising [n]."""
        kept = np.isin(self.query, queries)
        place = np.cumsum(kept) - 1
        return CandidateScores(
            self.task.take(queries),
            np.searchsorted(queries, self.query[kept]),
            place[self.judged[np.isin(self.task.query, queries)]],
            {
                name: {shape: values[kept] for shape, values in shapes.items()}
                for name, shapes in self.values.items()
            },
        )

    def metric(
        self, weights: Mapping[str, float], shapes: Mapping[str, Shape], metric: str
    ) -> Values:
        """Returns a metric of each query if scores are added up like this."""
        total = np.zeros(len(self.query), np.float64)
        for name, weight in weights.items():
            if weight:
                total += weight * self.values[name][shapes[name]]
        order = np.lexsort((-total, self.query))
        query, sorted_ = self.query[order], total[order]
        new_query = np.r_[True, query[1:] != query[:-1]]
        new_run = new_query | np.r_[True, sorted_[1:] != sorted_[:-1]]
        run = np.cumsum(new_run) - 1
        first, length = np.flatnonzero(new_run), np.bincount(run)
        begin = np.flatnonzero(new_query)[np.cumsum(new_query) - 1]
        above, tied = np.empty((2, len(order)), np.int64)
        above[order], tied[order] = first[run] - begin, length[run] - 1
        rank = ranks_of(above[self.judged], tied[self.judged], "average")
        nothing = np.zeros((len(self.task), 0), np.int32)
        return of_queries(self.task, Ranks(self.task.query, rank, nothing), metric)


@dataclass(frozen=True)
class Chosen:
    """What was chosen.

    Attributes:
      weights: of each part that is kept; the largest is 1.
      shapes: of each of them.
      figure: the metric on the queries that it was chosen on, or of each of the folds
        by what is chosen on the others.
      interval: its 95 % interval over queries.
      gains: part -> what is lost without it: mean and ends of its 95 % interval; of
        parts that were dropped too.
      folds: how many the figure is of; 0 for that of the queries it was chosen on.
    """

    weights: Mapping[str, float]
    shapes: Mapping[str, Shape]
    figure: float
    interval: tuple[float, float]
    gains: Mapping[str, tuple[float, float, float]]
    folds: int = 0


Weights = Mapping[str, float]
Shapes = Mapping[str, Shape]


def best_of(candidates: Sequence[CandidateScores], metric: str) -> Chosen:
    """Chooses shapes and weights: one part after the other, as long as it helps.

    Begins with the part that is best alone; each pass tries, for every part, all
    shapes and multiples of its weight. A part without which the metric is no worse is
    dropped.

    Args:
      candidates: of one split or several, which count as one.
      metric: see `of_queries`.
    """

    def mean(weights: Weights, shapes: Shapes) -> float:
        values, counts = metric_of(candidates, weights, shapes, metric)
        return float(np.average(values, weights=counts))

    names = list(candidates[0].values)
    shapes: dict[str, Shape] = dict.fromkeys(names, SHAPES[0])
    alone = {name: mean({name: 1.0}, shapes) for name in names}
    order = sorted(names, key=lambda name: -alone[name])
    weights, best = {order[0]: 1.0}, alone[order[0]]
    for _ in range(PASSES):
        before = best
        for name in order:
            tried = [(w, s) for s in SHAPES for w in _tried(weights, name)]
            for weight, shape in tried:
                one = {**weights, name: weight}
                if not any(one.values()):
                    continue
                found = mean(one, {**shapes, name: shape})
                if found > best + 1e-9:
                    best, weights, shapes = found, one, {**shapes, name: shape}
        if best <= before + 1e-9:
            break
    return _without_idle(candidates, metric, order, weights, shapes)


def metric_of(
    candidates: Sequence[CandidateScores], weights: Weights, shapes: Shapes, metric: str
) -> Values:
    """Returns a metric of each query of all; see `CandidateScores.metric`."""
    found = [one.metric(weights, shapes, metric) for one in candidates]
    values, counts = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return np.where(counts > 0, values, 0.0), counts


def _without_idle(
    candidates: Sequence[CandidateScores],
    metric: str,
    order: Sequence[str],
    weights: Weights,
    shapes: Shapes,
) -> Chosen:
    """Drops parts without which the metric is no worse, the weakest first."""
    kept, gains = {n: w for n, w in weights.items() if w}, {}
    for name in reversed(order):
        values, counts = metric_of(candidates, kept, shapes, metric)
        rest = {n: w for n, w in kept.items() if n != name}
        if name not in kept or not rest:
            gains[name] = (0.0, 0.0, 0.0)
            continue
        lost = values - metric_of(candidates, rest, shapes, metric)[0]
        gain = float(np.average(lost, weights=counts))
        gains[name] = (gain, *interval(lost, counts))
        kept = kept if gain > 0 else rest
    values, counts = metric_of(candidates, kept, shapes, metric)
    top = max(kept.values())
    return Chosen(
        {name: weight / top for name, weight in kept.items()},
        {name: shapes[name] for name in kept},
        float(np.average(values, weights=counts)),
        interval(values, counts),
        gains,
    )


def _tried(weights: Mapping[str, float], name: str) -> list[float]:
    now = weights.get(name, 0.0) or float(np.mean(list(weights.values()))) or 1.0
    return [step * now for step in STEPS]


def _union(
    task: RankingTask, start: int, stop: int, scores: Sequence[np.ndarray]
) -> np.ndarray:
    """Returns row * N + item of what may be found for queries start..stop, rising."""
    row = np.arange(stop - start)
    count = min(CANDIDATES, task.num_items)
    out = task.exclude[task.exclude_offsets[start] : task.exclude_offsets[stop]]
    of_out = np.repeat(row, np.diff(task.exclude_offsets[start : stop + 1]))
    found = [judged(task, start, stop)]
    for one in scores:
        hidden = np.array(one, np.float32)
        hidden[of_out, out] = -np.inf
        items, best = largest(hidden, count)
        place = row[:, None] * task.num_items + items
        found.append(place[best > -np.inf])
    return np.unique(np.concatenate(found).astype(np.int64))


def judged(task: RankingTask, start: int, stop: int) -> np.ndarray:
    """Returns row * N + item of what is judged for queries start..stop."""
    lengths = np.diff(task.offsets[start : stop + 1])
    row = np.repeat(np.arange(stop - start, dtype=np.int64), lengths)
    return row * task.num_items + task.items[task.offsets[start] : task.offsets[stop]]
