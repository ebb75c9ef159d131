"""One query embedding for several kinds of candidates (OmniSearchSage, WWW 2024)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import jax.numpy as jnp

from recjax import rng
from recjax.execution import in_parts
from recjax.features import DenseFeature, Sides, present, unread
from recjax.models import groups, tables
from recjax.models.base import RowIds, TableRows, TableSpec
from recjax.models.pair_counts import PairCounts
from recjax.models.tables import Table
from recjax.nn.mlp import unit
from recjax.nn.tower import Tower
from recjax.nn.vectors import masked_mean
from recjax.outputs import Retrieval
from recjax.typing import Array, Batch, Float, Memory, Params, PRNGKey

QUERY = "query"
LEGACY = "/legacy"
PARTS = ("positive", "negative")


@dataclass(frozen=True)
class OmniSearch:
    """Query tower and candidate towers, trained on pairs of all kinds at once.

    A batch holds, for each kind of candidate, its pairs: features of the queries, of
    the positives and of random negatives. Each tower embeds what it has to in one pass.
    The outputs of kind "pin" are named "pin", those against frozen vectors
    "pin/legacy".

    Attributes:
      towers: name -> tower; "query" embeds all queries.
      tower_of: kind of candidate -> its tower; "query" for candidates that are queries.
      tables: name -> table; towers share a table by naming it.
      legacy: kind -> feature with the frozen vectors that the leading dimensions of
        the query embedding stay compatible with (section 3.4 of arXiv 2404.16260).
      legacy_width: of these vectors.
      counts: how logQ is counted; None takes it from the batch.
      temperature: starting temperature of the softmax over cosines.
      learn_temperature: whether training moves it.
    """

    towers: Mapping[str, Tower]
    tower_of: Mapping[str, str]
    tables: Mapping[str, Table]
    legacy: Mapping[str, str] = field(default_factory=dict)
    legacy_width: int = 256
    counts: PairCounts | None = None
    temperature: float = 0.07
    learn_temperature: bool = True

    _groups: ClassVar[int | None] = None
    """Groups in which a pass holds its parts in turns: see `groups.join`."""

    def table_specs(self, sides: Sides) -> dict[str, TableSpec]:
        """Returns the tables, each as tall as the largest feature that uses it.

        Raises:
          ValueError: a kind has no tower, embeddings or frozen vectors have other
            widths, or a tower names a table or feature that does not exist.
        """
        for kind in sides:
            if kind not in self._tower_of:
                raise ValueError(f"model.tower_of says nothing of {kind!r}")
            frozen = sides[kind].get(self.legacy.get(kind, ""))
            if kind in self.legacy and frozen != DenseFeature(self.legacy_width):
                raise ValueError(
                    f"model.legacy: {kind!r} has {self.legacy[kind]!r} of "
                    f"{frozen or 'no width'}; model.legacy_width = {self.legacy_width}"
                )
        for kind, other in itertools.combinations(sides, 2):
            named = unread({**sides[kind], **sides[other]}, ())
            if named and self._tower_of[kind] == self._tower_of[other]:
                raise ValueError(
                    f"{kind!r} and {other!r} share a tower, and data.columns names "
                    f"{', '.join(map(repr, named))}, whose rows are each kind's own: "
                    "give each a tower of its own"
                )
        users = ((kind, self._tower(kind), sides[kind]) for kind in sides)
        found = tables.specs(self.tables, users)
        widths = {k: tables.embedding_width(self._tower(k), self.tables) for k in sides}
        if len({width for width in widths.values() if width is not None}) > 1:
            raise ValueError(
                f"embeddings that are compared have other widths: {widths}; make the "
                "towers' width alike, and that of the tables of their frozen_inputs"
            )
        return found

    def rows(self, batch: Batch) -> RowIds:
        """Names the rows of all passes."""
        named: dict[str, dict[str, Array]] = {}
        for name, parts in self._passes(batch).items():
            tower, features = self.towers[name], self._features(batch, parts)
            for table, uses in tables.row_ids(tower, name, features, True).items():
                named.setdefault(table, {}).update(uses)
        return named

    def init(
        self, key: PRNGKey, rows: Mapping[str, TableRows], batch: Batch
    ) -> tuple[Params, Memory]:
        """Returns the dense parameters and empty counts."""
        params = {}
        for name, parts in self._passes(batch).items():
            tower = self.towers[name]
            taken = tables.taken(tower, name, rows, train=True)
            keys = {"params": rng.stream(key, name), "dropout": key}
            features = self._features(batch, parts)
            with _named(name):
                variables = tower.init(keys, features, taken, train=True)
            params[name] = variables.get("params", {})
        if self.learn_temperature:
            params["log_scale"] = jnp.log(jnp.float32(1 / self.temperature))
        if self.counts is None:
            return params, {}
        return params, {"counts": {kind: self.counts.empty() for kind in batch}}

    def apply(
        self,
        params: Params,
        rows: Mapping[str, TableRows],
        batch: Batch,
        memory: Memory,
        key: PRNGKey,
    ) -> tuple[dict[str, Retrieval], Memory]:
        """Embeds a batch; returns kind -> outputs, and the new counts."""
        vectors = {}
        for name, parts in self._passes(batch).items():
            features = self._features(batch, parts)
            whole = self._embed(params, rows, name, features, key)
            sizes = [_size(batch[kind][part]) for kind, part in parts]
            vectors |= dict(
                zip(parts, groups.part(whole, sizes, self._groups), strict=True)
            )
        log_scale = params.get("log_scale", jnp.log(1 / self.temperature))
        # Radford et al. 2021 (CLIP): beyond 100 the logits only overflow.
        scale = jnp.exp(jnp.minimum(log_scale, jnp.log(100.0)))
        outputs, counted = {}, {}
        for kind, pairs in batch.items():
            got = Retrieval(
                query=vectors[kind, "query"],
                positive=vectors[kind, "positive"],
                negative=vectors[kind, "negative"],
                scale=scale,
                **{name: pairs[name] for name in _GIVEN if name in pairs},
            )
            if self.counts is not None:
                counts = memory["counts"][kind]
                counts = self.counts.add(counts, got.query_id, got.positive_id)
                counted[kind] = counts
                got = self.counts.correct(counts, got)
            outputs[kind] = got
            if kind in self.legacy:
                outputs[kind + LEGACY] = self._against_legacy(kind, got, pairs)
        return outputs, {"counts": counted} if counted else {}

    def side_rows(self, side: str, features: Batch) -> RowIds:
        """Names the rows that the features of one side need."""
        kind, legacy = side.removesuffix(LEGACY), side.endswith(LEGACY)
        if legacy and kind != QUERY:
            return {}
        name = self._tower_of[kind]
        return tables.row_ids(self.towers[name], name, features, train=False)

    def embed(
        self,
        params: Params,
        rows: Mapping[str, TableRows],
        side: str,
        features: Batch,
    ) -> Float[Array, "B D"]:
        """Embeds the features of one side, without randomness.

        Args:
          params: dense parameters.
          rows: of the tables, as `side_rows` names them.
          side: "query" or a kind of candidate; with "/legacy" behind it the leading
            dimensions of the query, and the frozen vectors of candidates.
          features: of that side.
        """
        kind, legacy = side.removesuffix(LEGACY), side.endswith(LEGACY)
        if legacy and kind != QUERY:
            return self._frozen(kind, features)
        found = self._embed(params, rows, self._tower_of[kind], features, None)
        return self._leading(found) if legacy else found

    @property
    def _tower_of(self) -> Mapping[str, str]:
        return {**self.tower_of, QUERY: QUERY}

    def _tower(self, kind: str) -> Tower:
        return self.towers[self._tower_of[kind]]

    def _passes(self, batch: Batch) -> dict[str, list[tuple[str, str]]]:
        """Returns tower -> (kind, part) of the batch that it embeds, in order."""
        passes = {QUERY: [(kind, "query") for kind in batch]}
        for kind in batch:
            own = passes.setdefault(self._tower_of[kind], [])
            own.extend((kind, part) for part in PARTS)
        return passes

    def _features(self, batch: Batch, parts: list[tuple[str, str]]) -> Batch:
        features = [batch[kind][part] for kind, part in parts]
        return groups.join(features, self._groups)

    def _embed(
        self,
        params: Params,
        rows: Mapping[str, TableRows],
        name: str,
        features: Batch,
        key: PRNGKey | None,
    ) -> Float[Array, "B D"]:
        train, tower = key is not None, self.towers[name]
        taken = tables.taken(tower, name, rows, train)
        values = {u: {t: v for t, (v, _) in of.items()} for u, of in taken.items()}
        index = {u: {t: i for t, (_, i) in of.items()} for u, of in taken.items()}

        def embed(given: Any, key: PRNGKey | None) -> Any:
            features, index = given
            rngs = {} if key is None else {"dropout": key}
            rows = {
                u: {t: (v, index[u][t]) for t, v in of.items()}
                for u, of in values.items()
            }
            return tower.apply(
                {"params": params[name]}, features, rows, train=train, rngs=rngs
            )

        with _named(name):
            own = None if key is None else rng.stream(key, name)
            return in_parts(embed, (features, index), own)

    def _against_legacy(self, kind: str, got: Retrieval, pairs: Batch) -> Retrieval:
        there = present(self.legacy[kind])
        known = partial(jnp.any, axis=1)
        return replace(
            got,
            query=self._leading(got.query),
            positive=self._frozen(kind, pairs["positive"]),
            negative=self._frozen(kind, pairs["negative"]),
            # Where there is no frozen vector, there is nothing to compare with.
            weight=jnp.where(known(pairs["positive"][there]), got.weight, 0),
            negative_id=jnp.where(known(pairs["negative"][there]), got.negative_id, -1),
        )

    def _frozen(self, kind: str, features: Batch) -> Float[Array, "B D"]:
        name = self.legacy[kind]
        return unit(masked_mean(features[name], features[present(name)]))

    def _leading(self, query: Float[Array, "B D"]) -> Float[Array, "B W"]:
        return unit(query[:, : self.legacy_width])


_GIVEN = (
    *("query_id", "positive_id", "negative_id", "weight"),
    *("positive_logq", "negative_logq", "positive_draw_logq", "negative_draw_logq"),
    *("given_query_logq", "known_id"),
)
"""What a batch says of its pairs, as `Retrieval` names it."""


@contextmanager
def _named(tower: str) -> Iterator[None]:
    """Says which tower does not fit."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"the {tower} tower: {error}") from error


def _size(features: Batch) -> int:
    return len(next(iter(features.values())))
