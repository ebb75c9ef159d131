"""Rows of a batch of pairs, the columns that all rows meet, and blocks of rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from flax import struct

from recjax.execution import softmax_rows
from recjax.sharding.parts import shards
from recjax.typing import Array, Bool


@struct.dataclass
class Rows:
    """What some rows of a batch of pairs need to meet its columns.

    Attributes:
      query: vectors [b, D].
      positive: vectors [b, D].
      correction: of the logit of the positive [b], if it is corrected.
      query_id: [b].
      positive_id: [b].
      position: of the row in the batch [b].
      known_id: other positives of the query [b, M], if they are to be hidden.
    """

    query: Array
    positive: Array
    correction: Array | None
    query_id: Array
    positive_id: Array
    position: Array
    known_id: Array | None


@struct.dataclass
class Columns:
    """What all rows of a batch meet: its positives [B, ...], its negatives [R, ...].

    The counts are logs of how often each is expected among the columns.
    """

    positive: Any
    negative: Any
    positive_id: Any
    query_id: Any
    negative_id: Any
    weight: Any
    positive_count: Any
    negative_count: Any


Both = TypeVar("Both", Rows, Columns)


def shown_by_others(query_id: Array, columns: Columns) -> Bool[Array, "b R"]:
    """Returns which negatives this batch shows to be positives of a row's query."""
    # Pairs in the order of their items: those of one negative are a run of them, and
    # a running count of the row's query along the order tells whether it is in it. A
    # product of [b, B] and [B, R] would tell the same for B times the work.
    order = jnp.argsort(columns.positive_id)
    items = jnp.take(columns.positive_id, order)
    same_query = jnp.take(columns.query_id, order)[:, None] == query_id[None]
    counts = jnp.cumsum(same_query.astype(jnp.int32), axis=0)
    counts = jnp.concatenate([jnp.zeros_like(counts[:1]), counts])
    first = jnp.searchsorted(items, columns.negative_id, side="left")
    end = jnp.searchsorted(items, columns.negative_id, side="right")
    return (counts[end] > counts[first]).T


def leading(vectors: Both, width: int) -> Both:
    """Takes leading dimensions of all vectors, scaled to length 1."""
    names = ("query", "positive", "negative")
    held = {n: getattr(vectors, n, None) for n in names}
    cut = {n: _unit(x[:, :width]) for n, x in held.items() if x is not None}
    return replace(vectors, **cut)


def _unit(x: Array) -> Array:
    x = x.astype(jnp.float32)
    return x / jnp.sqrt(jnp.maximum(jnp.sum(x * x, -1, keepdims=True), 1e-24))


def at_once(count: int) -> int:
    """Returns the rows of a block as `Runtime.softmax_rows` has it, 0 for all.

    Raises:
      ValueError: blocks do not divide the `count` rows of a batch.
    """
    size = softmax_rows()
    if not size or size >= count:
        return 0
    if count % size:
        raise ValueError(
            f"runtime.softmax_rows = {size} does not divide a batch of {count}"
        )
    return size


def by_blocks(function: Callable[[Any], Any], rows: Any, size: int) -> Any:
    """Applies a function of rows to one block of them after the other.

    Of several devices, each has its part of each block.

    Args:
      function: of a tree of arrays [b, ...]; returns a tree of arrays [b].
      rows: arrays [B, ...].
      size: `b`; 0 applies it to all of them at once.
    """
    if not size:
        return function(rows)
    count = len(jax.tree.leaves(rows)[0])
    size = size // shards() if size % shards() == 0 else math.gcd(size, count)
    apart = jax.tree.map(
        lambda x: x.reshape(size, count // size, *x.shape[1:]).swapaxes(0, 1), rows
    )
    # Logits are computed again on the way back, so that one block of them exists.
    done = jax.lax.map(jax.checkpoint(function), apart)
    return jax.tree.map(lambda x: x.swapaxes(0, 1).reshape(count), done)
