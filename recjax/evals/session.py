"""Ranking of all items before every event of a split, by a session model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import set_mesh

from recjax.data.sessions.packing import PAD
from recjax.data.sessions.pair_features import SessionPairs
from recjax.evals.baselines.session_baselines import session_data, targets_of
from recjax.evals.corpus import embed_all
from recjax.evals.session_metrics import Targets, rank_targets, session_metrics
from recjax.sharding.placement import put_batch
from recjax.train import state as states
from recjax.train.program import Program
from recjax.train.state import State


@dataclass(frozen=True)
class SessionRanking:
    """Ranks all items for every event of a split; earlier events are visible.

    Attributes:
      split: "validation" or "test".
      every: steps between evaluations in training; 0 for the end alone.
      nth: ranks for every nth user only, to choose settings at less cost.
    """

    split: str = "test"
    every: int = 0
    nth: int = 1
    trained = True

    def run(self, program: Program, state: State | None) -> Mapping[str, float]:
        """Returns the metrics."""
        targets = targets_of(session_data(program), self.split, self.nth)
        return session_metrics(targets, self.ranks(program, state, targets))

    def ranks(self, program: Program, state: State, targets: Targets) -> np.ndarray:
        """Returns the rank of every target, ties averaged, f64[Q]."""
        queries = user_vectors(program, state, self.split, targets, self.nth)
        items = session_data(program).corpora["item"].features
        corpus = embed_all(program, state, "candidate", items)
        pairs = session_data(program).pairs
        return rank_targets(targets, _Scores(queries, corpus, targets.event, pairs))


@dataclass(frozen=True)
class _Scores:
    """Dot products of queries [Q, D + F] and items [N, D], and features of pairs."""

    queries: np.ndarray
    corpus: np.ndarray
    event: np.ndarray
    pairs: SessionPairs

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns f32[stop - start, N]."""
        queries, width = self.queries[start:stop], self.corpus.shape[1]
        scores = queries[:, :width] @ self.corpus.T
        for number, feature in enumerate(self.pairs.at(self.event[start:stop]), width):
            row = np.repeat(np.arange(len(scores)), np.diff(feature.indptr))
            # No item comes twice in a row, so += adds each.
            scores[row, feature.indices] += queries[row, number] * feature.data
        return scores


def user_vectors(
    program: Program, state: State, split: str, targets: Targets, nth: int = 1
) -> np.ndarray:
    """Returns the query before each target, f32[Q, D], streaming its users' events."""
    data, model, mesh = session_data(program), program.experiment.model, program.mesh
    specs = model.table_specs(data.sides)

    @jax.jit
    def step(params, tables, batch, memory):
        ids = model.event_rows(batch)
        rows, _, _ = states.gather(tables, ids, specs, mesh, capped=False)
        return model.users(params, model.events(rows, batch), batch, memory)

    plan, out = data.stream(split, nth), None
    place = np.zeros(len(data.sessions.item), int)
    place[targets.event] = np.arange(len(targets.event)) + 1
    memory = jax.tree.map(jnp.zeros_like, state.memory)
    with set_mesh(mesh):
        for number in range(plan.steps):
            grid = plan.grid(number)
            batch = put_batch(data.lane_arrays(grid), mesh)
            vectors, memory = step(state.params, state.tables, batch, memory)
            wanted = np.where(grid.event != PAD, place[grid.event], 0)
            if wanted.any():
                got = np.asarray(vectors)
                if out is None:
                    out = np.zeros((len(targets.event), got.shape[-1]), np.float32)
                out[wanted[wanted > 0] - 1] = got[wanted > 0]
    return out
