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

    `features` has arrays of any number of examples of each side, such as "query".
    """
    params: dict[str, Any] = {}
    tables: dict[str, Any] = {}
    for side, given in features.items():
        held, (read, _) = _reads(model, side, state, given)
        for name, part in read["params"].items():
            looked_at = jax.tree.leaves(part)
            if any(looked_at) or not looked_at:  # A part without arrays is kept.
                params[name] = held["params"][name]
        tables |= held["tables"]
    return jax.device_get({"params": params, "tables": tables})


def features_read(model: Model, side: str, state: State, features: Features) -> set:
    """Returns the names of the features that a side looks at."""
    read = _reads(model, side, state, features)[1][1]
    return {name for name, is_read in read.items() if is_read}


def _reads(model: Model, side: str, state: State, features: Features) -> Any:
    """Returns what a side is given, and (held, features): which arrays it looks at."""
    tables = {name: state.tables[name] for name in model.side_rows(side, features)}
    held = {"params": dict(state.params), "tables": tables}
    leaves, tree = jax.tree.flatten((held, dict(features)))
    leaves = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves]

    def flat(leaves: list[Any]) -> Array:
        return tower_function(model, side)(*jax.tree.unflatten(tree, leaves))

    traced = jax.make_jaxpr(flat)(leaves).jaxpr
    read = {id(one) for step in traced.eqns for one in step.invars}
    read |= {id(one) for one in traced.outvars}
    return held, jax.tree.unflatten(tree, [id(one) in read for one in traced.invars])
