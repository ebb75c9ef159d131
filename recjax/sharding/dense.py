"""Where dense parameters and their optimizer state lie, by rules on their paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from recjax import pytree
from recjax.sharding.placement import FSDP, replicated

Rules = Mapping[str, Literal["split", "whole"]]
"""Pattern of whole paths -> what becomes of arrays that it is the first to match."""
SPLIT: Rules = {".*": "split"}


def param_shardings(params: Any, mesh: Mesh, rules: Rules) -> Any:
    """Returns the sharding of each dense parameter (or of its shape).

    An array that is split lies split over the axis `fsdp` along its longest dimension
    that this axis divides; one without such a dimension stays whole on each device.

    Raises:
      UserError: a parameter that no pattern covers.
    """
    labels = pytree.label(params, rules, "dense")
    return jax.tree.map(
        lambda leaf, pattern: _sharding(leaf.shape, mesh, rules[pattern] == "split"),
        params,
        labels,
    )


def state_shardings(opt: Any, params: Any, where: Any, mesh: Mesh) -> Any:
    """Returns the sharding of an optimizer's state: moments lie with their parameter.

    Args:
      opt: state of an optax transformation of `params` (or its shapes).
      params: the parameters.
      where: their shardings.
      mesh: the mesh.
    """
    leaves = zip(pytree.named_leaves(params), jax.tree.leaves(where), strict=True)
    known = {path: (leaf.shape, sharding) for (path, leaf), sharding in leaves}

    def one(path: tuple[Any, ...], leaf: Any) -> NamedSharding:
        # A moment has the path of its parameter behind that of the transformation.
        parts = pytree.path_text(path).split("/")
        for start in range(len(parts)):
            shape, sharding = known.get("/".join(parts[start:]), ((), None))
            if sharding is not None and shape == leaf.shape:
                return sharding
        return replicated(mesh)

    return jax.tree_util.tree_map_with_path(one, opt)


def _sharding(shape: tuple[int, ...], mesh: Mesh, split: bool) -> NamedSharding:
    parts = mesh.shape.get(FSDP, 1)
    fits = [axis for axis, size in enumerate(shape) if size and size % parts == 0]
    if not split or parts == 1 or not fits:
        return replicated(mesh)
    longest = max(fits, key=lambda axis: shape[axis])
    return NamedSharding(mesh, PartitionSpec(*(None,) * longest, FSDP))
