"""The protocol of a loss, and how values become one number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jax.numpy as jnp
from flax import struct

from recjax.typing import Array, Float, Int


@struct.dataclass
class LossValue:
    """Per-example values and weights; the step averages them, nobody else does.

    Attributes:
      value: loss of each example [B].
      weight: its weight [B].
      monitors: name -> per-example figures [B] for the log, same weights.
    """

    value: Float[Array, " B"]
    weight: Float[Array, " B"]
    monitors: Mapping[str, Float[Array, " B"]] = struct.field(default_factory=dict)


@dataclass(frozen=True)
class Piecewise:
    """A factor that changes once: pretraining by one loss, fine-tuning by another.

    Attributes:
      before: the factor at first.
      after: the factor from `at` on.
      at: share of the run's steps that is done when it changes.
    """

    before: float
    after: float
    at: float = 0.5

    def __post_init__(self) -> None:
        """Checks the time of change.

        Raises:
          ValueError: it is no share.
        """
        if not 0 <= self.at <= 1:
            raise ValueError(f"at = {self.at}: must be a share from 0 to 1")

    def __call__(self, step: Int[Array, ""], steps: int) -> Float[Array, ""]:
        """Returns the factor of `step`, counted from 0, of a run of `steps`."""
        return jnp.where(step < self.at * steps, self.before, self.after)


Weight = float | Piecewise
"""Factor of a loss in the total, the same throughout or not."""


class Loss(Protocol):
    """A pure function of a model's outputs."""

    @property
    def weight(self) -> Weight:
        """Factor of this loss in the total."""
        ...

    def __call__(self, outputs: Any) -> LossValue:
        """Returns the loss of every example."""
        ...
