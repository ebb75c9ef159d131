"""Ranks of anything that can score the corpus, in NumPy: the baselines' way."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np

from recjax.metrics.task import RankingTask, Ranks


class Scorer(Protocol):
    """Something that scores every item of a corpus for the queries of a task."""

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns float32 [stop - start, N]: the scores of queries start..stop."""
        ...


def rank_scores(
    task: RankingTask,
    scorer: Scorer,
    top_k: int,
    block: int = 256,
    ties: Literal["average", "order"] = "average",
) -> Ranks:
    """Ranks the corpus for every query; excluded items have no rank.

    Memory: `block` x N scores at a time.

    Args:
      task: `Q` queries over `N` items.
      scorer: scores of those queries.
      top_k: length of the lists; items of equal score come in the order of the corpus.
      block: queries at a time.
      ties: items of equal score share their average rank, or follow the order of the
        corpus. Corpora are rarely in random order: figures by "order" say so.

    Raises:
      ValueError: scores of another shape, or one that is NaN or infinite; no such
        tie rule.
    """
    if top_k < 1 or block < 1:
        raise ValueError(f"top_k {top_k} and block {block} must be at least 1")
    if ties not in ("average", "order"):
        raise ValueError(f"ties is {ties!r}, must be 'average' or 'order'")
    rank = np.zeros(len(task.items), np.float32)
    top = np.full((len(task), top_k), -1, np.int32)
    for start in range(0, len(task), block):
        stop = min(start + block, len(task))
        scores = _checked(scorer, start, stop, task.num_items)
        first, last = task.exclude_offsets[start], task.exclude_offsets[stop]
        lengths = np.diff(task.exclude_offsets[start : stop + 1])
        out = np.repeat(np.arange(stop - start), lengths)
        scores[out, task.exclude[first:last]] = -np.inf
        ordered = np.sort(scores, axis=1)
        for row in range(stop - start):
            judged = slice(*task.offsets[start + row : start + row + 2])
            own = scores[row, task.items[judged]]
            above = task.num_items - np.searchsorted(ordered[row], own, "right")
            below = np.searchsorted(ordered[row], own, "left")
            if ties == "average":
                # An item is its own equal: 1 + above + (equal - 1) / 2.
                equal = task.num_items - above - below
                rank[judged] = 0.5 + above + 0.5 * equal
            else:
                pairs = zip(own, task.items[judged], strict=True)
                before = [(scores[row, :item] == score).sum() for score, item in pairs]
                rank[judged] = 1 + above + np.array(before, np.int64)
            best = _best(scores[row], ordered[row], top_k)
            top[start + row, : len(best)] = best
    return Ranks(query=task.query, rank=rank, top=top)


def _checked(scorer: Scorer, start: int, stop: int, num_items: int) -> np.ndarray:
    scores = np.array(scorer.scores(start, stop), np.float32)
    if scores.shape != (stop - start, num_items):
        raise ValueError(
            f"scores are {scores.shape}, not ({stop - start}, {num_items})"
        )
    bad = np.argwhere(~np.isfinite(scores))
    if len(bad):
        query, item = bad[0] + (start, 0)
        raise ValueError(f"the score of query {query} and item {item} is not finite")
    return scores


def _best(scores: np.ndarray, ordered: np.ndarray, top_k: int) -> np.ndarray:
    """Returns the indices of the `top_k` largest finite scores, the lower one first."""
    lowest = ordered[-min(top_k, len(ordered))] if len(ordered) else np.inf
    chosen = np.flatnonzero((scores >= lowest) & (scores > -np.inf))
    return chosen[np.argsort(-scores[chosen], kind="stable")][:top_k]
