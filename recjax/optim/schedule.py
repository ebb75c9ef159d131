"""Learning-rate schedules: a factor of the rule's own learning rate by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import jax.numpy as jnp

from recjax.typing import Array, Float, Int


class Schedule(Protocol):
    """Factor of the learning rate at a step of a run of `steps`."""

    def __call__(self, step: Int[Array, ""], steps: int) -> Float[Array, ""]:
        """Returns the factor."""
        ...


@dataclass(frozen=True)
class Constant:
    """The factor 1 throughout."""

    def __call__(self, step: Int[Array, ""], steps: int) -> Float[Array, ""]:
        """Returns 1."""
        del step, steps
        return jnp.float32(1)


@dataclass(frozen=True)
class WarmupCosine:
    """Linear rise from 0 over `warmup` steps, then a half cosine down to `final`.

    Attributes:
      warmup: steps.
      final: factor at the last step.
    """

    warmup: int
    final: float = 0.0

    def __call__(self, step: Int[Array, ""], steps: int) -> Float[Array, ""]:
        """Returns the factor of `step`, counted from 0."""
        rise = jnp.minimum((step + 1) / max(self.warmup, 1), 1.0)
        done = (step - self.warmup) / max(steps - self.warmup, 1)
        fall = 0.5 * (1 + jnp.cos(jnp.pi * jnp.clip(done, 0.0, 1.0)))
        return rise * (self.final + (1 - self.final) * fall)
