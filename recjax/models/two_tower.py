"""Two towers that meet in one space: queries on one side, candidates on the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from recjax import rng
from recjax.errors import UserError
from recjax.features import IdFeature, Sides
from recjax.models.base import RowIds, TableRows, TableSpec
from recjax.nn.tower import Tower
from recjax.outputs import Retrieval
from recjax.typing import Array, Batch, Float, Memory, Params, PRNGKey

SIDES = ("query", "candidate")


@dataclass(frozen=True)
class Table:
    """What an experiment says of an embedding table; its rows follow from the data.

    Attributes:
      width: `D`.
      scale: standard deviation of the starting values.
      from_weight: start from the feature's weights (IDF) instead; width 1.
      from_vectors: start from the feature's vectors instead.
      distinct: see `TableSpec`.
    """

    width: int
    scale: float = 0.05
    from_weight: bool = False
    from_vectors: bool = False
    distinct: int | None = None


@dataclass(frozen=True)
class TwoTower:
    """Query tower, candidate tower, shared tables and one learned temperature.

    Attributes:
      query: tower of the query side.
      candidate: tower of the candidate side.
      tables: name -> table; towers share a table by naming it.
      temperature: starting temperature of the softmax over cosines.
      learn_temperature: whether training moves it.
    """

    query: Tower
    candidate: Tower
    tables: Mapping[str, Table]
    temperature: float = 0.07
    learn_temperature: bool = True

    def tower(self, side: str) -> Tower:
        """Returns the tower of "query" or "candidate"."""
        return {"query": self.query, "candidate": self.candidate}[side]

    def table_specs(self, sides: Sides) -> dict[str, TableSpec]:
        """Returns the tables, each as tall as the largest feature that uses it.

        Raises:
          ValueError: a tower names a table or feature that does not exist.
        """
        tallest: dict[str, IdFeature] = {}
        for side in SIDES:
            for name, module in self.tower(side).uses(train=False).values():
                if name not in sides[side]:
                    raise ValueError(
                        f"the {side} tower wants feature {name!r}, the data has "
                        f"{sorted(sides[side])}"
                    )
                feature = sides[side][name]
                for table in module.row_ids(np.zeros((1, 1), np.int32)):
                    if table not in self.tables:
                        raise ValueError(f"{side}/{name} names no table {table!r}")
                    known = tallest.setdefault(table, feature)
                    tallest[table] = max(known, feature, key=lambda one: one.rows)
        for name in self.tables:
            if name not in tallest:
                raise ValueError(f"no tower uses table {name!r}; remove it")
        return {
            name: TableSpec(
                tallest[name].rows,
                table.width,
                partial(_start, table=table, feature=tallest[name], name=name),
                table.distinct,
            )
            for name, table in self.tables.items()
        }

    def rows(self, batch: Batch) -> RowIds:
        """Names the rows of queries, positives and negatives."""
        named: dict[str, dict[str, Array]] = {}
        for side, features in (
            ("query", batch["query"]),
            ("candidate", _candidates(batch)),
        ):
            for table, uses in self._side_rows(side, features, True).items():
                named.setdefault(table, {}).update(uses)
        return named

    def side_rows(self, side: str, features: Batch) -> RowIds:
        """Names the rows that the features of one side need, the fixed part's too."""
        return self._side_rows(side, features, False)

    def _side_rows(self, side: str, features: Batch, train: bool) -> RowIds:
        named: dict[str, dict[str, Array]] = {}
        for use, (name, module) in self.tower(side).uses(train).items():
            for table, ids in module.row_ids(features[name]).items():
                named.setdefault(table, {})[f"{side}/{use}"] = ids
        return named

    def init(
        self, key: PRNGKey, rows: Mapping[str, TableRows], batch: Batch
    ) -> tuple[Params, Memory]:
        """Returns the dense parameters; there is no memory."""
        params = {}
        for side, features in (
            ("query", batch["query"]),
            ("candidate", _candidates(batch)),
        ):
            tower = self.tower(side)
            taken = _taken(tower, side, rows, train=True)
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
            {"params": params[side]},
            features,
            _taken(tower, side, rows, train=key is not None),
            train=key is not None,
            rngs=rngs,
        )


def _candidates(batch: Batch) -> Batch:
    """Puts positives and negatives one after the other: one pass of the tower."""
    together = partial(jnp.concatenate, axis=0)
    return jax.tree.map(
        lambda *parts: together(parts), batch["positive"], batch["negative"]
    )


def _taken(
    tower: Tower, side: str, rows: Mapping[str, TableRows], train: bool
) -> dict[str, dict[str, tuple[Array, Array]]]:
    taken: dict[str, dict[str, tuple[Array, Array]]] = {}
    for use in tower.uses(train):
        taken[use] = {
            table: (got.values, got.index[f"{side}/{use}"])
            for table, got in rows.items()
            if f"{side}/{use}" in got.index
        }
    return taken


def _start(
    key: PRNGKey, shape: tuple[int, int], table: Table, feature: IdFeature, name: str
) -> Array:
    if table.from_weight:
        given = None if feature.weight is None else feature.weight[:, None]
    elif table.from_vectors:
        given = feature.vectors
    else:
        return table.scale * jax.random.normal(key, shape)
    if given is None or given.shape != shape:
        found = "nothing" if given is None else list(given.shape)
        raise UserError(
            f"table {name!r} starts from what the data knows of its ids: wanted "
            f"{list(shape)}, the feature gives {found}"
        )
    return jnp.asarray(given)
