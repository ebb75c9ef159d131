"""Two towers that meet in one space: queries on one side, candidates on the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp

from recjax import rng
from recjax.features import Sides
from recjax.models import tables
from recjax.models.base import RowIds, TableRows, TableSpec
from recjax.models.tables import Table
from recjax.nn.tower import Tower
from recjax.outputs import Retrieval
from recjax.typing import Array, Batch, Float, Memory, Params, PRNGKey

SIDES = ("query", "candidate")


@dataclass(frozen=True)
class TwoTower:
    """Query tower, candidate tower, shared tables and one learned temperature.

    Attributes:
      query: tower of the query side.
      candidate: tower of the candidate side; None: the query's embeds both, with the
        same parameters.
      tables: name -> table; towers share a table by naming it.
      temperature: starting temperature of the softmax over cosines.
      learn_temperature: whether training moves it.
    """

    query: Tower
    candidate: Tower | None
    tables: Mapping[str, Table]
    temperature: float = 0.07
    learn_temperature: bool = True

    def tower(self, side: str) -> Tower:
        """Returns the tower of "query" or "candidate"."""
        towers = {"query": self.query, "candidate": self.candidate or self.query}
        return towers[side]

    def table_specs(self, sides: Sides) -> dict[str, TableSpec]:
        """Returns the tables, each as tall as the largest feature that uses it.

        Raises:
          ValueError: a tower names a table or feature that does not exist.
        """
        users = ((side, self.tower(side), sides[side]) for side in SIDES)
        return tables.specs(self.tables, users)

    def rows(self, batch: Batch) -> RowIds:
        """Names the rows of queries, positives and negatives."""
        named: dict[str, dict[str, Array]] = {}
        for side, features in (
            ("query", batch["query"]),
            ("candidate", _candidates(batch)),
        ):
            tower = self.tower(side)
            for table, uses in tables.row_ids(tower, side, features, True).items():
                named.setdefault(table, {}).update(uses)
        return named

    def side_rows(self, side: str, features: Batch) -> RowIds:
        """Names the rows that the features of one side need, the fixed part's too."""
        return tables.row_ids(self.tower(side), side, features, train=False)

    def init(
        self, key: PRNGKey, rows: Mapping[str, TableRows], batch: Batch
    ) -> tuple[Params, Memory]:
        """Returns the dense parameters; there is no memory."""
        params = {}
        for side, features in (
            ("query", batch["query"]),
            ("candidate", _candidates(batch)),
        ):
            if self._held(side) in params:
                continue
            tower = self.tower(side)
            taken = tables.taken(tower, side, rows, train=True)
            keys = {"params": rng.stream(key, side), "dropout": key}
            variables = tower.init(keys, features, taken, train=True)
            params[side] = variables.get("params", {})
        if self.learn_temperature:
            params["log_scale"] = jnp.log(jnp.float32(1 / self.temperature))
        return params, {}

    def apply(
        self,
        params: Params,
        rows: Mapping[str, TableRows],
        batch: Batch,
        memory: Memory,
        key: PRNGKey,
    ) -> tuple[Retrieval, Memory]:
        """Embeds the queries, the positives and the negatives of a batch."""
        query = self._embed(params, rows, "query", batch["query"], key)
        candidates = self._embed(params, rows, "candidate", _candidates(batch), key)
        pairs = query.shape[0]
        log_scale = params.get("log_scale", jnp.log(1 / self.temperature))
        outputs = Retrieval(
            query=query,
            positive=candidates[:pairs],
            negative=candidates[pairs:],
            # Radford et al. 2021 (CLIP): beyond 100 the logits only overflow.
            scale=jnp.exp(jnp.minimum(log_scale, jnp.log(100.0))),
            query_id=batch["query_id"],
            positive_id=batch["positive_id"],
            negative_id=batch["negative_id"],
            positive_logq=batch["positive_logq"],
            negative_logq=batch["negative_logq"],
            positive_draw_logq=batch["positive_draw_logq"],
            negative_draw_logq=batch["negative_draw_logq"],
            weight=batch["weight"],
        )
        return outputs, memory

    def embed(
        self,
        params: Params,
        rows: Mapping[str, TableRows],
        side: str,
        features: Batch,
    ) -> Float[Array, "B D"]:
        """Embeds the features of one side, without randomness."""
        return self._embed(params, rows, side, features, None)

    def _held(self, side: str) -> str:
        """Returns the name that a side's parameters stand under."""
        return "query" if self.candidate is None else side

    def _embed(
        self,
        params: Params,
        rows: Mapping[str, TableRows],
        side: str,
        features: Batch,
        key: PRNGKey | None,
    ) -> Float[Array, "B D"]:
        tower = self.tower(side)
        rngs = {} if key is None else {"dropout": rng.stream(key, side)}
        return tower.apply(
            {"params": params[self._held(side)]},
            features,
            tables.taken(tower, side, rows, train=key is not None),
            train=key is not None,
            rngs=rngs,
        )


def _candidates(batch: Batch) -> Batch:
    """Puts positives and negatives one after the other: one pass of the tower."""
    together = partial(jnp.concatenate, axis=0)
    return jax.tree.map(
        lambda *parts: together(parts), batch["positive"], batch["negative"]
    )
