"""Exact ranking of the whole corpus by the model's embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import numpy as np
from jax.sharding import set_mesh

from recjax.data.dataset import Column, Queries
from recjax.evals.base import KS, queries_of
from recjax.evals.exact import rank_embeddings
from recjax.metrics.ranking import ranking_metrics
from recjax.metrics.task import Ranks
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
      every: steps between evaluations in training; 0 for the end alone.
    """

    split: str = "test"
    task: str = ""
    tower: str = ""
    ks: tuple[int, ...] = KS
    every: int = 0
    trained = True

    def run(self, program: Program, state: State | None) -> Mapping[str, float]:
        """Returns the ranking metrics."""
        queries = queries_of(program, self.split, self.task)
        return ranking_metrics(
            queries.task, self.ranks(program, state, queries), self.ks
        )

    def ranks(self, program: Program, state: State, queries: Queries) -> Ranks:
        """Returns the rank of every judged item."""
        corpus, end = program.dataset.corpora[queries.corpus], ""
        if self.tower:
            end = f"/{self.tower}"
        return rank_embeddings(
            embed_all(program, state, f"query{end}", queries.features),
            embed_all(program, state, f"{corpus.side}{end}", corpus.features),
            queries.task,
            max(self.ks),
            program.mesh,
        )


def embed_all(
    program: Program,
    state: State,
    side: str,
    features: Mapping[str, Column],
    block: int = 1_024,
) -> np.ndarray:
    """Embeds any number of rows, block by block in one compiled shape [N, D].

    Args:
      program: the opened experiment.
      state: the trained state.
      side: of the model, such as "query" or "candidate".
      features: name -> [N, ...]; read block by block.
      block: rows at a time.
    """
    size = len(next(iter(features.values())))
    block = -(-min(block, max(size, 1)) // program.mesh.size) * program.mesh.size
    embed, out = program.embedders[side], []
    with set_mesh(program.mesh):
        for start in range(0, size, block):
            part = {
                name: array[start : start + block] for name, array in features.items()
            }
            rows = len(next(iter(part.values())))
            padded = jax.tree.map(lambda a, n=block - rows: _pad(a, n), part)
            vectors = embed(state, put_batch(padded, program.mesh))
            whole = jax.device_put(vectors, replicated(program.mesh))
            out.append(np.asarray(whole)[:rows])
    return np.concatenate(out).astype(np.float32)


def _pad(array: np.ndarray, rows: int) -> np.ndarray:
    return np.pad(array, ((0, rows), *((0, 0),) * (array.ndim - 1)))
