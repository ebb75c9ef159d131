"""Optimizers of table rows: they see the touched rows and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax.numpy as jnp

from recjax.typing import Array, Float


@runtime_checkable
class RowRule(Protocol):
    """Updates the distinct rows that a batch touched, given their summed gradients.

    A row whose gradient is zero must stay as it is: it may not have been touched.
    """

    def init(self, rows: int) -> Float[Array, " V"]:
        """Returns the state of a table, one number a row."""
        ...

    def update(
        self,
        values: Float[Array, "U D"],
        grads: Float[Array, "U D"],
        slots: Float[Array, " U"],
        factor: Float[Array, ""],
    ) -> tuple[Float[Array, "U D"], Float[Array, " U"]]:
        """Returns new rows and their new state."""
        ...


@dataclass(frozen=True)
class RowwiseAdagrad:
    """Adagrad with one accumulator a row: the mean of the squared gradient entries.

    Source: Mudigere et al. 2021 ("Software-hardware co-design for fast and scalable
    training of deep learning recommendation models", section 4.1).

    Attributes:
      learning_rate: step size before the schedule's factor.
      initial: start of the accumulator.
      eps: added to its root.
      weight_decay: share of a touched row that goes per unit of learning rate,
        decoupled from the gradient (Loshchilov & Hutter 2019).
    """

    learning_rate: float
    initial: float = 0.0
    eps: float = 1e-8
    weight_decay: float = 0.0

    def init(self, rows: int) -> Float[Array, " V"]:
        """Returns the accumulators of a table."""
        return jnp.full(rows, self.initial, jnp.float32)

    def update(
        self,
        values: Float[Array, "U D"],
        grads: Float[Array, "U D"],
        slots: Float[Array, " U"],
        factor: Float[Array, ""],
    ) -> tuple[Float[Array, "U D"], Float[Array, " U"]]:
        """Returns new rows and accumulators."""
        slots = slots + jnp.mean(grads * grads, -1)
        rate = self.learning_rate * factor
        change = grads / (jnp.sqrt(slots) + self.eps)[:, None]
        if self.weight_decay:
            touched = jnp.any(grads != 0, -1, keepdims=True)
            change += self.weight_decay * jnp.where(touched, values, 0)
        return values - rate * change, slots
