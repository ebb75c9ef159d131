"""Shardings of the training state and of batches, and putting a host batch."""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from recjax.errors import UserError

DATA = "data"
"""The mesh axis that splits the batch."""
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


def by_batch(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of a batch: leading axis split over `data`."""
    return NamedSharding(mesh, PartitionSpec(DATA))


def round_up(rows: int, mesh: Mesh) -> int:
    """Returns `rows` rounded up so that every device holds as many.

    Meshes whose sizes divide `BLOCK` round alike: each can restore the others' tables.
    """
    block = math.lcm(BLOCK, mesh.size)
    return -(-rows // block) * block


def put_batch(batch: Any, mesh: Mesh) -> Any:
    """Puts this host's part of a batch on the devices of the mesh.

    Args:
      batch: tree of host arrays, leading axis = this host's share of the batch.
      mesh: the mesh.

    Raises:
      UserError: a leading axis that the data axis does not divide.
    """
    sharding = by_batch(mesh)
    shards = mesh.shape[DATA] // jax.process_count()

    def put(array: np.ndarray) -> jax.Array:
        if array.shape[0] % max(shards, 1):
            raise UserError(
                f"a batch array of {array.shape[0]} rows does not split over "
                f"{shards} devices; choose a batch size divisible by {shards}"
            )
        return jax.make_array_from_process_local_data(sharding, array)

    return jax.tree.map(put, batch)
