"""A session model: an encoder over rows of events, and scores of items by it.

HierTCN and its rivals differ in the encoder alone (`recjax.nn.hier`,
`recjax.nn.one_level`); items, losses, memory, evaluation and serving are the same for
all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from recjax import rng
from recjax.features import Sides
from recjax.models import session_columns, session_tables, tables
from recjax.models.base import RowIds, TableRows, TableSpec
from recjax.models.pair_scores import pair_features, pair_start, pair_weights
from recjax.models.session_columns import TOWER, columns_of
from recjax.models.session_tables import BIAS, ITEM, TARGET
from recjax.models.tables import Table
from recjax.nn.session import Encoder, Row, encode, of_slot
from recjax.nn.tower import Tower
from recjax.outputs import ItemScores
from recjax.typing import Array, Batch, Float, Int, Memory, Params, PRNGKey

SHOWN = "impressions_vector"
FIXED = {"own": "item_vector", "drawn": "negative_vector", "shown": SHOWN}
"""Use of an item's vector -> where a batch carries it, if it is not learned."""
Read = tuple[Float[Array, "B L D"], Float[Array, "B S D"] | None]
READ = ("own", "event", "user")
"""Uses of columns that a query needs."""
PAIR = "pair"
EPS = 1e-12


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
      item: over columns of items, added to their vectors, read or scored.
      event: over columns of events, added to their vectors once they are over.
      user: over columns of users, added to what the encoder says of them.
      tables: of these towers.
    """

    encoder: Encoder
    width: int
    tied: bool = True
    bias: bool = True
    cosine: bool = False
    scale: float = 1.0
    vectors_dropout: float = 0.0
    start: float = 0.05
    item: Tower | None = None
    event: Tower | None = None
    user: Tower | None = None
    tables: Mapping[str, Table] = field(default_factory=dict)

    @property
    def scored(self) -> str:
        """Name of the table of the vectors that are scored."""
        return ITEM if self.tied else TARGET

    def table_specs(self, sides: Sides) -> dict[str, TableSpec]:
        """Returns the tables, a row an item; row 0 is none.

        Raises:
          ValueError: the encoder's vectors, fixed ones or a tower's have another width.
        """
        return session_tables.specs(self, sides)

    def rows(self, batch: Batch) -> RowIds:
        """Names the rows of events, of drawn items and of items shown."""
        scored = {"own": batch["item"], "drawn": batch["negative_id"] + 1}
        if "impressions" in batch:
            scored["shown"] = batch["impressions"]
        others = {} if self.item is None else dict.fromkeys(scored, self.item)
        others.pop("own", None)  # `event_rows` has them.
        columns = session_columns.row_ids(others, batch)
        own = {} if FIXED["own"] in batch and self.tied else {self.scored: scored}
        more = {BIAS: scored} if self.bias else {}
        return session_tables.merged(self.event_rows(batch), columns, own, more)

    def event_rows(self, batch: Batch) -> RowIds:
        """Names the rows of events alone: all that `read` needs."""
        own = {} if FIXED["own"] in batch else {ITEM: {"event": batch["item"]}}
        columns = session_columns.row_ids(self._towers(*READ), batch)
        return session_tables.merged(own, columns)

    def read(
        self,
        params: Params,
        rows: Mapping[str, TableRows],
        batch: Batch,
        key: PRNGKey | None = None,
    ) -> Read:
        """Returns the vector of each event, and what a slot's user adds to queries."""
        if ITEM in rows:
            found = rows[ITEM].values[rows[ITEM].index["event"]]
        else:
            found = batch[FIXED["own"]]
        of = params, rows, batch, key
        for more in session_columns.each(self._towers("own", "event"), *of):
            found = found + more
        return found, next(session_columns.each(self._towers("user"), *of), None)

    def _towers(self, *uses: str) -> dict[str, Tower]:
        """Returns the towers that there are, by use."""
        every = {"own": self.item, "event": self.event, "user": self.user}
        return {use: tower for use in uses if (tower := every[use]) is not None}

    def init(
        self, key: PRNGKey, rows: Mapping[str, TableRows], batch: Batch
    ) -> tuple[Params, Memory]:
        """Returns the encoder's parameters, and the memory of rows that met nobody."""
        memory = self.encoder.start(batch["item"].shape[0], self.width)
        row = Row.of(batch, jnp.zeros((*batch["item"].shape, self.width)))
        variables = self.encoder.init({"params": key}, row, memory, False)
        params = {"encoder": variables["params"]}
        if "pair_own" in batch:
            params[PAIR] = pair_start(self.width, batch["pair_own"].shape[-1])
        for use, tower in self._towers(*READ).items():
            params[TOWER[use]] = session_columns.init(tower, use, rows, batch, key)
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
        read = self.read(params, rows, batch, key)
        own = rng.stream(key, "encoder")
        user, memory = self._users(params, read, batch, memory, own)
        user = user.reshape(-1, self.width)
        own, own_bias = self._scored(params, rows, batch, "own", key)
        own = own.reshape(user.shape)
        drawn, drawn_bias = self._scored(params, rows, batch, "drawn", key)
        own_scores = jnp.sum(user * own, -1) * self.scale + own_bias.reshape(-1)
        pairs = None
        if PAIR in params:
            weights = pair_weights(params[PAIR], user)
            features = batch["pair_own"].reshape(weights.shape)
            own_scores += jnp.sum(weights * features, -1)
            pairs = pair_features(weights, batch)
        shown, shown_scores = self._shown(user, params, rows, batch, key)
        outputs = ItemScores(
            own=own_scores,
            user=user * self.scale,
            drawn_item=drawn,
            drawn_bias=drawn_bias,
            pairs=pairs,
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
        self, params: Params, read: Read, batch: Batch, memory: Memory
    ) -> tuple[Float[Array, "B L E"], Memory]:
        """Returns the query before each event, no randomness, and the memory after.

        A query meets `embed(..., "candidate", ...)` by dot product; the numbers beyond
        those, if any, meet the features of pairs.

        Args:
          params: dense parameters.
          read: see `read`.
          batch: what `packed_arrays` returns.
          memory: before the rows.
        """
        user, memory = self._users(params, read, batch, memory, None)
        parts = [user * self.scale, jnp.ones((*user.shape[:-1], int(self.bias)))]
        if PAIR in params:
            parts.append(pair_weights(params[PAIR], user))
        return jnp.concatenate(parts, -1), memory

    def side_rows(self, side: str, features: Batch) -> RowIds:
        """Names the rows of candidates.

        Raises:
          ValueError: a query; users have states, not features: see `users`.
        """
        if side != "candidate":
            raise ValueError("a session model embeds no queries: stream their events")
        named = [BIAS] * self.bias + [self.scored] * ("vector" not in features)
        own = {table: {"item": features["item"]} for table in named}
        if self.item is None:
            return own
        return session_tables.merged(
            own, tables.row_ids(self.item, "item", features, train=False)
        )

    def embed(
        self, params: Params, rows: Mapping[str, TableRows], side: str, features: Batch
    ) -> Float[Array, "B D"]:
        """Returns vectors of items, the bias in the last number."""
        del side
        vectors = features.get("vector")
        if vectors is None:
            found = rows[self.scored]
            vectors = found.values[found.index["item"][:, 0]]
        if self.item is not None:
            columns = {n: features[n] for n, _ in self.item.uses(False).values()}
            of = params[TOWER["own"]], rows, "item", columns, None
            vectors = vectors + session_columns.vectors(self.item, *of)
        vectors = self._item(vectors)
        if not self.bias:
            return vectors
        bias = rows[BIAS].values[rows[BIAS].index["item"][:, 0]]
        return jnp.concatenate([vectors, bias], -1)

    def _scored(
        self,
        params: Params,
        rows: Mapping[str, TableRows],
        batch: Batch,
        use: str,
        key: PRNGKey,
    ) -> tuple[Array, Array]:
        """Returns vectors and biases of items that are scored in training."""
        found = batch.get(FIXED[use])
        if found is None:
            found = rows[self.scored].values[rows[self.scored].index[use]]
        if self.item is not None:
            of = params[TOWER[use]], rows, use, batch[columns_of(use)], key
            found = found + session_columns.vectors(self.item, *of)
        found = self._item(found)
        drop = nn.Dropout(self.vectors_dropout, deterministic=False)
        found: Any = drop.apply({}, found, rng=rng.stream(key, use))
        if not self.bias:
            return found, jnp.zeros(found.shape[:-1])
        return found, rows[BIAS].values[rows[BIAS].index[use]][..., 0]

    def _shown(
        self,
        user: Float[Array, "P D"],
        params: Params,
        rows: Mapping[str, TableRows],
        batch: Batch,
        key: PRNGKey,
    ) -> tuple[Int[Array, "P I"], Float[Array, "P I"]]:
        """Returns the items shown at each event, and their scores."""
        if "impressions" not in batch:
            nothing = (len(user), 0)
            return jnp.zeros(nothing, jnp.int32), jnp.zeros(nothing)
        shown = batch["impressions"].reshape(len(user), -1)
        items, bias = self._scored(params, rows, batch, "shown", key)
        items = items.reshape(*shown.shape, -1)
        scores = jnp.einsum("pd,pid->pi", user, items) * self.scale
        return shown, scores + bias.reshape(shown.shape)

    def _item(self, vectors: Array) -> Array:
        return _unit(vectors) if self.cosine else vectors

    def _users(
        self,
        params: Params,
        read: Read,
        batch: Batch,
        memory: Memory,
        key: PRNGKey | None,
    ) -> tuple[Float[Array, "B L D"], Memory]:
        events, about = read
        row = Row.of(batch, self._item(events))
        given = self.encoder, params["encoder"], row, memory, key
        user, memory = encode(*given)
        user = user if about is None else user + of_slot(row, about)
        return self._item(user), memory


def _unit(x: Array) -> Array:
    return x / jnp.sqrt(jnp.sum(x * x, -1, keepdims=True) + EPS)
