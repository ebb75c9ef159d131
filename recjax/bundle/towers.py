"""One side of a model as a pure function, with as little of the state as it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax

from recjax.models import Model
from recjax.models.base import whole_tables
from recjax.train.state import State
from recjax.typing import Array

QUERY, ITEM = "query", "item"
"""What a bundle calls its towers, whatever the sides of the model are called."""
TOWERS, NEW_ITEMS = "towers.jaxexport.npz", "new_items"

Features = Mapping[str, Any]
TowerFn = Callable[[Any, Features], Array]


def tower_function(model: Model, side: str) -> TowerFn:
    """Returns the pure function (what `prune_state` returns, features) -> [B, D]."""

    def embed(held: Any, features: Features) -> Array:
        rows = whole_tables(held["tables"], model.side_rows(side, features))
        return model.embed(held["params"], rows, side, features)

    return embed


def prune_state(model: Model, state: State, features: Mapping[str, Features]) -> Any:
    """Returns what some sides need of a state, in host memory, each part once.

    Args:
      model: the model.
      state: the trained state.
      features: side, for example "query" -> arrays of any number of examples.
    """
    params: dict[str, Any] = {}
    tables: dict[str, Any] = {}
    for side, given in features.items():
        one = _held(model, side, state, given)
        params |= one["params"]
        tables |= one["tables"]
    return jax.device_get({"params": params, "tables": tables})


def _held(model: Model, side: str, state: State, features: Features) -> Any:
    tables = {name: state.tables[name] for name in model.side_rows(side, features)}
    params = dict(state.params)
    whole = jax.tree.map(_shape, {"params": params, "tables": tables})
    leaves, tree = jax.tree.flatten(whole)

    def flat(leaves: list[Any], features: Features) -> Array:
        return tower_function(model, side)(jax.tree.unflatten(tree, leaves), features)

    traced = jax.make_jaxpr(flat)(leaves, dict(features)).jaxpr
    reads = {id(one) for step in traced.eqns for one in step.invars}
    reads |= {id(one) for one in traced.outvars}
    is_read = [id(one) in reads for one in traced.invars[: len(leaves)]]
    parts = jax.tree.unflatten(tree, is_read)["params"]
    unread = [n for n, p in parts.items() if jax.tree.leaves(p) and not _any(p)]
    wanted = {name: part for name, part in params.items() if name not in unread}
    return {"params": wanted, "tables": tables}


def _any(part: Any) -> bool:
    return any(jax.tree.leaves(part))


def _shape(array: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(array.shape, array.dtype)
