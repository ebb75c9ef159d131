"""Shardings of the training state and of batches, and putting a host batch."""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np
from jax.sharding import AbstractMesh, Mesh, NamedSharding, PartitionSpec, Sharding

from recjax.errors import UserError

DATA, FSDP = "data", "fsdp"
"""The mesh axes that split the batch; the second one splits dense parameters too."""
BLOCK = 256
"""Tables hold a multiple of this many rows."""


def replicated(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of an array that every device holds whole."""
    return NamedSharding(mesh, PartitionSpec())


def by_rows(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of a table: rows split over all devices of the mesh."""
    return NamedSharding(mesh, PartitionSpec(mesh.axis_names))


def by_columns(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of a sketch: columns split over all devices of the mesh."""
    return NamedSharding(mesh, PartitionSpec(None, mesh.axis_names))


def batch_axes(mesh: Mesh | AbstractMesh) -> tuple[str, ...]:
    """Returns the axes of a mesh that split the batch."""
    return tuple(axis for axis in (DATA, FSDP) if axis in mesh.axis_names)


def batch_shards(mesh: Mesh | AbstractMesh) -> int:
    """Returns over how many devices a batch is split."""
    return math.prod(mesh.shape[axis] for axis in batch_axes(mesh))


def by_batch(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of a batch: leading axis split over `data` and `fsdp`."""
    return NamedSharding(mesh, PartitionSpec(batch_axes(mesh)))


def round_up(rows: int, mesh: Mesh) -> int:
    """Returns `rows` rounded up so that every device holds as many.

    Meshes whose sizes divide `BLOCK` round alike: each can restore the others' tables.
    """
    block = math.lcm(BLOCK, mesh.size)
    return -(-rows // block) * block


def host_part(mesh: Mesh) -> tuple[int, int]:
    """Returns which part of each batch this host makes, and how many parts there are.

    Hosts that hold the same rows, where `data` is smaller than their number, make the
    same part.

    Raises:
      UserError: the hosts' devices do not split the batch into equal parts.
    """
    shards = batch_shards(mesh)
    own = by_batch(mesh).addressable_devices_indices_map((shards,))
    mine = sorted({at[0].indices(shards)[0] for at in own.values() if at})
    parts, left = divmod(shards, len(mine))
    part = mine[0] // len(mine)
    if left or mine != list(range(part * len(mine), (part + 1) * len(mine))):
        raise UserError(
            f"the batch's axes {batch_axes(mesh)} of mesh {dict(mesh.shape)} do not "
            f"split evenly over the {jax.process_count()} hosts: this one would hold "
            f"shards {mine}; choose sizes that the hosts divide, or that divide them"
        )
    return part, parts


def put(array: np.ndarray, sharding: Sharding) -> jax.Array:
    """Places an array that every host has whole."""
    if sharding.is_fully_addressable:
        return jax.device_put(array, sharding)
    return jax.make_array_from_callback(array.shape, sharding, lambda at: array[at])


def fetch(array: jax.Array, mesh: Mesh) -> np.ndarray:
    """Returns an array that lies split over the mesh, whole, to every host."""
    if not array.is_fully_addressable and not array.is_fully_replicated:
        array = jax.jit(lambda x: x, out_shardings=replicated(mesh))(array)
    return np.asarray(array)


def put_batch(batch: Any, mesh: Mesh, parts: int | None = None) -> Any:
    """Puts this host's part of a batch on the devices of the mesh.

    Args:
      batch: tree of host arrays, leading axis = this host's share of the batch.
      mesh: the mesh.
      parts: 1 where each host has the whole batch; by default its part alone.

    Raises:
      UserError: a leading axis that the data axis does not divide.
    """
    sharding = by_batch(mesh)
    shards = batch_shards(mesh) // (parts or host_part(mesh)[1])

    def put_one(array: np.ndarray) -> jax.Array:
        if array.shape[0] % shards:
            raise UserError(
                f"a batch array of {array.shape[0]} rows does not split over "
                f"{shards} devices; choose a batch size divisible by {shards}"
            )
        if parts == 1:
            return put(array, sharding)
        return jax.make_array_from_process_local_data(sharding, array)

    return jax.tree.map(put_one, batch)
