"""The step of a session model as a pure function of named arrays: for every export."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from recjax.data.sessions.fixed import FixedVectors
from recjax.models.session_model import ITEM, SessionModel
from recjax.nn.session import session_rows
from recjax.typing import Array

MEMORY = "memory/"


def empty_memory(model: SessionModel) -> dict[str, np.ndarray]:
    """Returns the memory of a user that nobody met, name -> array without rows."""
    memory = jax.device_get(model.encoder.start(1, model.width))
    return {name: np.asarray(leaf)[0] for name, leaf in _named(memory).items()}


def step_function(
    model: SessionModel,
) -> Callable[[Any, Mapping[str, Array]], dict[str, Array]]:
    """Returns ({"params", "items"}, arrays) -> arrays: one event of each of `B` users.

    It takes item (from 1), position and age i32[B, 1], gap f32[B, 1] (seconds before
    the session) and the memory by name; it returns `user`, the query *before* the event
    f32[B, D], and the memory after it.
    """
    tree = jax.tree.structure(
        jax.eval_shape(lambda: model.encoder.start(1, model.width))
    )

    def step(held: Any, arrays: Mapping[str, Array]) -> dict[str, Array]:
        memory = jax.tree.unflatten(
            tree, [arrays[f"{MEMORY}{i}"] for i in range(tree.num_leaves)]
        )
        names = ("item", "position", "age", "gap")
        row = session_rows(*(arrays[name] for name in names))
        events = jnp.take(held["items"], arrays["item"], axis=0)
        user, memory = model.users(held["params"], events, row, memory)
        return {"user": user[:, 0], **_named(memory)}

    return step


def _named(memory: Any) -> dict[str, Any]:
    return {f"{MEMORY}{i}": leaf for i, leaf in enumerate(jax.tree.leaves(memory))}


def step_arrays(empty: Mapping[str, np.ndarray], users: int) -> dict[str, np.ndarray]:
    """Returns arrays that a step takes, for their shapes."""
    whole = {name: np.repeat(value[None], users, 0) for name, value in empty.items()}
    return {
        "item": np.ones((users, 1), np.int32),
        "position": np.zeros((users, 1), np.int32),
        "age": np.zeros((users, 1), np.int32),
        "gap": np.zeros((users, 1), np.float32),
        **whole,
    }


def held_arrays(
    params: Any, tables: Mapping[str, Any], fixed: FixedVectors | None
) -> Any:
    """Returns what the step needs of a trained state, in host memory.

    Args:
      params: dense parameters.
      tables: by name.
      fixed: vectors of items that are not learned.
    """
    items = tables[ITEM] if fixed is None else fixed.of_ids(np.arange(len(fixed) + 1))
    return jax.device_get({"params": params, "items": items})
