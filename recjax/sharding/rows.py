"""Reading and writing the rows of a table that a batch touches, and only those.

A table lies split by rows over *all* devices of the mesh. The distinct ids of a
batch are small integers and known to every device, so a read is a local masked
gather and a sum over devices of `U x D` numbers, and a write is local: no collective
is ever as large as a table.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

from recjax.typing import Array, Float, Int


def distinct(
    ids: Int[Array, " n"], capacity: int, rows: int
) -> tuple[Int[Array, " U"], Int[Array, " n"], Int[Array, ""]]:
    """Finds the distinct ids of a batch, with static shapes.

    Args:
      ids: table rows that the batch names, duplicates welcome.
      capacity: `U`, the most distinct ids there is room for.
      rows: table size; fills the unused places, so it is never a valid row.

    Returns:
      The distinct ids in rising order, the place of each of `ids` among them, and
      how many distinct ids found no room (their places are then wrong: the caller
      must stop).
    """
    order = jnp.argsort(ids)
    ranked = ids[order]
    first = jnp.concatenate([jnp.ones(1, bool), ranked[1:] != ranked[:-1]])
    place = jnp.cumsum(first) - 1
    unique = jnp.full(capacity, rows, ids.dtype)
    unique = unique.at[place].set(ranked, mode="drop", indices_are_sorted=True)
    index = jnp.zeros_like(ids).at[order].set(place.astype(ids.dtype))
    overflow = jnp.maximum(place[-1] + 1 - capacity, 0)
    return unique, jnp.minimum(index, capacity - 1), overflow


def read(
    table: Float[Array, "V D"], ids: Int[Array, " U"], mesh: Mesh
) -> Float[Array, "U D"]:
    """Gathers rows of a row-sharded table; ids outside it read as zeros."""
    if mesh.size == 1:
        return table.at[ids].get(mode="fill", fill_value=0)
    axes = mesh.axis_names

    def local(shard: Array, ids: Array) -> Array:
        here, inside = _local_ids(shard, ids, mesh)
        rows = shard.at[here].get(mode="clip")
        mask = inside.reshape(inside.shape + (1,) * (rows.ndim - 1))
        return jax.lax.psum(jnp.where(mask, rows, 0), axes)

    return jax.shard_map(
        local,
        mesh=mesh,
        in_specs=(PartitionSpec(axes), PartitionSpec()),
        out_specs=PartitionSpec(),
    )(table, ids)


def write(
    table: Float[Array, "V D"],
    ids: Int[Array, " U"],
    values: Float[Array, "U D"],
    mesh: Mesh,
) -> Float[Array, "V D"]:
    """Overwrites rows of a row-sharded table; ids outside it are left alone.

    `ids` must be distinct but for those outside the table.
    """
    if mesh.size == 1:
        return table.at[ids].set(values, mode="drop", indices_are_sorted=True)
    axes = mesh.axis_names

    def local(shard: Array, ids: Array, values: Array) -> Array:
        here, inside = _local_ids(shard, ids, mesh)
        # A negative id would count from the end: send strangers past it instead.
        here = jnp.where(inside, here, shard.shape[0])
        return shard.at[here].set(values, mode="drop")

    return jax.shard_map(
        local,
        mesh=mesh,
        in_specs=(PartitionSpec(axes), PartitionSpec(), PartitionSpec()),
        out_specs=PartitionSpec(axes),
    )(table, ids, values)


def _local_ids(shard: Array, ids: Array, mesh: Mesh) -> tuple[Array, Array]:
    device = jnp.zeros((), ids.dtype)
    for axis in mesh.axis_names:
        device = device * mesh.shape[axis] + jax.lax.axis_index(axis)
    here = ids - device * shard.shape[0]
    return here, (here >= 0) & (here < shard.shape[0])
