"""Two-level encoders: a recurrent user state over sessions, and a model inside each."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from recjax.nn.gru import Gru
from recjax.nn.session import (
    Pool,
    Row,
    before,
    last_slot,
    newest_event,
    of_slot,
    pool_sessions,
)
from recjax.nn.tcn import Tcn
from recjax.seconds import HOUR
from recjax.typing import Array, Float, Memory


class SessionStates(nn.Module):
    """The high level: a GRU over the means of sessions (HierTCN eq. 10).

    Attributes:
      gru: the layers; the state of all of them is what a session sees.
      gap: the time since the session before is an input.
      decay: hours in which the state falls to 1/e between sessions; None for never.
      dropout: on the session means.
      frozen_items: learn nothing of item vectors by way of the state, as with the
        fixed ones of the paper: else they may learn to tell training users apart.
    """

    gru: Gru
    gap: bool = False
    decay: float | None = None
    dropout: float = 0.0
    frozen_items: bool = False

    @nn.nowrap
    def start(self, rows: int, width: int) -> Memory:
        """Returns zeros: the s^ of the paper."""
        return {
            "state": jnp.zeros((rows, self.gru.size)),
            "pool": Pool.start(rows, width),
        }

    @nn.compact
    def __call__(
        self, row: Row, memory: Memory, train: bool
    ) -> tuple[Float[Array, "B S H"], Memory]:
        """Returns the state that each session starts from, and the memory after."""
        mean, any_before, pool = pool_sessions(row, memory["pool"])
        if self.frozen_items:
            mean = jax.lax.stop_gradient(mean)
        mean = nn.Dropout(self.dropout, deterministic=not train)(mean)
        hours = row.gap[..., None] / HOUR
        if self.gap:
            mean = jnp.concatenate([mean, jnp.log1p(hours)], -1)
        update = row.starts & any_before & ~row.fresh
        states = self.gru(
            mean, memory["state"], update, row.starts & row.fresh, train=train
        )
        memory = {"state": last_slot(row, states, memory["state"]), "pool": pool}
        if self.decay is not None:
            # What a session sees has decayed; what the next update starts from has not.
            states = states * jnp.exp(-hours / self.decay)
        return states, memory


class HierTcn(nn.Module):
    """HierTCN (You et al. 2019): a causal TCN in each session sees the user's state.

    Attributes:
      high: the user state.
      low: the network inside a session.
      width: of the vectors that come out.
      hidden: width of the output's hidden layer; 0 for one linear layer, as in the
        authors' code.
      dropout: on embeddings and before the output.
      skip: the output layer sees the user's state and the last item as well.
    """

    high: SessionStates
    low: Tcn
    width: int
    hidden: int = 0
    dropout: float = 0.0
    skip: bool = False

    @nn.nowrap
    def start(self, rows: int, width: int) -> Memory:
        """Returns the memory of rows that met nobody."""
        return {
            "high": self.high.start(rows, width),
            "low": self.low.start(rows, self.low.width),
            "last": jnp.zeros((rows, width)),
        }

    @nn.compact
    def __call__(
        self, row: Row, memory: Memory, train: bool
    ) -> tuple[Float[Array, "B L D"], Memory]:
        """Returns a vector before each event, and the memory after the row."""
        states, high = self.high(row, memory["high"], train)
        drop = nn.Dropout(self.dropout, deterministic=not train)
        item = drop(before(row, memory["last"], row.position == 0))
        # Concatenation and a dense layer (eq. 11), the state's part once a session.
        own = nn.Dense(self.low.width, use_bias=False, name="join_item")(item)
        user = nn.Dense(self.low.width, name="join_state")(states)
        low, buffers = self.low(
            own + of_slot(row, user), row.position, memory["low"], row.length, train
        )
        parts = [low, of_slot(row, states), item] if self.skip else [low]
        out = output(drop(jnp.concatenate(parts, -1)), self.width, self.hidden)
        last = newest_event(row, memory["last"])
        return out, {"high": high, "low": buffers, "last": last}


class HierGru(nn.Module):
    """HierTCN's upper level over a GRU in each session, the state at every step.

    Attributes: as of `HierTcn`.
    """

    high: SessionStates
    low: Gru
    width: int
    hidden: int = 0
    dropout: float = 0.0

    @nn.nowrap
    def start(self, rows: int, width: int) -> Memory:
        """Returns the memory of rows that met nobody."""
        return {
            "high": self.high.start(rows, width),
            "low": jnp.zeros((rows, self.low.size)),
            "last": jnp.zeros((rows, width)),
        }

    @nn.compact
    def __call__(
        self, row: Row, memory: Memory, train: bool
    ) -> tuple[Float[Array, "B L D"], Memory]:
        """Returns a vector before each event, and the memory after the row."""
        states, high = self.high(row, memory["high"], train)
        drop = nn.Dropout(self.dropout, deterministic=not train)
        item = drop(before(row, memory["last"], row.position == 0))
        x = jnp.concatenate([item, of_slot(row, states)], -1)
        start = row.there & (row.position == 0)
        low = self.low(x, memory["low"], row.there, start, train=train)
        out = output(drop(low[..., -self.low.width :]), self.width, self.hidden)
        last = newest_event(row, memory["last"])
        return out, {"high": high, "low": low[:, -1], "last": last}


class Hrnn(nn.Module):
    """HRNN (Quadrana et al. 2017): session and user GRU start each other.

    At a session's start the user GRU takes the final state of the session before, and
    its own state, through a dense layer, starts the session GRU ("HRNN Init").

    Attributes:
      width: of the vectors that come out.
      state: numbers of a layer's state, at both levels.
      layers: at both levels.
      hidden, dropout: as of `HierTcn`.
    """

    width: int
    state: int = 128
    layers: int = 1
    hidden: int = 0
    dropout: float = 0.0

    @nn.nowrap
    def start(self, rows: int, width: int) -> Memory:
        """Returns the memory of rows that met nobody."""
        size = self.state * self.layers
        return {
            "high": jnp.zeros((rows, size)),
            "low": jnp.zeros((rows, size)),
            "last": jnp.zeros((rows, width)),
        }

    @nn.compact
    def __call__(
        self, row: Row, memory: Memory, train: bool
    ) -> tuple[Float[Array, "B L D"], Memory]:
        """Returns a vector before each event, and the memory after the row."""
        drop = nn.Dropout(self.dropout, deterministic=not train)
        item = drop(before(row, memory["last"], row.position == 0))
        start = row.there & (row.position == 0)
        scan = nn.scan(
            _HrnnStep,
            variable_broadcast="params",
            split_rngs={"params": False, "dropout": False},
            in_axes=1,
            out_axes=1,
        )
        held = memory["high"], memory["low"]
        held, low = scan(self.state, self.layers, name="step")(
            held, (item, row.there, start, row.new_user)
        )
        out = output(drop(low), self.width, self.hidden)
        last = newest_event(row, memory["last"])
        return out, {"high": held[0], "low": held[1], "last": last}


class _HrnnStep(nn.Module):
    """One event of `Hrnn`; the user GRU acts at the start of a session alone."""

    state: int
    layers: int

    @nn.compact
    def __call__(
        self, held: tuple[Array, Array], at: tuple
    ) -> tuple[tuple[Array, Array], Array]:
        """Returns the states after the event, and the session state's top layer."""
        (high, low), (item, there, start, new_user) = held, at
        one = (slice(None), None)
        user = Gru(self.state, self.layers, name="user")
        new = user(
            low[:, -self.state :][one], high, (start & ~new_user)[one], new_user[one]
        )[:, 0]
        high = jnp.where(there[:, None], new, high)
        begin = jnp.tanh(nn.Dense(self.state * self.layers, name="begin")(high))
        # A user without a past starts from zeros, as before any session.
        begin = jnp.where(new_user[:, None], 0.0, begin)
        session = Gru(self.state, self.layers, name="session")
        low = session(item[one], low, there[one], start[one], begin[one])[:, 0]
        return (high, low), low[:, -self.state :]


def output(x: Array, width: int, hidden: int) -> Array:
    """Returns the user vector: one linear layer, or two with a ReLU (HierTCN eq. 4)."""
    if hidden:
        x = nn.relu(nn.Dense(hidden, name="hidden")(x))
    return nn.Dense(width, name="out")(x)


def flat_start(row: Row) -> Array:
    """Returns the mark of a session's start that one-level models get [B, L, 1]."""
    return jax.lax.convert_element_type(row.position == 0, jnp.float32)[..., None]
