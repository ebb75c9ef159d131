"""How scores lie: those of positive pairs beside those of random pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recjax import rng
from recjax.metrics.task import RankingTask

BINS = 60
RANDOM_PAIRS = 20_000
_BLOCK = 4_096


@dataclass(frozen=True)
class ScoreDistribution:
    """Two histograms over the same bins, each of density.

    Attributes:
      edges: of the bins [BINS + 1].
      positive: share of the positive pairs in each bin [BINS].
      random: share of the random pairs in each bin [BINS].
    """

    edges: np.ndarray
    positive: np.ndarray
    random: np.ndarray


def score_histograms(
    queries: np.ndarray, items: np.ndarray, task: RankingTask, ranked: int | None = None
) -> ScoreDistribution:
    """Counts the scores of the positive pairs, and of pairs drawn at random.

    Args:
      queries: embeddings [Q, D].
      items: embeddings [N, D].
      task: whose positives are counted.
      ranked: items that random pairs are drawn from, the first ones; None for all.
    """
    mine = task.positive
    good = _dot(queries, items, task.query[mine], task.items[mine])
    draw = rng.host_stream(0, "score_histograms", 0)
    pairs = RANDOM_PAIRS if len(queries) and len(items) else 0
    query = draw.integers(0, max(len(queries), 1), pairs)
    item = draw.integers(0, max(ranked or len(items), 1), pairs)
    other = _dot(queries, items, query, item)
    edges = np.histogram_bin_edges(np.concatenate([good, other]), BINS)
    shares = [np.histogram(s, edges)[0] / max(len(s), 1) for s in (good, other)]
    return ScoreDistribution(edges, *shares)


def _dot(
    queries: np.ndarray, items: np.ndarray, query: np.ndarray, item: np.ndarray
) -> np.ndarray:
    found = np.zeros(len(query), np.float32)
    for start in range(0, len(query), _BLOCK):
        part = slice(start, start + _BLOCK)
        found[part] = np.einsum("pd,pd->p", queries[query[part]], items[item[part]])
    return found
