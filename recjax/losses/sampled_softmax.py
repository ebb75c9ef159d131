"""Softmax over a sample of the corpus, corrected for how it was sampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from recjax.losses.base import LossValue, Weight
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
      rows_at_once: rows whose logits are in memory at a time, in both directions;
        divides the batch. None for all.
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
    rows_at_once: int | None = None
    weight: Weight = 1.0

    def __post_init__(self) -> None:
        """Checks that there is something to tell the positive from."""
        if not (self.in_batch or self.random):
            raise ValueError("SampledSoftmax needs in_batch or random columns")

    def __call__(self, outputs: Retrieval | Mapping[str, Retrieval]) -> LossValue:
        """Returns the loss of each pair; `negatives` counts its unmasked columns.

        Raises:
          ValueError: no such outputs, `given_query` or `mask_known` without what they
            need, rows that do not divide, or widths beyond those of the vectors.
        """
        named: dict[str | None, Retrieval] = (
            {**outputs} if isinstance(outputs, Mapping) else {None: outputs}
        )
        if self.of not in named:
            names = ", ".join(map(str, named))
            raise ValueError(f"of = {self.of!r}: the model has {names}")
        whole = named[self.of]
        if not self.widths:
            value, monitors = self._one_width(whole)
            return LossValue(value, whole.weight, monitors)
        widest, held = max(width for width, _ in self.widths), whole.query.shape[-1]
        if widest > held:
            raise ValueError(f"widths: {widest} of vectors of {held} numbers")
        total, monitors = jnp.zeros(()), {}
        for width, weight in self.widths:
            value, monitors_of_width = self._one_width(_leading(whole, width))
            total += weight * value
            monitors |= monitors_of_width | {f"loss_{width}": value}
        return LossValue(total, whole.weight, monitors)

    def _one_width(self, outputs: Retrieval) -> tuple[Array, dict[str, Array]]:
        query = outputs.query.astype(jnp.float32)
        own = jnp.sum(query * outputs.positive.astype(jnp.float32), -1) * outputs.scale
        if self.logq:
            own = own - self._own_correction(outputs)
        position = jnp.arange(len(query))
        if self.mask_known and outputs.known_id is None:
            raise ValueError("mask_known: the batch gives no known positives")
        known = outputs.known_id if self.mask_known else None
        rows = Rows(query, own, outputs.query_id, outputs.positive_id, position, known)

        def one_block(rows: Rows) -> tuple[Array, Array, Array]:
            return self._rows(rows, outputs)

        if self.rows_at_once is None:
            value, negatives, hit = one_block(rows)
        else:
            value, negatives, hit = _by_blocks(one_block, rows, self.rows_at_once)
        return value, {
            "negatives": negatives,
            "in_sample_accuracy": hit,
            "inverse_temperature": jnp.full_like(own, outputs.scale),
        }

    def _rows(self, rows: Rows, outputs: Retrieval) -> tuple[Array, Array, Array]:
        """Returns loss, number of unmasked columns, and whether the positive leads."""
        columns, hidden, counts = [], [], []
        if self.in_batch:
            columns.append(outputs.positive)
            hidden.append(self._hidden_in_batch(rows, outputs))
            counts.append(self._log_count(outputs, "positive"))
        if self.random:
            columns.append(outputs.negative)
            hidden.append(self._hidden_random(rows, outputs))
            counts.append(self._log_count(outputs, "negative"))
        others = jnp.concatenate(columns).astype(jnp.float32)
        logits = rows.query @ others.T * outputs.scale
        if self.logq:
            logits = logits - jnp.concatenate(counts)[None]
        masked = jnp.concatenate(hidden, 1)
        logits = jnp.where(masked, HIDDEN, logits)
        total = jnp.logaddexp(rows.own, jax.nn.logsumexp(logits, axis=1))
        negatives = jnp.sum(~masked, 1).astype(jnp.float32)
        value = total - rows.own
        if self.label_smoothing:
            visible = jnp.where(masked, 0.0, logits).sum(1) + rows.own
            smooth = total - visible / (negatives + 1)
            value += self.label_smoothing * (smooth - value)
        hit = (rows.own >= jnp.max(logits, 1)).astype(jnp.float32)
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

    def _hidden_in_batch(self, rows: Rows, outputs: Retrieval) -> Bool[Array, "b B"]:
        hidden = rows.position[:, None] == jnp.arange(len(outputs.query))[None]
        hidden |= outputs.weight[None] == 0
        if self.mask_same_item:
            hidden |= rows.positive_id[:, None] == outputs.positive_id[None]
        if self.mask_same_query:
            hidden |= rows.query_id[:, None] == outputs.query_id[None]
        return hidden

    def _hidden_random(self, rows: Rows, outputs: Retrieval) -> Bool[Array, "b R"]:
        shape = (len(rows.query), outputs.negative.shape[0])
        hidden = jnp.broadcast_to(outputs.negative_id[None] < 0, shape)
        if self.mask_same_item:
            hidden |= rows.positive_id[:, None] == outputs.negative_id[None]
        if self.mask_same_query:
            hidden |= _shown_by_others(rows.query_id, outputs)
        if rows.known_id is not None:
            # A column at a time, so that no [b, R, M] is ever in memory.
            for known in rows.known_id.T:
                hidden |= known[:, None] == outputs.negative_id[None]
        return hidden


@struct.dataclass
class Rows:
    """What some rows of a batch of pairs need to meet its columns.

    Attributes:
      query: vectors [b, D].
      own: corrected logit of the positive [b].
      query_id: [b].
      positive_id: [b].
      position: of the row in the batch [b].
      known_id: other positives of the query [b, M], if they are to be hidden.
    """

    query: Array
    own: Array
    query_id: Array
    positive_id: Array
    position: Array
    known_id: Array | None = None


def _shown_by_others(query_id: Array, outputs: Retrieval) -> Bool[Array, "b R"]:
    """Returns which negatives this batch shows to be positives of a row's query."""
    # Pairs in the order of their items: those of one negative are a run of them, and
    # a running count of the row's query along the order tells whether it is in it. A
    # product of [b, B] and [B, R] would tell the same for B times the work.
    order = jnp.argsort(outputs.positive_id)
    items = jnp.take(outputs.positive_id, order)
    same_query = jnp.take(outputs.query_id, order)[:, None] == query_id[None]
    counts = jnp.cumsum(same_query.astype(jnp.int32), axis=0)
    counts = jnp.concatenate([jnp.zeros_like(counts[:1]), counts])
    first = jnp.searchsorted(items, outputs.negative_id, side="left")
    end = jnp.searchsorted(items, outputs.negative_id, side="right")
    return (counts[end] > counts[first]).T


def _leading(outputs: Retrieval, width: int) -> Retrieval:
    """Takes leading dimensions of all vectors, scaled to length 1."""
    vectors = {
        name: _unit(getattr(outputs, name)[:, :width])
        for name in ("query", "positive", "negative")
    }
    return replace(outputs, **vectors)


def _unit(x: Array) -> Array:
    x = x.astype(jnp.float32)
    return x / jnp.sqrt(jnp.maximum(jnp.sum(x * x, -1, keepdims=True), 1e-24))


def _by_blocks(function: Any, rows: Rows, size: int) -> Any:
    """Applies a function of rows to one block of them after the other.

    Block k takes rows k, k + blocks, ...: each device of a mesh keeps its own rows.
    """
    count = len(rows.query)
    if count % size:
        raise ValueError(f"rows_at_once {size} does not divide a batch of {count}")
    apart = jax.tree.map(
        lambda x: x.reshape(size, count // size, *x.shape[1:]).swapaxes(0, 1), rows
    )
    # Logits are computed again on the way back, so that one block of them exists.
    done = jax.lax.map(jax.checkpoint(function), apart)
    return jax.tree.map(lambda x: x.swapaxes(0, 1).reshape(count), done)
