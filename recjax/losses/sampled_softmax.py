"""Softmax over a sample of the corpus, corrected for how it was sampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp

from recjax.losses.base import LossValue, Weight
from recjax.losses.pair_blocks import (
    Columns,
    Rows,
    at_once,
    by_blocks,
    leading,
    shown_by_others,
)
from recjax.outputs import Retrieval
from recjax.sharding.parts import by_rows
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
      of: which part of a model's outputs, where it returns several by name.
      in_batch: the other positives of the (global) batch are columns.
      random: the randomly drawn negatives are columns.
      logq: subtract the log of each column's expected count.
      given_query: correct the positive by log P(item | query), and count a row's own
        positive among the columns that were sampled, as OmniSearchSage's code does.
      mask_same_item: hide columns that are this row's own positive.
      mask_same_query: hide positives of other rows with the same query.
      mask_known: hide random negatives that are known positives of this row's query.
      label_smoothing: share of the target spread over the unmasked columns.
      widths: (leading dimensions, weight) of Matryoshka losses (Kusupati et al. 2022):
        each takes that many leading numbers, scaled to length 1; empty for the whole
        vectors as they are.
      weight: factor of this loss in the total.
    """

    of: str | None = None
    in_batch: bool = True
    random: bool = False
    logq: bool = True
    given_query: bool = False
    mask_same_item: bool = True
    mask_same_query: bool = True
    mask_known: bool = False
    label_smoothing: float = 0.0
    widths: tuple[tuple[int, float], ...] = ()
    weight: Weight = 1.0

    def __post_init__(self) -> None:
        """Checks that there is something to tell the positive from."""
        if not (self.in_batch or self.random):
            raise ValueError("SampledSoftmax needs in_batch or random columns")

    def __call__(self, outputs: Retrieval | Mapping[str, Retrieval]) -> LossValue:
        """Returns the loss of each pair; `negatives` counts its unmasked columns.

        Raises:
          ValueError: no such outputs, `given_query` or `mask_known` without what they
            need, `Runtime.softmax_rows` that do not divide the batch, or widths beyond
            those of the vectors.
        """
        named: dict[str | None, Retrieval] = (
            {**outputs} if isinstance(outputs, Mapping) else {None: outputs}
        )
        if self.of not in named:
            names = ", ".join(map(str, named))
            raise ValueError(f"of = {self.of!r}: the model has {names}")
        whole = named[self.of]
        widest, held = self._widest(), whole.query.shape[-1]
        if widest > held:
            raise ValueError(f"widths: {widest} of vectors of {held} numbers")
        if self.mask_known and whole.known_id is None:
            raise ValueError("mask_known: the batch gives no known positives")
        value, monitors = by_rows(
            partial(self._all_widths, at_once(len(whole.query))),
            *(self._rows(whole), self._columns(whole), whole.scale),
        )
        return LossValue(value, whole.weight, monitors)

    def _widest(self) -> int:
        return max((width for width, _ in self.widths), default=0)

    def _rows(self, whole: Retrieval) -> Rows:
        return Rows(
            whole.query,
            whole.positive,
            self._own_correction(whole) if self.logq else None,
            whole.query_id,
            whole.positive_id,
            jnp.arange(len(whole.query)),
            whole.known_id if self.mask_known else None,
        )

    def _columns(self, whole: Retrieval) -> Columns:
        """Returns what every row meets; None where no row asks."""
        shown = self.random and self.mask_same_query
        counts = partial(self._log_count, whole) if self.logq else lambda kind: None
        return Columns(
            whole.positive if self.in_batch else None,
            whole.negative if self.random else None,
            whole.positive_id if self.in_batch or shown else None,
            whole.query_id if self.in_batch or shown else None,
            whole.negative_id if self.random else None,
            whole.weight if self.in_batch else None,
            counts("positive") if self.in_batch else None,
            counts("negative") if self.random else None,
        )

    def _all_widths(
        self, size: int, rows: Rows, columns: Columns, scale: Array
    ) -> tuple[Array, dict[str, Array]]:
        if not self.widths:
            return self._one_width(size, rows, columns, scale)
        total, monitors = jnp.zeros(()), {}
        for width, weight in self.widths:
            cut = leading(rows, width), leading(columns, width)
            value, monitors_of_width = self._one_width(size, *cut, scale)
            total += weight * value
            monitors |= monitors_of_width | {f"loss_{width}": value}
        return total, monitors

    def _one_width(
        self, size: int, rows: Rows, columns: Columns, scale: Array
    ) -> tuple[Array, dict[str, Array]]:
        def one_block(rows: Rows) -> tuple[Array, Array, Array]:
            return self._block(rows, columns, scale)

        value, negatives, hit = by_blocks(one_block, rows, size)
        return value, {
            "negatives": negatives,
            "in_sample_accuracy": hit,
            "inverse_temperature": jnp.full_like(value, scale),
        }

    def _block(
        self, rows: Rows, all_columns: Columns, scale: Array
    ) -> tuple[Array, Array, Array]:
        """Returns loss, number of unmasked columns, and whether the positive leads."""
        query = rows.query.astype(jnp.float32)
        own = jnp.sum(query * rows.positive.astype(jnp.float32), -1) * scale
        if rows.correction is not None:
            own = own - rows.correction
        columns, hidden, counts = [], [], []
        if self.in_batch:
            columns.append(all_columns.positive)
            hidden.append(self._hidden_in_batch(rows, all_columns))
            counts.append(all_columns.positive_count)
        if self.random:
            columns.append(all_columns.negative)
            hidden.append(self._hidden_random(rows, all_columns))
            counts.append(all_columns.negative_count)
        others = jnp.concatenate(columns).astype(jnp.float32)
        logits = query @ others.T * scale
        if self.logq:
            logits = logits - jnp.concatenate(counts)[None]
        masked = jnp.concatenate(hidden, 1)
        logits = jnp.where(masked, HIDDEN, logits)
        total = jnp.logaddexp(own, jax.nn.logsumexp(logits, axis=1))
        negatives = jnp.sum(~masked, 1).astype(jnp.float32)
        value = total - own
        if self.label_smoothing:
            visible = jnp.where(masked, 0.0, logits).sum(1) + own
            smooth = total - visible / (negatives + 1)
            value += self.label_smoothing * (smooth - value)
        hit = (own >= jnp.max(logits, 1)).astype(jnp.float32)
        return value, negatives, hit

    def _own_correction(self, outputs: Retrieval) -> Float[Array, " B"]:
        if not self.given_query:
            return self._log_count(outputs, "positive")
        if outputs.given_query_logq is None:
            raise ValueError("given_query: the model gives no log P(item | query)")
        return outputs.given_query_logq

    def _log_count(self, outputs: Retrieval, kind: str) -> Float[Array, " M"]:
        """Returns log of how often an item is expected among this batch's columns."""
        logq = getattr(outputs, f"{kind}_logq")
        draw_logq = getattr(outputs, f"{kind}_draw_logq")
        own = 0 if self.given_query else 1
        others = max(outputs.query.shape[0] - own, 1)
        drawn = max(outputs.negative.shape[0], 1)
        if not self.random:
            return logq + jnp.log(float(others))
        if not self.in_batch:
            return draw_logq + jnp.log(float(drawn))
        return jnp.logaddexp(
            logq + jnp.log(float(others)), draw_logq + jnp.log(float(drawn))
        )

    def _hidden_in_batch(self, rows: Rows, columns: Columns) -> Bool[Array, "b B"]:
        hidden = rows.position[:, None] == jnp.arange(len(columns.weight))[None]
        hidden |= columns.weight[None] == 0
        if self.mask_same_item:
            hidden |= rows.positive_id[:, None] == columns.positive_id[None]
        if self.mask_same_query:
            hidden |= rows.query_id[:, None] == columns.query_id[None]
        return hidden

    def _hidden_random(self, rows: Rows, columns: Columns) -> Bool[Array, "b R"]:
        shape = (len(rows.query), len(columns.negative_id))
        hidden = jnp.broadcast_to(columns.negative_id[None] < 0, shape)
        if self.mask_same_item:
            hidden |= rows.positive_id[:, None] == columns.negative_id[None]
        if self.mask_same_query:
            hidden |= shown_by_others(rows.query_id, columns)
        if rows.known_id is not None:
            # A column at a time, so that no [b, R, M] is ever in memory.
            for known in rows.known_id.T:
                hidden |= known[:, None] == columns.negative_id[None]
        return hidden
