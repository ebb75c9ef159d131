"""A session model: an encoder over rows of events, and scores of items by it.

HierTCN and its rivals differ in the encoder alone (`recjax.nn.hier`, `recjax.nn.flat`);
items, losses, memory, evaluation and serving are the same for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from recjax import rng
from recjax.features import DenseFeature, IdFeature, Sides, of_kind
from recjax.models.base import RowIds, TableRows, TableSpec
from recjax.nn.session import Encoder, Row
from recjax.outputs import ItemScores
from recjax.typing import Array, Batch, Float, Int, Memory, Params, PRNGKey

ITEM, TARGET, BIAS = "item", "target", "bias"
SHOWN = "impressions_vector"
FIXED = {"own": "item_vector", "drawn": "negative_vector", "shown": SHOWN}
"""Use of an item's vector -> where a batch carries it, if it is not learned."""
PAIR = "pair"
EPS = 1e-12
PAIR_START = 0.1
"""What a feature of a pair counts before training."""


@dataclass(frozen=True)
class SessionModel:
    """Scores `scale * <item, user> + bias` from an encoder of sessions.

    Items are learned, a row of a table each, unless the data gives them fixed vectors.

    Attributes:
      encoder: row of events -> user vectors; its `width` is that of item vectors.
      width: `D`.
      tied: items are read and scored by the same vectors, as in the paper; else by two
        tables, as in the authors' code on one-hot items.
      bias: items have a bias: how popular they are.
      cosine: vectors are scaled to length 1 before they meet.
      scale: factor of the scores; with `cosine`, an inverse temperature.
      vectors_dropout: rate on the vectors of items that are scored.
      start: standard deviation of the starting values of tables.
    """

    encoder: Encoder
    width: int
    tied: bool = True
    bias: bool = True
    cosine: bool = False
    scale: float = 1.0
    vectors_dropout: float = 0.0
    start: float = 0.05

    @property
    def scored(self) -> str:
        """Name of the table of the vectors that are scored."""
        return ITEM if self.tied else TARGET

    def table_specs(self, sides: Sides) -> dict[str, TableSpec]:
        """Returns the tables, a row an item; row 0 is none.

        Raises:
          ValueError: the encoder's vectors have another width, or fixed ones, which
            are read and scored by the same.
        """
        if self.encoder.width != self.width:
            raise ValueError(
                f"the encoder gives vectors of {self.encoder.width}, items have "
                f"{self.width}: set model.width and model.encoder.width alike"
            )
        items = sides["candidate"]
        rows = of_kind(items, "item", IdFeature).rows
        normal = partial(_normal, scale=self.start)
        fixed = of_kind(items, "vector", DenseFeature) if "vector" in items else None
        if fixed is not None and (fixed.width != self.width or not self.tied):
            raise ValueError(
                f"items have fixed vectors of {fixed.width}, the model has width "
                f"{self.width} and tied={self.tied}: set model.width and "
                f"model.encoder.width to {fixed.width}, and model.tied to true"
            )
        specs = {}
        if fixed is None:
            specs[ITEM] = TableSpec(rows, self.width, normal)
        if not self.tied:
            specs[TARGET] = TableSpec(rows, self.width, normal)
        if self.bias:
            specs[BIAS] = TableSpec(rows, 1, lambda key, shape: jnp.zeros(shape))
        return specs

    def rows(self, batch: Batch) -> RowIds:
        """Names the rows of events, of drawn items and of items shown."""
        scored = {"own": batch["item"], "drawn": batch["negative_id"] + 1}
        if "impressions" in batch:
            scored["shown"] = batch["impressions"]
        named = dict(self.event_rows(batch))
        if named and self.tied:
            named[ITEM] = {**named[ITEM], **scored}
        elif not self.tied:
            named[TARGET] = scored
        if self.bias:
            named[BIAS] = scored
        return named

    def event_rows(self, batch: Batch) -> RowIds:
        """Names the rows of events alone: all that `events` needs."""
        return {} if FIXED["own"] in batch else {ITEM: {"event": batch["item"]}}

    def events(
        self, rows: Mapping[str, TableRows], batch: Batch
    ) -> Float[Array, "B L D"]:
        """Returns the vector of each event's item."""
        if ITEM not in rows:
            return batch[FIXED["own"]]
        return rows[ITEM].values[rows[ITEM].index["event"]]

    def init(
        self, key: PRNGKey, rows: Mapping[str, TableRows], batch: Batch
    ) -> tuple[Params, Memory]:
        """Returns the encoder's parameters, and the memory of rows that met nobody."""
        del rows
        memory = self.encoder.start(batch["item"].shape[0], self.width)
        row = Row.of(batch, jnp.zeros((*batch["item"].shape, self.width)))
        variables = self.encoder.init({"params": key}, row, memory, False)
        params = {"encoder": variables["params"]}
        if "pair_own" in batch:
            size = batch["pair_own"].shape[-1]
            kernel = jnp.zeros((self.width, size))
            params[PAIR] = {"kernel": kernel, "bias": jnp.full(size, PAIR_START)}
        return params, memory

    def apply(
        self,
        params: Params,
        rows: Mapping[str, TableRows],
        batch: Batch,
        memory: Memory,
        key: PRNGKey,
    ) -> tuple[ItemScores, Memory]:
        """Returns the scores of what follows and of other items, and the new memory."""
        events = self.events(rows, batch)
        rngs = {"dropout": rng.stream(key, "encoder")}
        user, memory = self._users(params, batch, events, memory, rngs)
        user = user.reshape(-1, self.width)
        own, own_bias = self._scored(rows, batch, "own", key)
        own = own.reshape(user.shape)
        drawn, drawn_bias = self._scored(rows, batch, "drawn", key)
        own_scores = jnp.sum(user * own, -1) * self.scale + own_bias.reshape(-1)
        drawn_scores = user @ drawn.T * self.scale + drawn_bias
        if PAIR in params:
            weights = _pair_weights(params, user)
            features = batch["pair_own"].reshape(weights.shape)
            own_scores += jnp.sum(weights * features, -1)
            drawn_scores = _with_pairs(drawn_scores, weights, batch)
        shown, shown_scores = self._shown(user, rows, batch, key)
        outputs = ItemScores(
            own=own_scores,
            drawn=drawn_scores,
            shown=shown_scores,
            distance=jnp.sum((user - own) ** 2, -1),
            own_id=batch["item"].reshape(-1) - 1,
            drawn_id=batch["negative_id"],
            shown_there=shown > 0,
            own_draw_logq=batch["positive_draw_logq"].reshape(-1),
            drawn_draw_logq=batch["negative_draw_logq"],
            weight=batch["weight"].reshape(-1),
        )
        # The state goes on, its gradient does not: BPTT is cut where rows are.
        return outputs, jax.lax.stop_gradient(memory)

    def users(
        self,
        params: Params,
        events: Float[Array, "B L D"],
        batch: Batch,
        memory: Memory,
    ) -> tuple[Float[Array, "B L E"], Memory]:
        """Returns the query before each event, no randomness, and the memory after.

        A query meets `embed(..., "candidate", ...)` by dot product; the numbers beyond
        those, if any, meet the features of pairs.

        Args:
          params: dense parameters.
          events: vectors of items, one an event.
          batch: what `packed_arrays` returns.
          memory: before the rows.
        """
        user, memory = self._users(params, batch, events, memory, None)
        parts = [user * self.scale, jnp.ones((*user.shape[:-1], int(self.bias)))]
        if PAIR in params:
            parts.append(_pair_weights(params, user))
        return jnp.concatenate(parts, -1), memory

    def side_rows(self, side: str, features: Batch) -> RowIds:
        """Names the rows of candidates.

        Raises:
          ValueError: a query; users have states, not features: see `users`.
        """
        if side != "candidate":
            raise ValueError("a session model embeds no queries: stream their events")
        tables = [BIAS] if self.bias else []
        if "vector" not in features:
            tables.append(self.scored)
        return {table: {"item": features["item"]} for table in tables}

    def embed(
        self, params: Params, rows: Mapping[str, TableRows], side: str, features: Batch
    ) -> Float[Array, "B D"]:
        """Returns vectors of items, the bias in the last number."""
        del params, side
        if "vector" in features:
            vectors = self._item(features["vector"])
        else:
            found = rows[self.scored]
            vectors = self._item(found.values[found.index["item"][:, 0]])
        if not self.bias:
            return vectors
        bias = rows[BIAS].values[rows[BIAS].index["item"][:, 0]]
        return jnp.concatenate([vectors, bias], -1)

    def _scored(
        self, rows: Mapping[str, TableRows], batch: Batch, use: str, key: PRNGKey
    ) -> tuple[Array, Array]:
        """Returns vectors and biases of items that are scored in training."""
        if FIXED[use] in batch:
            found = self._item(batch[FIXED[use]])
        else:
            table = rows[self.scored]
            found = self._item(table.values[table.index[use]])
        drop = nn.Dropout(self.vectors_dropout, deterministic=False)
        found: Any = drop.apply({}, found, rng=rng.stream(key, use))
        if not self.bias:
            return found, jnp.zeros(found.shape[:-1])
        return found, rows[BIAS].values[rows[BIAS].index[use]][..., 0]

    def _shown(
        self,
        user: Float[Array, "P D"],
        rows: Mapping[str, TableRows],
        batch: Batch,
        key: PRNGKey,
    ) -> tuple[Int[Array, "P I"], Float[Array, "P I"]]:
        """Returns the items shown at each event, and their scores."""
        if "impressions" not in batch:
            nothing = (len(user), 0)
            return jnp.zeros(nothing, jnp.int32), jnp.zeros(nothing)
        shown = batch["impressions"].reshape(len(user), -1)
        items, bias = self._scored(rows, batch, "shown", key)
        items = items.reshape(*shown.shape, -1)
        scores = jnp.einsum("pd,pid->pi", user, items) * self.scale
        return shown, scores + bias.reshape(shown.shape)

    def _item(self, vectors: Array) -> Array:
        return _unit(vectors) if self.cosine else vectors

    def _users(
        self,
        params: Params,
        batch: Batch,
        events: Float[Array, "B L D"],
        memory: Memory,
        rngs: dict[str, PRNGKey] | None,
    ) -> tuple[Float[Array, "B L D"], Memory]:
        row = Row.of(batch, self._item(events))
        variables = {"params": params["encoder"]}
        train = rngs is not None
        user, memory = self.encoder.apply(variables, row, memory, train, rngs=rngs)
        return self._item(user), memory


def _pair_weights(params: Params, user: Array) -> Array:
    """Returns what each feature of a pair counts for a user [..., F]."""
    return user @ params[PAIR]["kernel"] + params[PAIR]["bias"]


def _with_pairs(scores: Array, weights: Array, batch: Batch) -> Array:
    """Returns the scores of drawn items [P, M] with what the pairs' features add."""
    at = batch["pair_at"]
    weight = weights[at // scores.shape[1], batch["pair_feature"]]
    more = weight * batch["pair_value"]
    return scores.reshape(-1).at[at].add(more).reshape(scores.shape)


def _unit(x: Array) -> Array:
    return x / jnp.sqrt(jnp.sum(x * x, -1, keepdims=True) + EPS)


def _normal(key: PRNGKey, shape: tuple[int, int], scale: float) -> Array:
    return scale * jax.random.normal(key, shape)
