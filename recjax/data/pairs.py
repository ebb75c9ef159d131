"""Pairs of a query and a candidate: what next item, search and catalogues share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recjax.data import pipeline
from recjax.data.dataset import Corpus
from recjax.data.negatives import Negatives
from recjax.data.pipeline import Host, HostBatch
from recjax.metrics.task import RankingTask
from recjax.seconds import DAY
from recjax.text.column import offsets_of


@dataclass(frozen=True)
class Candidates:
    """What queries lead to, for batches.

    Attributes:
      corpus: all items; their features are read at positions alone.
      log_share: log share of each item among the positives of training, f32[N].
      negatives: the random items of each step, as positions in `pool`.
      pool: items that negatives are drawn from, i32[M]; None for all `N`.
      known: known positives of each query, by its id, i32[Q, P]; -1 fills up.
    """

    corpus: Corpus
    log_share: np.ndarray
    negatives: Negatives
    pool: np.ndarray | None = None
    known: np.ndarray | None = None

    def batch(
        self,
        step: int,
        host: Host,
        query: Mapping[str, np.ndarray],
        query_id: np.ndarray,
        positive: np.ndarray,
        weight: np.ndarray,
    ) -> HostBatch:
        """Returns a host's part of the batch that a two-tower takes.

        Args:
          step: of the batch.
          host: the host.
          query: features of its queries, name -> [B, ...].
          query_id: equal numbers mean the same query [B].
          positive: corpus indices [B].
          weight: weight of each pair [B].
        """
        mine = pipeline.rows_of(host, self.negatives.columns, "negatives")
        negative = self.negatives.at(step)[mine]
        filled = negative >= 0  # -1 fills up
        if self.pool is not None:
            negative = np.where(filled, self.pool[negative], -1)
        there = np.where(filled, negative, 0)
        uniform = -np.log(self.negatives.size)
        features = self.corpus.features
        known = {} if self.known is None else {"known_id": self.known[query_id]}
        return known | {
            "query": dict(query),
            "positive": {name: array[positive] for name, array in features.items()},
            "negative": {name: array[there] for name, array in features.items()},
            "query_id": query_id.astype(np.int32),
            "positive_id": positive.astype(np.int32),
            "negative_id": negative.astype(np.int32),
            "positive_logq": self.log_share[positive],
            "negative_logq": self.log_share[there],
            "positive_draw_logq": np.full(len(positive), uniform, np.float32),
            "negative_draw_logq": np.full(len(negative), uniform, np.float32),
            "weight": weight.astype(np.float32),
        }


def judged(
    corpus: Corpus,
    query: np.ndarray,
    item: np.ndarray,
    gain: np.ndarray | None = None,
    positive_gain: float | None = None,
) -> tuple[np.ndarray, RankingTask]:
    """Returns the distinct queries of judged pairs, rising [Q], and their task.

    Args:
      corpus: what is ranked.
      query: of each pair [P].
      item: of each pair, a corpus index; distinct within a query [P].
      gain: of each pair [P]; None for 1.
      positive_gain: smallest gain of a positive; None for any above 0.
    """
    order = np.argsort(query, kind="stable")
    queries, counts = np.unique(query, return_counts=True)
    gain = np.ones(len(item), np.float32) if gain is None else gain
    task = RankingTask(
        num_items=len(corpus),
        offsets=offsets_of(counts),
        items=item[order],
        gains=gain[order],
        exclude_offsets=np.zeros(len(queries) + 1, np.int64),
        exclude=np.zeros(0, np.int32),
        positive_gain=positive_gain,
    )
    return queries, task


def log_share(counts: np.ndarray) -> np.ndarray:
    """Returns log of each item's share, one added to how often each was met [N]."""
    smoothed = counts + 1.0
    return np.log(smoothed / smoothed.sum()).astype(np.float32)


def recency_weight(age: np.ndarray, half_life: float, least: float) -> np.ndarray:
    """Returns weights that halve with age, down to `least`, float32 [E].

    Args:
      age: seconds before the newest training event [E]; below 0 counts as 0.
      half_life: days.
      least: weight of the oldest.
    """
    young = 0.5 ** (np.maximum(age, 0) / (half_life * DAY))
    return (least + (1 - least) * young).astype(np.float32)
