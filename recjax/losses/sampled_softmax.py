"""Softmax over a sample of the corpus, corrected for how it was sampled."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from recjax.losses.base import LossValue
from recjax.outputs import Retrieval
from recjax.typing import Array, Bool, Float

HIDDEN = -1e30
"""The logit of a masked column: finite, so that a row without columns has gradients."""


@dataclass(frozen=True)
class SampledSoftmax:
    """Cross entropy of the positive against sampled columns.

    A column that is sampled c times in expectation gets `log c` subtracted from its
    logit, so that the sampled softmax estimates the full one (Bengio & Senecal 2008;
    Yi et al. 2019, "Sampling-bias-corrected neural modeling"): a popular item, which
    stands in many batches, is *not* punished for that.

    Attributes:
      in_batch: the other positives of the (global) batch are columns.
      random: the randomly drawn negatives are columns.
      logq: subtract the log of each column's expected count.
      mask_same_item: hide columns that are this row's own positive.
      mask_same_query: hide positives of other rows with the same query.
      label_smoothing: share of the target spread over the unmasked columns.
      share: factor of this loss in the total.
    """

    in_batch: bool = True
    random: bool = False
    logq: bool = True
    mask_same_item: bool = True
    mask_same_query: bool = True
    label_smoothing: float = 0.0
    share: float = 1.0

    def __post_init__(self) -> None:
        """Checks that there is something to tell the positive from."""
        if not (self.in_batch or self.random):
            raise ValueError("SampledSoftmax needs in_batch or random columns")

    def __call__(self, outputs: Retrieval) -> LossValue:
        """Returns the loss of each pair; `negatives` counts its unmasked columns."""
        query = outputs.query.astype(jnp.float32)
        own = jnp.sum(query * outputs.positive.astype(jnp.float32), -1)
        own = own * outputs.scale
        columns, hidden, counts = [], [], []
        if self.in_batch:
            columns.append(outputs.positive)
            hidden.append(self._hidden_in_batch(outputs))
            counts.append(
                self._log_count(
                    outputs, outputs.positive_logq, outputs.positive_draw_logq
                )
            )
        if self.random:
            columns.append(outputs.negative)
            hidden.append(self._hidden_random(outputs))
            counts.append(
                self._log_count(
                    outputs, outputs.negative_logq, outputs.negative_draw_logq
                )
            )
        others = jnp.concatenate(columns).astype(jnp.float32)
        logits = query @ others.T * outputs.scale
        masked = jnp.concatenate(hidden, 1)
        if self.logq:
            logits = logits - jnp.concatenate(counts)[None]
            own = own - self._log_count(
                outputs, outputs.positive_logq, outputs.positive_draw_logq
            )
        logits = jnp.where(masked, HIDDEN, logits)
        total = jnp.logaddexp(own, jax.nn.logsumexp(logits, axis=1))
        negatives = jnp.sum(~masked, 1).astype(jnp.float32)
        value = total - own
        if self.label_smoothing:
            visible = jnp.where(masked, 0.0, logits).sum(1) + own
            smooth = total - visible / (negatives + 1)
            value += self.label_smoothing * (smooth - value)
        hit = (own >= jnp.max(logits, 1)).astype(jnp.float32)
        monitors = {
            "negatives": negatives,
            "in_sample_accuracy": hit,
            "inverse_temperature": jnp.full_like(own, outputs.scale),
        }
        return LossValue(value, outputs.weight, monitors)

    def _log_count(
        self,
        outputs: Retrieval,
        logq: Float[Array, " M"],
        draw_logq: Float[Array, " M"],
    ) -> Float[Array, " M"]:
        """Returns log of how often an item is expected among this batch's columns."""
        others = max(outputs.query.shape[0] - 1, 1)
        drawn = max(outputs.negative.shape[0], 1)
        if not self.random:
            return logq + jnp.log(float(others))
        if not self.in_batch:
            return draw_logq + jnp.log(float(drawn))
        return jnp.logaddexp(
            logq + jnp.log(float(others)), draw_logq + jnp.log(float(drawn))
        )

    def _hidden_in_batch(self, outputs: Retrieval) -> Bool[Array, "B B"]:
        hidden = jnp.eye(outputs.query.shape[0], dtype=bool)
        if self.mask_same_item:
            hidden |= outputs.positive_id[:, None] == outputs.positive_id[None]
        if self.mask_same_query:
            hidden |= outputs.query_id[:, None] == outputs.query_id[None]
        return hidden

    def _hidden_random(self, outputs: Retrieval) -> Bool[Array, "B R"]:
        shape = (outputs.query.shape[0], outputs.negative.shape[0])
        hidden = jnp.broadcast_to(outputs.negative_id[None] < 0, shape)
        if self.mask_same_item:
            hidden |= outputs.positive_id[:, None] == outputs.negative_id[None]
        if self.mask_same_query:
            hidden |= self._other_positives(outputs)
        return hidden

    def _other_positives(self, outputs: Retrieval) -> Bool[Array, "B R"]:
        """Finds negatives that this batch shows to be positives of the same query."""
        same_query = outputs.query_id[:, None] == outputs.query_id[None]
        same_item = outputs.positive_id[:, None] == outputs.negative_id[None]
        hits = same_query.astype(jnp.float32) @ same_item.astype(jnp.float32)
        return hits > 0
