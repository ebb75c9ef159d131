"""Many text fields of an entity through one shared bag of hashed n-grams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from recjax.features import field_of
from recjax.nn.sketch import mixed
from recjax.sharding import parts
from recjax.typing import Array, Batch, Bool, Float, Int

EPS = 1e-6
"""Added to the variance of a bag."""


class HashEmbedding(nn.Module):
    """Sum over fields of the normalised bag of each field's n-grams.

    An n-gram x has the vector `sum_h importance[x, h] * table[hash_h(x)]`: hash
    embeddings (D. Svenstrup et al., "Hash Embeddings for Efficient Word
    Representations", 2017), as OmniSearchSage uses them. All fields of an entity lie in
    one array of ids, with the number of its field beside each id, so that one pass
    over it makes all bags.

    Attributes:
      table: name of the table of vectors, of `buckets + 1` rows.
      importance: name of the table [V, hashes] of importances, by the id itself.
      fields: how many fields there are; beside the ids, as `field_of(name)`, stands
        the number of the field of each [B, L].
      hashes: buckets that an id shares in.
      buckets: rows that ids are hashed to; row 0 is padding.
      empty: a field without ids adds the bias of the normalisation, as in the published
        code, instead of nothing.
    """

    table: str
    importance: str
    fields: int
    hashes: int = 2
    buckets: int = 100_000
    empty: bool = False

    @property
    def own_heights(self) -> dict[str, int]:
        """Rows of tables that are not as tall as the vocabulary."""
        return {self.table: self.buckets + 1}

    def row_ids(self, ids: Int[Array, "B L"]) -> dict[str, Array]:
        """Names the rows that these ids need, by table."""
        hashed = buckets_of(ids, self.hashes, self.buckets)
        return {self.table: hashed, self.importance: ids}

    @nn.compact
    def __call__(
        self,
        name: str,
        features: Batch,
        rows: Mapping[str, tuple[Array, Array]],
        train: bool,
    ) -> Float[Array, "B D"]:
        """Returns one vector an entity."""
        del train
        ids, field = features[name], features[field_of(name)].astype(jnp.int32)
        values, index = rows[self.table]
        weights, positions = rows[self.importance]
        if weights.shape[-1] != self.hashes:
            raise ValueError(
                f"table {self.importance!r} is {weights.shape[-1]} wide, an importance "
                f"of each hash needs Table({self.hashes})"
            )
        held = ids > 0
        weight = weights[positions] * held[..., None]
        norm = _Norm(name="norm")(values)

        def one_part(at: Any, _: Any, whole: Any) -> Array:
            (index, weight, field, held), (values, norm) = at, whole
            bags = field_bags(values, index, weight, field, self.fields)
            return _sum_of_normed(bags, norm, self._filled(field, held))

        return parts.by_rows(one_part, (index, weight, field, held), (), (values, norm))

    def _filled(self, field: Array, held: Array) -> Bool[Array, "F B"]:
        if self.empty:
            return parts.own(jnp.ones((self.fields, len(field)), bool))
        each = jnp.arange(self.fields)[:, None, None]
        return ((field == each) & held).any(2)


class _Norm(nn.Module):
    """Scale and bias of a LayerNorm that is applied elsewhere."""

    @nn.compact
    def __call__(self, x: Float[Array, "... D"]) -> tuple[Array, Array]:
        width = x.shape[-1:]
        scale = self.param("scale", nn.initializers.ones, width)
        return scale, self.param("bias", nn.initializers.zeros, width)


def _sum_of_normed(
    bags: Float[Array, "F B D"],
    norm: tuple[Array, Array],
    filled: Bool[Array, "F B"],
) -> Float[Array, "B D"]:
    """Normalises each bag and sums over fields, one field after the other.

    The backward pass normalises again: of all fields, only the bags stay in memory.
    """

    @jax.checkpoint
    def add(total: Array, at: tuple[Array, Array]) -> tuple[Array, None]:
        bag, there = at
        bag = bag - jnp.mean(bag, -1, keepdims=True)
        spread = jax.lax.rsqrt(jnp.mean(bag * bag, -1, keepdims=True) + EPS)
        scale, bias = norm
        return total + (bag * spread * scale + bias) * there[:, None], None

    return jax.lax.scan(add, jnp.zeros_like(bags[0]), (bags, filled))[0]


def buckets_of(
    ids: Int[Array, "B L"], hashes: int, buckets: int
) -> Int[Array, "B L H"]:
    """Returns the rows that each id is hashed to, 1 to `buckets`; 0 for padding."""
    salts = np.random.default_rng(1709).integers(0, 2**32, hashes, np.uint32)
    words = mixed(jnp.asarray(ids).astype(jnp.uint32)[..., None] ^ salts)
    rows = (words % jnp.uint32(buckets)).astype(jnp.int32) + 1
    return jnp.where(jnp.asarray(ids)[..., None] > 0, rows, 0)


def field_bags(
    values: Float[Array, "U D"],
    index: Int[Array, "B L H"],
    weight: Float[Array, "B L H"],
    field: Int[Array, "B L"],
    fields: int,
) -> Float[Array, "F B D"]:
    """Sums `weight[b, l, h] * values[index[b, l, h]]` by the field of (b, l).

    Floor: 2 B L H D FLOPs, B L H D numbers read, F B D written; one position is added
    after the other, so that no vector of a single n-gram stays in memory.
    """
    shape = (fields, index.shape[0], values.shape[1])
    start = parts.own(jnp.zeros(shape, values.dtype))
    return _bags(values, index, weight, field, start)


def _sum_of_hashes(values: Array, index: Array, weight: Array) -> Array:
    first, *others = (
        values[index[:, h]] * weight[:, h, None] for h in range(index.shape[-1])
    )
    return sum(others, first)


def _by_position(*arrays: Array) -> tuple[Array, ...]:
    return tuple(array.swapaxes(0, 1) for array in arrays)


@jax.custom_vjp
def _bags(values: Array, index: Array, weight: Array, field: Array, out: Array):
    entity = jnp.arange(index.shape[0])

    def add(total: Array, at: tuple[Array, ...]) -> tuple[Array, None]:
        index, weight, field = at
        vector = _sum_of_hashes(values, index, weight)
        return total.at[field, entity].add(vector), None

    return jax.lax.scan(add, out, _by_position(index, weight, field))[0]


def _forward(values, index, weight, field, out):
    saved = (values, index, weight, field)
    return _bags(values, index, weight, field, out), saved


def _backward(saved, grad):
    values, index, weight, field = saved
    entity = jnp.arange(index.shape[0])

    def add(total: Array, at: tuple[Array, ...]) -> tuple[Array, Array]:
        index, weight, field = at
        own = grad[field, entity]
        weights = []
        for h in range(index.shape[-1]):
            total = total.at[index[:, h]].add(own * weight[:, h, None])
            weights.append(jnp.sum(values[index[:, h]] * own, -1))
        return total, jnp.stack(weights, -1)

    at = _by_position(index, weight, field)
    rows, weights = jax.lax.scan(add, jnp.zeros_like(values), at)
    return rows, None, weights.swapaxes(0, 1), None, None


_bags.defvjp(_forward, _backward)
