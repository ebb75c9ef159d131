"""Ranking against a random index, as OmniSearchSage is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from recjax import rng
from recjax.evals.base import KS, SHOWN_AT, Findings, nothing_to_rank, queries_of
from recjax.evals.corpus import embed_all, sides_of
from recjax.evals.exact import Ties, rank_embeddings
from recjax.evals.score_distribution import score_histograms
from recjax.metrics.cohorts import cohort_recall
from recjax.metrics.exposure import Exposure
from recjax.metrics.mean import Mean
from recjax.metrics.task import RankingTask
from recjax.train.program import Program
from recjax.train.state import State


@dataclass(frozen=True)
class IndexRanking:
    """Ranks each judged item among a random index of the corpus, and nothing else.

    The figures are `index_recall@K`, the mean over positive pairs: they depend on the
    size of the index (OmniSearchSage, Agarwal et al. 2024, takes 1.5 M) and are no
    substitute for those of `CorpusRanking`, which the whole corpus decides.

    Attributes:
      split: "validation" or "test".
      task: one of the data set's.
      tower: see `CorpusRanking`.
      size: items of the index, drawn uniformly from the corpus without replacement; a
        corpus that is smaller is the index.
      ks: lengths of the lists that are judged.
      ties: items of the index with the score of the judged item all stand before it
        ("worst", as published), or share their rank with it ("average").
      draw: number of the draw: another one is another index.
      every: steps between evaluations in training; 0 for the end alone.
    """

    split: str = "test"
    task: str = ""
    tower: str = ""
    size: int = 1_500_000
    ks: tuple[int, ...] = KS
    ties: Ties = "worst"
    draw: int = 0
    every: int = 0
    trained = True

    def run(self, program: Program, state: State | None) -> Mapping[str, float]:
        """Returns `index_recall@K`, by cohort too, `index_size`, `Exposure.figures`."""
        return self.examine(program, state).figures

    def examine(self, program: Program, state: State) -> Findings:
        """Returns what `run` does, retrieval frequencies and score histograms."""
        queries = queries_of(program, self.split, self.task)
        corpus, task = program.dataset.corpora[queries.corpus], queries.task
        if not task.positive.any():
            return nothing_to_rank(self.split, self.task)
        index = draw_index(len(corpus), self.size, self.draw)
        rows = np.concatenate([index, np.setdiff1d(task.items, index)])
        task = _among(task, rows, len(index))
        query, side = sides_of(corpus, self.tower)
        asked = embed_all(program, state, query, queries.features)
        items = embed_all(program, state, side, corpus.features, rows)
        top_k = max(*self.ks, SHOWN_AT)
        ranks = rank_embeddings(
            asked,
            items,
            task,
            top_k,
            program.mesh,
            ties=self.ties,
            ranked=len(index),
        )
        found = ranks.rank[task.positive]
        shown = Exposure.of(len(index), ranks.top, SHOWN_AT)
        figures = {
            "pairs": float(task.positive.sum()),
            **{f"index_recall@{k}": Mean.of(found <= k).value for k in self.ks},
            "index_size": float(len(index)),
            **shown.figures(SHOWN_AT),
            **cohort_recall(task, ranks.rank, queries.cohorts, self.ks, "index_recall"),
        }
        scores = score_histograms(asked, items, task, len(index))
        return Findings(figures, shown, scores)


def draw_index(num_items: int, size: int, draw: int) -> np.ndarray:
    """Draws items without replacement, and returns them in order.

    Args:
      num_items: `N`.
      size: how many; all where there are fewer.
      draw: number of the draw.
    """
    if num_items <= size:
        return np.arange(num_items)
    generator = rng.host_stream(draw, "index", 0)
    return np.sort(generator.choice(num_items, size, replace=False, shuffle=False))


def _among(task: RankingTask, rows: np.ndarray, ranked: int) -> RankingTask:
    """Returns a task over some rows of its corpus; only the first ones are ranked."""
    order = np.argsort(rows, kind="stable")

    def place(items: np.ndarray) -> np.ndarray:
        at = np.searchsorted(rows, items, sorter=order)
        return order[np.minimum(at, len(rows) - 1)].astype(np.int32)

    out = place(task.exclude)
    kept = (rows[out] == task.exclude) & (out < ranked)
    query = np.repeat(np.arange(len(task)), np.diff(task.exclude_offsets))
    counts = np.bincount(query[kept], minlength=len(task))
    return replace(
        task,
        num_items=len(rows),
        items=place(task.items),
        exclude_offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        exclude=out[kept],
    )
