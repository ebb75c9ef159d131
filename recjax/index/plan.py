"""How an index is searched: measured on queries, not guessed.

A query that visits more leaves, and has more candidates scored exactly, finds more and
takes longer. What the corpus and its queries are like decides how many are enough.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

FEW = 10
"""Results that most ask for: they have a step of their own."""
TRIED = 3
"""Numbers of leaves, from the fewest that may do, of which the fastest is taken."""
MOST_QUERIES, MOST_PRODUCTS = 512, 1 << 34
"""Queries to measure with: fewer, but not below 64, where exact search takes long."""


@dataclass(frozen=True)
class Step:
    """How to search for some number of results.

    Attributes:
      results: at most.
      leaves: partitions that a query visits.
      reorder: candidates that are scored exactly.
    """

    results: int
    leaves: int
    reorder: int


@dataclass(frozen=True)
class Plan:
    """How to search.

    Attributes:
      k: results a query, K.
      leaves: partitions of the corpus; 0 searches every vector exactly.
      steps: by rising number of results, the last for K.
    """

    k: int
    leaves: int = 0
    steps: tuple[Step, ...] = ()

    def step(self, k: int) -> Step:
        """Returns how to search for `k` results; the last one's way for more than K."""
        return next((s for s in self.steps if k <= s.results), self.steps[-1])


Search = Callable[[np.ndarray, Step], np.ndarray]
"""(queries [Q, D], step) -> exact scores of what is found [Q, results], best first; NaN
where nothing is."""


@dataclass(frozen=True)
class Measured:
    """What a step finds.

    Attributes:
      recall: share of the exact results, ties counted.
      sure: a standard error below it.
      rate: queries a CPU-second.
    """

    recall: float
    sure: float
    rate: float


def tune(
    search: Search,
    exact: Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]],
    queries: np.ndarray,
    k: int,
    leaves: int,
    target: float,
) -> tuple[Plan, dict[str, Any]]:
    """Returns the fastest plan that was found to reach a recall, and what was measured.

    Where none reaches it, the plan that looks at most.

    Args:
      search: of the index.
      exact: (queries, k) -> items and scores, best first.
      queries: such as users will ask, f32[Q, D].
      k: most results.
      leaves: partitions of the index.
      target: share of the exact top `results` that a step must find, and a standard
        error more.
    """
    steps, facts = [], {}
    for results in sorted({min(FEW, k), k}):
        start = time.process_time()
        lowest = exact(queries, results)[1][:, -1:]
        apart = time.process_time() - start
        # Of scores in float32.
        lowest = lowest - 1e-5 * np.maximum(np.abs(lowest), 1)
        step, found = _fastest(search, queries, lowest, results, leaves, target)
        steps.append(step)
        facts[f"index_top_{results}"] = {
            "leaves": step.leaves,
            "of": leaves,
            "reorder": step.reorder,
            "recall": round(found.recall, 4),
            "queries_per_cpu_s": round(found.rate),
            "exact_queries_per_cpu_s": round(len(queries) / max(apart, 1e-9)),
        }
    return Plan(k, leaves, tuple(steps)), facts


def some_queries(queries: np.ndarray, items: int) -> np.ndarray:
    """Returns as many queries, spread over all, as are worth their time."""
    most = MOST_PRODUCTS // max(items * queries.shape[1], 1)
    most = min(len(queries), MOST_QUERIES, max(most, 64))
    return queries[np.linspace(0, len(queries) - 1, most).astype(np.int64)]


def _fastest(
    search: Search,
    queries: np.ndarray,
    lowest: np.ndarray,
    results: int,
    leaves: int,
    target: float,
) -> tuple[Step, Measured]:
    visited = _ladder(1, leaves)
    scored = _ladder(results, max(100 * FEW, 20 * results))

    def measure(step: Step) -> Measured:
        start = time.process_time()
        scores = search(queries, step)
        took = time.process_time() - start
        hits = (scores >= lowest).mean(1)
        margin = hits.std() / math.sqrt(len(hits))
        recall, rate = float(hits.mean()), len(queries) / max(took, 1e-9)
        return Measured(recall, recall - margin, rate)

    def reaches(step: Step) -> bool:
        return measure(step).sure >= target

    at = _first(visited, lambda n: reaches(Step(results, n, scored[-1])))
    tried = []
    for few in visited[at : at + TRIED]:
        enough = _first(scored, lambda n, few=few: reaches(Step(results, few, n)))
        step = Step(results, few, scored[enough])
        tried.append((step, measure(step)))
    return max(tried, key=lambda one: one[1].rate)


def _first(numbers: Sequence[int], holds: Callable[[int], bool]) -> int:
    """Returns the place of the first number of which it holds; else the last place."""
    return min(bisect_left(numbers, True, key=holds), len(numbers) - 1)


def _ladder(low: int, high: int) -> list[int]:
    """Returns rising whole numbers, each about 1.25 times the one before."""
    rungs = [low]
    while rungs[-1] < high:
        rungs.append(min(high, max(rungs[-1] + 1, round(1.25 * rungs[-1]))))
    return rungs
