"""Exact ranking of a whole corpus by the model's embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import numpy as np
from jax.sharding import set_mesh

from recjax.data.dataset import Column, Corpus
from recjax.evals.base import KS, SHOWN_AT, Findings, nothing_to_rank, queries_of
from recjax.evals.exact import Ties, rank_embeddings
from recjax.evals.score_distribution import score_histograms
from recjax.metrics.cohorts import cohort_recall
from recjax.metrics.exposure import Exposure
from recjax.metrics.ranking import ranking_metrics
from recjax.sharding.placement import put_batch, replicated
from recjax.train.program import Program
from recjax.train.state import State


@dataclass(frozen=True)
class CorpusRanking:
    """Ranks a whole corpus for every query of a split and task.

    Attributes:
      split: "validation" or "test".
      task: one of the data set's.
      tower: part of the model that embeds: "" for its towers, "x" for its sides
        "query/x" and "SIDE/x" (SIDE is that of the corpus).
      ks: lengths of the lists that are judged.
      ties: items of equal score share their "average" rank, or each is "worst": it
        stands behind the others.
      every: steps between evaluations in training; 0 for the end alone.
    """

    split: str = "test"
    task: str = ""
    tower: str = ""
    ks: tuple[int, ...] = KS
    ties: Ties = "average"
    every: int = 0
    trained = True

    def run(self, program: Program, state: State | None) -> Mapping[str, float]:
        """Returns the ranking metrics, those of cohorts, and how uneven the lists are.

        The names are those of `ranking_metrics`, `cohort_recall` and
        `Exposure.figures`; `pairs` is the number of positive pairs.
        """
        return self.examine(program, state).figures

    def examine(self, program: Program, state: State) -> Findings:
        """Returns what `run` does, retrieval frequencies and score histograms."""
        queries = queries_of(program, self.split, self.task)
        corpus, task = program.dataset.corpora[queries.corpus], queries.task
        if not task.positive.any():
            return nothing_to_rank(self.split, self.task)
        query, side = sides_of(corpus, self.tower)
        asked = embed_all(program, state, query, queries.features)
        items = embed_corpus(program, state, side, queries.corpus)
        top_k = max(*self.ks, SHOWN_AT)
        ranks = rank_embeddings(asked, items, task, top_k, program.mesh, ties=self.ties)
        shown = Exposure.of(task.num_items, ranks.top, SHOWN_AT)
        figures = {
            "pairs": float(task.positive.sum()),
            **ranking_metrics(task, ranks, self.ks),
            **shown.figures(SHOWN_AT),
            **cohort_recall(task, ranks.rank, queries.cohorts, self.ks),
        }
        return Findings(figures, shown, score_histograms(asked, items, task))


def sides_of(corpus: Corpus, tower: str) -> tuple[str, str]:
    """Returns the sides of the model that embed queries and items for a tower."""
    end = f"/{tower}" if tower else ""
    return f"query{end}", f"{corpus.side}{end}"


def embed_corpus(program: Program, state: State, side: str, name: str) -> np.ndarray:
    """Embeds a whole corpus [N, D], once for all evaluations of one state.

    Args:
      program: the opened experiment; it keeps the vectors of the newest state.
      state: the trained state.
      side: of the model.
      name: of the corpus.
    """
    kept = program.kept
    if kept.get("state") is not state:
        kept.clear()
        kept["state"] = state
    if (side, name) not in kept:
        features = program.dataset.corpora[name].features
        kept[side, name] = embed_all(program, state, side, features)
    return kept[side, name]


def embed_all(
    program: Program,
    state: State,
    side: str,
    features: Mapping[str, Column],
    rows: np.ndarray | None = None,
    block: int = 1_024,
) -> np.ndarray:
    """Embeds any number of rows, block by block in one compiled shape [N, D].

    Args:
      program: the opened experiment.
      state: the trained state.
      side: of the model, such as "query" or "candidate".
      features: name -> [N, ...]; read block by block.
      rows: positions to embed, and `N` is their number; None for all.
      block: rows at a time.
    """
    size = len(next(iter(features.values())) if rows is None else rows)
    block = -(-min(block, max(size, 1)) // program.mesh.size) * program.mesh.size
    embed, found = program.embedders[side], None
    with set_mesh(program.mesh):
        for start in range(0, size, block):
            some = slice(start, min(start + block, size))
            at = some if rows is None else rows[some]
            count = some.stop - start
            part = {n: _pad(array[at], block - count) for n, array in features.items()}
            vectors = embed(state, put_batch(part, program.mesh))
            whole = jax.device_put(vectors, replicated(program.mesh))
            if found is None:  # The one place that knows the width.
                found = np.empty((size, whole.shape[1]), np.float32)
            found[some] = np.asarray(whole)[:count]
    return np.zeros((0, 0), np.float32) if found is None else found


def _pad(array: np.ndarray, rows: int) -> np.ndarray:
    return np.pad(array, ((0, rows), *((0, 0),) * (array.ndim - 1)))
