"""One side of a model as a pure function, with as little of the state as it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax

from recjax.models import Model
from recjax.models.base import whole_tables
from recjax.train.state import State
from recjax.typing import Array

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
        read = reads(tower_function(model, side), one, given)[0]["params"]
        params |= {n: p for n, p in one["params"].items() if _any(read[n])}
        tables |= one["tables"]
    return jax.device_get({"params": params, "tables": tables})


def features_read(
    model: Model, side: str, state: State, features: Features
) -> list[str]:
    """Returns the names of the features that a side looks at."""
    held = _held(model, side, state, features)
    read = reads(tower_function(model, side), held, dict(features))[1]
    return [name for name, is_read in read.items() if is_read]


def reads(function: Callable, *arguments: Any) -> Any:
    """Returns which arrays of its arguments a function looks at, in their structure."""
    leaves, tree = jax.tree.flatten(arguments)
    leaves = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves]

    def flat(leaves: list[Any]) -> Any:
        return function(*jax.tree.unflatten(tree, leaves))

    traced = jax.make_jaxpr(flat)(leaves).jaxpr
    read = {id(one) for step in traced.eqns for one in step.invars}
    read |= {id(one) for one in traced.outvars}
    return jax.tree.unflatten(tree, [id(one) in read for one in traced.invars])


def _held(model: Model, side: str, state: State, features: Features) -> Any:
    tables = {name: state.tables[name] for name in model.side_rows(side, features)}
    return {"params": dict(state.params), "tables": tables}


def _any(part: Any) -> bool:
    """Says whether anything of a part is read; a part without arrays is kept."""
    leaves = jax.tree.leaves(part)
    return any(leaves) or not leaves
