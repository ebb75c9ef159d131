"""Gated recurrent units in both published forms, over rows that hold several parts.

The forms differ in where the reset gate acts on the candidate:
  "before": tanh(W x + U (r * h) + b)    Cho et al. 2014 (v1), HierTCN eq. 3, TF 1
  "after":  tanh(W x + r * (U h + c) + b)    cuDNN, Flax, Keras; one product a step less
"""

from __future__ import annotations

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from recjax.execution import block, dtype
from recjax.sharding import parts
from recjax.typing import Array, Bool, Float

Reset = Literal["before", "after"]


class Gru(nn.Module):
    """A stack of GRU layers over a row.

    Attributes:
      width: `H`, numbers of a layer's state.
      layers: number of layers.
      reset: form of the reset gate.
      dropout: rate on the candidate state (Semeniuta et al. 2016).
    """

    width: int
    layers: int = 1
    reset: Reset = "before"
    dropout: float = 0.0

    @property
    def size(self) -> int:
        """Numbers of the state of all layers."""
        return self.width * self.layers

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "B L D"],
        state: Float[Array, "B H"],
        update: Bool[Array, "B L"],
        start: Bool[Array, "B L"],
        initial: Float[Array, "B L H"] | None = None,
        train: bool = False,
    ) -> Float[Array, "B L H"]:
        """Returns the state of all layers after each step, side by side.

        Args:
          x: inputs.
          state: before the row.
          update: False leaves the state of that step as it is.
          start: the state is `initial` (zeros by default) before this step.
          initial: states to start from.
          train: drop out.
        """
        parts = []
        for layer in range(self.layers):
            own = slice(layer * self.width, (layer + 1) * self.width)
            begin = None if initial is None else initial[..., own]
            drop = nn.Dropout(self.dropout, deterministic=not train)
            keep = drop(jnp.ones((x.shape[0], self.width)))
            x = GruLayer(self.width, self.reset, name=f"layer_{layer}")(
                x, state[:, own], update, start, begin, keep
            )
            x = block(x)
            parts.append(x)
        return jnp.concatenate(parts, -1)


class GruLayer(nn.Module):
    """One layer; see `Gru`. The inputs' product is made for all steps at once."""

    width: int
    reset: Reset = "before"

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "B L D"],
        state: Float[Array, "B H"],
        update: Bool[Array, "B L"],
        start: Bool[Array, "B L"],
        initial: Float[Array, "B L H"] | None,
        keep: Float[Array, "B H"],
    ) -> Float[Array, "B L H"]:
        """Returns the state after each step."""
        inputs = nn.Dense(3 * self.width, dtype=dtype(), name="input")(x)
        recurrent = self.param(
            "recurrent", nn.initializers.orthogonal(), (self.width, 3 * self.width)
        )
        bias = jnp.zeros(self.width)
        if self.reset == "after":
            bias = self.param("bias", nn.initializers.zeros_init(), (self.width,))

        rows = state, keep, (inputs, update, start, initial)
        if x.shape[1] == 1:  # No loop here; the caller has one.
            return self._run(rows, (), (recurrent, bias))
        # Else devices would add up the gradient of these at every turn of the loop.
        return parts.by_rows(self._run, rows, (), (recurrent, bias))

    @nn.nowrap
    def _run(self, rows: Any, _: Any, whole: tuple[Array, Array]) -> Array:
        (state, keep, along), (recurrent, bias) = rows, whole

        def step(held: Array, at: tuple) -> tuple[Array, Array]:
            inputs, update, start, begin = at
            held = jnp.where(start[:, None], 0.0 if begin is None else begin, held)
            new = gru_step(inputs, held, recurrent, bias, self.reset, keep)
            held = jnp.where(update[:, None], new, held)
            return held, held

        along = jax.tree.map(lambda a: jnp.moveaxis(a, 1, 0), along)
        # Several steps a turn: XLA's loop costs more than a step of this size.
        unroll = min(4, along[0].shape[0])
        _, out = jax.lax.scan(step, state, along, unroll=unroll)
        return jnp.moveaxis(out, 0, 1)


def gru_step(
    inputs: Float[Array, "B 3H"],
    state: Float[Array, "B H"],
    recurrent: Float[Array, "H 3H"],
    bias: Float[Array, " H"],
    reset: Reset,
    keep: Float[Array, "B H"] | float = 1.0,
) -> Float[Array, "B H"]:
    """Returns the next state; gates come in the order update, reset, candidate.

    Args:
      inputs: W x + b of the three gates.
      state: `h`.
      recurrent: `U` of the three gates.
      bias: `c`, of the form "after" alone.
      reset: form.
      keep: dropout's factor of the candidate.
    """
    width = state.shape[-1]
    gates, candidate = inputs[:, : 2 * width], inputs[:, 2 * width :]
    if reset == "after":
        product = state @ recurrent
        z, r = jnp.split(jax.nn.sigmoid(gates + product[:, : 2 * width]), 2, -1)
        candidate = candidate + r * (product[:, 2 * width :] + bias)
    else:
        product = state @ recurrent[:, : 2 * width]
        z, r = jnp.split(jax.nn.sigmoid(gates + product), 2, -1)
        candidate = candidate + (r * state) @ recurrent[:, 2 * width :]
    return z * state + (1 - z) * jnp.tanh(candidate) * keep
