"""Functions of the rows of a batch: each device of the mesh does its own.

Inside a step the compiler decides who computes what, and in a loop it often has devices
send each other something each time around. Here they meet once before the loop, and
once behind it on the way back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from recjax.sharding.placement import batch_axes, batch_shards
from recjax.typing import Array


def by_rows(
    function: Callable[[Any, Any, Any], Any],
    rows: Any,
    columns: Any = (),
    whole: Any = (),
) -> Any:
    """Returns `function(rows, columns, whole)`, each device computing its own rows.

    Without a mesh, or where the devices do not divide the rows, that is all it is.

    Args:
      function: of trees of arrays; returns a tree of arrays of one row an input row.
      rows: arrays [B, ...]; a device passes those that it holds.
      columns: arrays [M, ...], split like rows; a device passes all of them.
      whole: arrays that every device holds.
    """
    mesh = jax.sharding.get_abstract_mesh()
    axes = batch_axes(mesh)
    split = batch_shards(mesh)
    # Exported functions have no mesh, and lengths that are no numbers.
    uneven = split > 1 and any(
        leaf.shape[0] % split for leaf in jax.tree.leaves((rows, columns))
    )
    if split == 1 or uneven:
        return function(rows, columns, whole)

    def local(rows: Any, columns: Any, whole: Any) -> Any:
        return function(rows, _gathered(columns, axes), own(whole))

    ours = PartitionSpec(axes)
    return jax.shard_map(local, in_specs=(ours, ours, PartitionSpec()), out_specs=ours)(
        rows, columns, whole
    )


def own(tree: Any) -> Any:
    """Returns arrays as a device's own: what a loop over its rows adds up."""
    axes = _manual()
    return jax.tree.map(
        lambda x: jax.lax.pcast(x, axes, to="varying") if axes else x, tree
    )


def shards() -> int:
    """Returns over how many devices the rows are split, inside `by_rows`."""
    mesh = jax.sharding.get_abstract_mesh()
    return math.prod(mesh.shape[axis] for axis in _manual())


def _manual() -> tuple[str, ...]:
    mesh = jax.sharding.get_abstract_mesh()
    return tuple(a for a in batch_axes(mesh) if a in mesh.manual_axes)


def _gathered(columns: Any, axes: tuple[str, ...]) -> Any:
    """Returns the columns of all devices; those of a type are sent together."""
    leaves, tree = jax.tree.flatten(columns)
    found: dict[int, Array] = {}
    for dtype in dict.fromkeys(leaf.dtype for leaf in leaves):
        chosen = [i for i, leaf in enumerate(leaves) if leaf.dtype == dtype]
        flat = jnp.concatenate([leaves[i].ravel() for i in chosen])
        every, start = jax.lax.all_gather(flat, axes), 0
        for i in chosen:
            shape, size = leaves[i].shape, leaves[i].size
            part = every[:, start : start + size]
            found[i] = part.reshape(-1, *shape[1:])
            start += size
    return jax.tree.unflatten(tree, [found[i] for i in range(len(leaves))])
