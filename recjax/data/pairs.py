"""Batches of (query, positive) pairs with random negatives from the corpus."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recjax import rng
from recjax.data.dataset import Column
from recjax.data.pipeline import HostBatch

FILL = 64
SECONDS_A_DAY = 86_400


def pair_batch(
    query: Mapping[str, np.ndarray],
    query_id: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    weight: np.ndarray,
    corpus: Mapping[str, Column],
    log_share: np.ndarray,
    pool: int | None = None,
) -> HostBatch:
    """Returns the batch that a two-tower takes.

    Args:
      query: features of the queries, name -> [B, ...].
      query_id: equal numbers mean the same query [B].
      positive: corpus indices [B].
      negative: corpus indices [R]; -1 fills up the shape.
      weight: weight of each pair [B].
      corpus: features of the corpus, name -> [N, ...]; read at positions alone.
      log_share: log share of each item among the positives of training [N].
      pool: items that negatives are drawn from; None for all `N`.
    """
    uniform = -np.log(pool or len(log_share))
    held = np.maximum(negative, 0)
    return {
        "query": dict(query),
        "positive": {name: array[positive] for name, array in corpus.items()},
        "negative": {name: array[held] for name, array in corpus.items()},
        "query_id": query_id.astype(np.int32),
        "positive_id": positive.astype(np.int32),
        "negative_id": negative.astype(np.int32),
        "positive_logq": log_share[positive],
        "negative_logq": log_share[held],
        "positive_draw_logq": np.full(len(positive), uniform, np.float32),
        "negative_draw_logq": np.full(len(negative), uniform, np.float32),
        "weight": weight.astype(np.float32),
    }


def draw_negatives(
    seed: int,
    step: int,
    size: int,
    count: int | None,
    mine: slice,
    batch_size: int,
    name: str = "negatives",
) -> np.ndarray:
    """Draws this host's part of the uniform negatives of a step.

    The whole corpus is filled up with -1 to a multiple of 64, so that it splits over
    hosts and devices.

    Args:
      seed: of the run.
      step: of the batch.
      size: `N`.
      count: negatives of the global batch, divisible by the number of hosts; None for
        the whole corpus, each item once.
      mine: this host's rows of the global batch of pairs.
      batch_size: rows of the global batch of pairs.
      name: of the random stream; draws that go together need several.
    """
    if count is None:
        count = -(-size // FILL) * FILL
        drawn = np.where(np.arange(count) < size, np.arange(count), -1)
    else:
        drawn = rng.host_stream(seed, name, step).integers(0, size, count)
    start, stop = (count * at // batch_size for at in (mine.start, mine.stop))
    return drawn[start:stop].astype(np.int32)


def log_share(items: np.ndarray, size: int) -> np.ndarray:
    """Returns log of each item's share of `items`, one added to every count [size]."""
    counts = np.bincount(items, minlength=size) + 1.0
    return np.log(counts / counts.sum()).astype(np.float32)


def recency_weight(
    age: np.ndarray, half_life: float | None, least: float
) -> np.ndarray:
    """Returns weights that halve with age, down to `least`, float32 [E].

    Args:
      age: seconds before the newest training event [E]; below 0 counts as 0.
      half_life: days; None weighs all alike.
      least: weight of the oldest.
    """
    if half_life is None:
        return np.ones(len(age), np.float32)
    young = 0.5 ** (np.maximum(age, 0) / (half_life * SECONDS_A_DAY))
    return (least + (1 - least) * young).astype(np.float32)
