"""Scorers: anything that scores all items for queries, and the ranks of its scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from recjax.data.dataset import HasEvents, Queries
from recjax.errors import UserError
from recjax.index.exact import largest
from recjax.metrics.ranks import Ranks, Ties, ranks_of
from recjax.metrics.task import RankingTask

Need = Literal["texts", "history", "events", "times", "sessions"]
"""What a scorer asks for of the data and its queries."""

FEW = 8
"""Judged items of a query up to which counting costs less than sorting."""


class Scores(Protocol):
    """Scores of every item of a corpus for each of some queries."""

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns float32 [stop - start, N]: the scores of queries start..stop."""


class Scorer(Protocol):
    """Settings of something that scores items and needs no training of the model.

    Attributes:
      needs: what the data must have.
    """

    @property
    def needs(self) -> tuple[Need, ...]:
        """What the data must have."""

    def fit(self, data: Any, queries: Queries) -> Scores:
        """Learns from the training part of the data; returns scores of the queries."""


def check_needs(scorer: Scorer, data: object, queries: Queries) -> None:
    """Checks that a scorer can work on the data.

    Raises:
      UserError: the data lacks something that the scorer needs.
    """
    log = data.log if isinstance(data, HasEvents) else None
    has = {
        "texts": (queries.texts is not None, "queries that are texts"),
        "history": (queries.history is not None, "queries with histories"),
        "events": (log is not None, "events of users"),
        "times": (log is not None and log.timed, "timestamps"),
        "sessions": (log is not None and log.session is not None, "sessions"),
    }
    for need in scorer.needs:
        there, words = has[need]
        if not there:
            name = type(scorer).__name__
            raise UserError(f"{name} needs {words}; this data has none")


@dataclass(frozen=True)
class ScoresOf:
    """Scores of some rows of a corpus alone.

    Attributes:
      whole: scores of all items.
      rows: those that are kept [n].
    """

    whole: Scores
    rows: np.ndarray

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns float32 [stop - start, n]."""
        return self.whole.scores(start, stop)[:, self.rows]


def rank_scores(
    task: RankingTask,
    scorer: Scores,
    top_k: int = 0,
    block: int = 256,
    ties: Ties = "average",
    ranked: int | None = None,
) -> Ranks:
    """Ranks the corpus for every query; excluded items have no rank.

    What scores more is counted where few items are judged, and found in the sorted
    scores where many are. Memory: `block` x N scores, or twice.

    Args:
      task: `Q` queries over `N` items.
      scorer: scores of those queries.
      top_k: length of the lists; items of equal score come in the order of the corpus.
        0 makes none.
      block: queries at a time.
      ties: how items of equal score are ranked.
      ranked: the first items of the corpus, that judged items compete with; judged
        items may lie behind them, and then compete with those alone. None for all.

    Raises:
      ValueError: scores of another shape, or one that is NaN or infinite; no such
        tie rule.
    """
    if top_k < 0 or block < 1:
        raise ValueError(f"top_k {top_k} must be at least 0, block {block} at least 1")
    ranked = task.num_items if ranked is None else ranked
    above, tied = np.zeros((2, len(task.items)), np.int64)
    top = np.full((len(task), top_k), -1, np.int32)
    for start in range(0, len(task), block):
        stop = min(start + block, len(task))
        scores = _checked(scorer, start, stop, task)
        judged = slice(task.offsets[start], task.offsets[stop])
        lengths = np.diff(task.offsets[start : stop + 1])
        row, item = np.repeat(np.arange(stop - start), lengths), task.items[judged]
        pool, own = scores[:, :ranked], scores[row, item]
        if lengths.max(initial=0) > FEW:
            ordered = np.sort(pool, axis=1)
            above[judged], equal = _in_sorted(ordered, own, lengths)
        else:
            above[judged], equal = _counted(pool, own, lengths)
        found, best = largest(pool, min(top_k, pool.shape[1]))
        top[start:stop, : found.shape[1]] = np.where(best > -np.inf, found, -1)
        if ties == "order":
            tied[judged] = [
                (pool[r, :i] == scores[r, i]).sum()
                for r, i in zip(row, item, strict=True)
            ]
        else:
            tied[judged] = equal - (item < ranked)  # One that is ranked equals itself.
    return Ranks(task.query, ranks_of(above, tied, ties), top)


def _checked(scorer: Scores, start: int, stop: int, task: RankingTask) -> np.ndarray:
    """Returns the scores of a block, minus infinity for excluded items."""
    scores = np.asarray(scorer.scores(start, stop), np.float32)
    if scores.shape != (stop - start, task.num_items):
        raise ValueError(
            f"scores are {scores.shape}, not ({stop - start}, {task.num_items})"
        )
    # A sum is finite where all are, unless they are huge: it spares a look at each.
    with np.errstate(over="ignore", invalid="ignore"):
        fine = np.isfinite(scores.sum())
    bad = np.argwhere(~np.isfinite(scores)) if not fine else np.zeros((0, 2))
    if len(bad):
        query, item = int(start + bad[0, 0]), int(bad[0, 1])
        raise ValueError(f"the score of query {query} and item {item} is not finite")
    out = task.exclude[task.exclude_offsets[start] : task.exclude_offsets[stop]]
    if len(out):
        lengths = np.diff(task.exclude_offsets[start : stop + 1])
        scores = scores.copy()
        scores[np.repeat(np.arange(stop - start), lengths), out] = -np.inf
    return scores


def _counted(
    scores: np.ndarray, own: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Counts the scores above and equal to each of a row's own, one after the other."""
    above, equal = np.zeros((2, len(own)), np.int64)
    first = np.cumsum(lengths) - lengths
    for place in range(lengths.max(initial=0)):
        rows = np.flatnonzero(lengths > place)
        at = first[rows] + place
        part = scores if len(rows) == len(scores) else scores[rows]
        above[at] = (part > own[at, None]).sum(1)
        equal[at] = (part == own[at, None]).sum(1)
    return above, equal


def _in_sorted(
    ordered: np.ndarray, own: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the same in sorted rows."""
    right, left = np.zeros((2, len(own)), np.int64)
    stops = np.cumsum(lengths)
    for row, stop, length in zip(ordered, stops, lengths, strict=True):
        mine = slice(stop - length, stop)
        right[mine] = np.searchsorted(row, own[mine], "right")
        left[mine] = np.searchsorted(row, own[mine], "left")
    return ordered.shape[1] - right, right - left
