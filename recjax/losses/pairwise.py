"""Losses over the scores of the next item and of others, drawn or shown.

Source of the forms: You et al. 2019 (HierTCN), section 3.3; TOP1 is of Hidasi et al.
2016 (GRU4Rec), BPR of Rendle et al. 2009, logQ of Bengio & Senecal 2008.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import struct

from recjax.losses.base import LossValue, Weight
from recjax.losses.pair_blocks import at_once, by_blocks
from recjax.outputs import ItemScores, PairFeatures, drawn_scores
from recjax.sharding.parts import by_rows
from recjax.typing import Array, Bool, Float, Int

Others = Literal["drawn", "shown"]
"""Whether an item is told from items drawn at random or from those shown with it."""
HIDDEN = -1e30
"""The logit of a hidden column: finite, so that a row without columns has gradients."""


@struct.dataclass
class _Positions:
    """What some positions of a batch need to meet its drawn items."""

    position: Int[Array, " b"]
    own: Float[Array, " b"]
    own_id: Int[Array, " b"]
    user: Float[Array, "b D"]
    weight: Float[Array, "b F"] | None


@dataclass(frozen=True)
class ItemSoftmax:
    """Cross entropy of the next item against drawn items; the full softmax if all are.

    Attributes:
      logq: subtract the log of how often each item is expected among the columns.
      label_smoothing: share of the target spread over all columns.
      weight: factor of this loss in the total.
    """

    logq: bool = True
    label_smoothing: float = 0.0
    weight: Weight = 1.0

    def __call__(self, outputs: ItemScores) -> LossValue:
        """Returns the loss of each position.

        Raises:
          ValueError: `Runtime.softmax_rows` that do not divide the positions.
        """
        count, pairs = len(outputs.own), outputs.pairs
        own, bias = outputs.own, outputs.drawn_bias
        if self.logq:
            draws = jnp.log(float(len(outputs.drawn_id)))
            own = own - (outputs.own_draw_logq + draws)
            bias = bias - (outputs.drawn_draw_logq + draws)
        value, hit = by_rows(
            partial(self._in_blocks, at_once(count)),
            _Positions(
                jnp.arange(count, dtype=jnp.int32),
                own,
                outputs.own_id,
                outputs.user,
                None if pairs is None else pairs.weight,
            ),
            (
                outputs.drawn_item,
                bias,
                outputs.drawn_id,
                None if pairs is None else (pairs.at, pairs.feature, pairs.value),
            ),
        )
        return LossValue(value, outputs.weight, {"in_sample_accuracy": hit})

    def _in_blocks(
        self, size: int, rows: _Positions, columns: Any, whole: Any
    ) -> tuple[Array, Array]:
        del whole
        return by_blocks(lambda some: self._block(some, *columns), rows, size)

    def _block(
        self,
        rows: _Positions,
        item: Array,
        bias: Array,
        drawn_id: Array,
        held: tuple[Array, Array, Array] | None,
    ) -> tuple[Array, Array]:
        """Returns the loss, and whether the next item leads."""
        own, pairs = rows.own, None
        if held is not None and rows.weight is not None:
            pairs = PairFeatures(rows.weight, *held)
        drawn = drawn_scores(rows.position, rows.user, item, bias, pairs)
        visible = _other(drawn_id, rows.own_id)
        drawn = jnp.where(visible, drawn, HIDDEN)
        total = jnp.logaddexp(own, jax.nn.logsumexp(drawn, axis=1))
        value = total - own
        if self.label_smoothing:
            seen = jnp.where(visible, drawn, 0.0).sum(1) + own
            smooth = total - seen / (visible.sum(1) + 1)
            value += self.label_smoothing * (smooth - value)
        return value, (own >= jnp.max(drawn, 1)).astype(jnp.float32)


@dataclass(frozen=True)
class Nce:
    """-log s(own) - mean log s(-other): each score is a decision of its own.

    Attributes:
      others: "drawn" or "shown".
      weight: factor of this loss in the total.
    """

    others: Others = "drawn"
    weight: Weight = 1.0

    def __call__(self, outputs: ItemScores) -> LossValue:
        """Returns the loss of each position."""
        scores, visible = getattr(outputs, self.others), _visible(outputs, self.others)
        apart = _mean(-jax.nn.log_sigmoid(-scores), visible)
        return LossValue(-jax.nn.log_sigmoid(outputs.own) + apart, outputs.weight)


@dataclass(frozen=True)
class Bpr:
    """-log s(own - other), the mean over others.

    Attributes: as of `Nce`.
    """

    others: Others = "drawn"
    weight: Weight = 1.0

    def __call__(self, outputs: ItemScores) -> LossValue:
        """Returns the loss of each position."""
        ahead = outputs.own[:, None] - getattr(outputs, self.others)
        value = _mean(-jax.nn.log_sigmoid(ahead), _visible(outputs, self.others))
        return LossValue(value, outputs.weight)


@dataclass(frozen=True)
class Top1:
    """s(other - own) + s(other ** 2), the mean over others.

    Attributes: as of `Nce`.
    """

    others: Others = "drawn"
    weight: Weight = 1.0

    def __call__(self, outputs: ItemScores) -> LossValue:
        """Returns the loss of each position."""
        scores = getattr(outputs, self.others)
        behind = jax.nn.sigmoid(scores - outputs.own[:, None])
        value = _mean(
            behind + jax.nn.sigmoid(scores**2), _visible(outputs, self.others)
        )
        return LossValue(value, outputs.weight)


@dataclass(frozen=True)
class Hinge:
    """max(0, delta + other - own), the mean over others.

    Attributes:
      others: "drawn" or "shown".
      delta: how far the next item should be ahead.
      of: the scores as they are, or their (log-)sigmoid, as the authors' code offers.
      weight: factor of this loss in the total.
    """

    others: Others = "drawn"
    delta: float = 0.1
    of: Literal["score", "sigmoid", "log_sigmoid"] = "score"
    weight: Weight = 1.0

    def __call__(self, outputs: ItemScores) -> LossValue:
        """Returns the loss of each position."""
        change = {
            "score": lambda x: x,
            "sigmoid": jax.nn.sigmoid,
            "log_sigmoid": jax.nn.log_sigmoid,
        }[self.of]
        own, scores = change(outputs.own), change(getattr(outputs, self.others))
        short = jnp.maximum(0.0, self.delta + scores - own[:, None])
        return LossValue(_mean(short, _visible(outputs, self.others)), outputs.weight)


@dataclass(frozen=True)
class L2:
    """Squared distance of the user vector and the next item's; items must be fixed.

    Attributes:
      weight: factor of this loss in the total.
    """

    weight: Weight = 1.0

    def __call__(self, outputs: ItemScores) -> LossValue:
        """Returns the loss of each position."""
        return LossValue(outputs.distance, outputs.weight)


def _visible(outputs: ItemScores, others: Others) -> Bool[Array, "P M"]:
    """Returns which of the others are items, and not the next one itself."""
    if others == "shown":
        return outputs.shown_there
    return _other(outputs.drawn_id, outputs.own_id)


def _other(drawn: Int[Array, " M"], own: Int[Array, " P"]) -> Bool[Array, "P M"]:
    return (drawn[None] >= 0) & (drawn[None] != own[:, None])


def _mean(
    values: Float[Array, "P M"], visible: Bool[Array, "P M"]
) -> Float[Array, " P"]:
    """Returns the mean over visible columns; 0 where there is none."""
    count = jnp.maximum(jnp.sum(visible, 1), 1)
    return jnp.sum(jnp.where(visible, values, 0.0), 1) / count
