"""A trained model's scores: of corpora by embeddings, of sessions as it streams."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import set_mesh

from recjax.data.dataset import Corpus, HasSessions, Queries
from recjax.data.sessions.packing import PAD
from recjax.data.sessions.pair_features import SessionPairs
from recjax.errors import UserError
from recjax.evals.embed import embed_all, embed_corpus
from recjax.evals.exact import rank_embeddings
from recjax.evals.scorer import Scores, ScoresOf, rank_scores
from recjax.metrics.ranks import Ranks, Ties
from recjax.metrics.task import RankingTask
from recjax.models.session_model import SessionModel
from recjax.sharding.placement import fetch, put_batch
from recjax.train import state as states
from recjax.train.program import Program
from recjax.train.state import State


@dataclass(frozen=True)
class Embeddings:
    """Scores that are dot products.

    Attributes:
      queries: f32[Q, D].
      items: f32[N, D].
    """

    queries: np.ndarray
    items: np.ndarray

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns f32[stop - start, N]."""
        return self.queries[start:stop] @ self.items.T


@dataclass(frozen=True)
class SessionScores:
    """Dot products of queries and items, and weighed features of pairs.

    Attributes:
      queries: f32[Q, D + F]; the last F weigh the features.
      items: f32[N, D].
      event: which event each query asks for i64[Q].
      pairs: the features.
    """

    queries: np.ndarray
    items: np.ndarray
    event: np.ndarray
    pairs: SessionPairs

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns f32[stop - start, N]."""
        queries, width = self.queries[start:stop], self.items.shape[1]
        scores = queries[:, :width] @ self.items.T
        for number, feature in enumerate(self.pairs.at(self.event[start:stop]), width):
            row = np.repeat(np.arange(len(scores)), np.diff(feature.indptr))
            # No item comes twice in a row, so += adds each.
            scores[row, feature.indices] += queries[row, number] * feature.data
        return scores


def rank_all(
    task: RankingTask,
    scores: Embeddings | Scores,
    top_k: int,
    program: Program,
    ties: Ties = "average",
    ranked: int | None = None,
) -> Ranks:
    """Returns the ranks of judged items: on the devices where scores are embeddings'.

    Args: see `rank_embeddings` and `rank_scores`.
    """
    if isinstance(scores, Embeddings):
        both = scores.queries, scores.items
        how = top_k, program.mesh
        return rank_embeddings(*both, task, *how, ties=ties, ranked=ranked)
    return rank_scores(task, scores, top_k, ties=ties, ranked=ranked)


def model_scores(
    program: Program,
    state: State,
    queries: Queries,
    tower: str = "",
    rows: np.ndarray | None = None,
) -> Embeddings | Scores:
    """Returns how the model scores the corpus for queries.

    Args:
      program: the opened experiment.
      state: the trained state.
      queries: the queries.
      tower: part of the model that embeds: "" for its towers, "x" for its sides
        "query/x" and "SIDE/x" (SIDE is that of the corpus).
      rows: items that are scored; None for all.
    """
    data: Any = program.dataset
    corpus: Corpus = data.corpora[queries.corpus]
    query, side = (f"{one}/{tower}" if tower else one for one in ("query", corpus.side))
    if isinstance(data, HasSessions):
        items, event = embed_corpus(program, state, side, "item"), queries.past.stop
        asked = user_vectors(program, state, event)
        scores = SessionScores(asked, items, event, data.pairs)
        return scores if rows is None else ScoresOf(scores, rows)
    asked = embed_all(program, state, query, queries.features)
    if rows is not None:
        return Embeddings(asked, embed_all(program, state, side, corpus.features, rows))
    return Embeddings(asked, embed_corpus(program, state, side, queries.corpus))


def session_data(program: Program) -> HasSessions:
    """Returns the program's data.

    Raises:
      UserError: it is not made of sessions.
    """
    if not isinstance(program.dataset, HasSessions):
        raise UserError("this evaluation needs sessions; this data has none")
    return program.dataset


def user_vectors(program: Program, state: State, event: np.ndarray) -> np.ndarray:
    """Returns the query before each of some events, f32[Q, D + F], as a model streams.

    Args:
      program: the opened experiment, of sessions.
      state: the trained state.
      event: places in the log of events i64[Q], rising.

    Raises:
      UserError: the data is not made of sessions, or the model is of another kind.
    """
    data, model, mesh = session_data(program), program.experiment.model, program.mesh
    if not isinstance(model, SessionModel):
        kind = type(model).__name__
        raise UserError(f"{kind} does not stream over sessions: take a SessionModel")
    specs = model.table_specs(data.sides)
    # The memory stays where it is, or the second step would be compiled anew.
    where = jax.tree.map(lambda one: one.sharding, state.memory)

    @partial(jax.jit, out_shardings=(None, where))
    def step(params, tables, batch, memory):
        ids = model.event_rows(batch)
        rows, _, _ = states.gather(tables, ids, specs, mesh, capped=False)
        return model.users(params, model.read(params, rows, batch), batch, memory)

    plan, out = data.stream(event), None
    place = np.zeros(len(data.log), int)
    place[event] = np.arange(len(event)) + 1
    blank = partial(jax.tree.map, jnp.zeros_like)
    memory = jax.jit(blank, out_shardings=where)(state.memory)
    with set_mesh(mesh):
        for number in range(plan.steps):
            grid = plan.grid(number)
            batch = put_batch(data.packed_arrays(grid), mesh, parts=1)
            vectors, memory = step(state.params, state.tables, batch, memory)
            wanted = np.where(grid.event != PAD, place[grid.event], 0)
            if wanted.any():
                got = fetch(vectors, mesh)
                if out is None:
                    out = np.zeros((len(event), got.shape[-1]), np.float32)
                out[wanted[wanted > 0] - 1] = got[wanted > 0]
    return np.zeros((0, 0), np.float32) if out is None else out
