"""The protocol of a loss, and how values become one number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from flax import struct

from recjax.typing import Array, Float


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


class Loss(Protocol):
    """A pure function of a model's outputs."""

    share: float
    """Factor of this loss in the total."""

    def __call__(self, outputs: Any) -> LossValue:
        """Returns the loss of every example."""
        ...
