"""One-level encoders over a user's whole history: GRU4Rec's GRU, and a TCN."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp

from recjax.nn.gru import Gru
from recjax.nn.hier import flat_start, output
from recjax.nn.session import Row, before, newest_event
from recjax.nn.tcn import Tcn
from recjax.typing import Array, Float, Memory


class FlatGru(nn.Module):
    """A GRU over the events of a user, or of a session alone (GRU4Rec).

    Attributes:
      gru: the layers.
      width: of the vectors that come out.
      per_session: the state starts anew with each session, as in GRU4Rec
        (Hidasi et al. 2016); else it runs through, and a session's start is an input.
      hidden: width of the output's hidden layer; 0 for one linear layer.
      dropout: on embeddings and before the output.
    """

    gru: Gru
    width: int
    per_session: bool = False
    hidden: int = 0
    dropout: float = 0.0

    @nn.nowrap
    def start(self, rows: int, width: int) -> Memory:
        """Returns the memory of rows that met nobody."""
        return {
            "low": jnp.zeros((rows, self.gru.size)),
            "last": jnp.zeros((rows, width)),
        }

    @nn.compact
    def __call__(
        self, row: Row, memory: Memory, train: bool
    ) -> tuple[Float[Array, "B L D"], Memory]:
        """Returns a vector before each event, and the memory after the row."""
        drop = nn.Dropout(self.dropout, deterministic=not train)
        start = row.there & (row.position == 0) if self.per_session else row.new_user
        item = drop(before(row, memory["last"], start))
        x = jnp.concatenate([item, flat_start(row)], -1)
        low = self.gru(x, memory["low"], row.there, start, train=train)
        out = output(drop(low[..., -self.gru.width :]), self.width, self.hidden)
        return out, {"low": low[:, -1], "last": newest_event(row, memory["last"])}


class FlatTcn(nn.Module):
    """A TCN over the events of a user. Rows must hold no padding but at their end.

    Attributes:
      tcn: the network; HierTCN's rival has 6 blocks.
      width: of the vectors that come out.
      hidden: width of the output's hidden layer; 0 for one linear layer.
      dropout: on embeddings and before the output.
    """

    tcn: Tcn
    width: int
    hidden: int = 0
    dropout: float = 0.0
    padded_rows = False

    @nn.nowrap
    def start(self, rows: int, width: int) -> Memory:
        """Returns the memory of rows that met nobody."""
        return {
            "low": self.tcn.start(rows, self.tcn.width),
            "last": jnp.zeros((rows, width)),
        }

    @nn.compact
    def __call__(
        self, row: Row, memory: Memory, train: bool
    ) -> tuple[Float[Array, "B L D"], Memory]:
        """Returns a vector before each event, and the memory after the row."""
        drop = nn.Dropout(self.dropout, deterministic=not train)
        item = drop(before(row, memory["last"], row.new_user))
        x = jnp.concatenate([item, flat_start(row)], -1)
        x = nn.Dense(self.tcn.width, name="join")(x)
        low, buffers = self.tcn(x, row.age, memory["low"], row.length, train)
        out = output(drop(low), self.width, self.hidden)
        return out, {"low": buffers, "last": newest_event(row, memory["last"])}
