"""The step of a session model as a pure function of named arrays: for every export."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from recjax.models.session_model import SessionModel
from recjax.nn.session import session_rows
from recjax.typing import Array

MEMORY = "memory_"

StepFn = Callable[[Any, Mapping[str, Array]], dict[str, Array]]


def empty_memory(model: SessionModel) -> dict[str, np.ndarray]:
    """Returns the memory of a user that nobody met, name -> array without rows."""
    memory = jax.device_get(model.encoder.start(1, model.width))
    return {name: np.asarray(leaf)[0] for name, leaf in _named(memory).items()}


def step_function(model: SessionModel) -> StepFn:
    """Returns ({"params", "items"}, arrays) -> arrays: one event of each of `B` users.

    It takes item (from 1), position and age i32[B, 1], gap f32[B, 1] (seconds before
    the session) and the memory by name; it returns `user`, the query *before* the event
    f32[B, D], and the memory after it.
    """
    start = jax.eval_shape(lambda: model.encoder.start(1, model.width))
    tree = jax.tree.structure(start)

    def step(held: Any, arrays: Mapping[str, Array]) -> dict[str, Array]:
        leaves = [arrays[f"{MEMORY}{i}"] for i in range(tree.num_leaves)]
        memory = jax.tree.unflatten(tree, leaves)
        names = ("item", "position", "age", "gap")
        row = session_rows(*(arrays[name] for name in names))
        events = jnp.take(held["items"], arrays["item"], axis=0)
        user, memory = model.users(held["params"], events, row, memory)
        return {"user": user[:, 0], **_named(memory)}

    return step


def _named(memory: Any) -> dict[str, Any]:
    return {f"{MEMORY}{i}": leaf for i, leaf in enumerate(jax.tree.leaves(memory))}
