"""The step of a session model as a pure function of named arrays: for every export."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from recjax.bundle.session_columns import EVENT, USER
from recjax.models import session_columns
from recjax.models.base import whole_tables
from recjax.models.session_columns import columns_of
from recjax.models.session_model import SessionModel
from recjax.nn.session import session_rows
from recjax.nn.tower import Tower
from recjax.typing import Array

MEMORY = "memory_"

StepFn = Callable[[Any, Mapping[str, Array]], dict[str, Array]]


def empty_memory(model: SessionModel) -> dict[str, np.ndarray]:
    """Returns the memory of a user that nobody met, name -> array without rows."""
    memory = jax.device_get(model.encoder.start(1, model.width))
    return {name: np.asarray(leaf)[0] for name, leaf in _named(memory).items()}


def step_function(model: SessionModel) -> StepFn:
    """Returns ({"params", "items", "tables"}, arrays) -> arrays: an event of `B` users.

    It takes item (from 1), position and age i32[B, 1], gap f32[B, 1] (seconds before
    the session), the features of columns of the event event_NAME and of the user
    user_NAME [B, L], and the memory by name; it returns `user`, the query *before* the
    event f32[B, D], and the memory after it.
    """
    start = jax.eval_shape(lambda: model.encoder.start(1, model.width))
    tree = jax.tree.structure(start)

    def step(held: Any, arrays: Mapping[str, Array]) -> dict[str, Array]:
        leaves = [arrays[f"{MEMORY}{i}"] for i in range(tree.num_leaves)]
        memory = jax.tree.unflatten(tree, leaves)
        names = ("item", "position", "age", "gap")
        row = session_rows(*(arrays[name] for name in names))
        events = jnp.take(held["items"], arrays["item"], axis=0)
        towers, batch = _columns(model, arrays)
        rows = whole_tables(held["tables"], session_columns.row_ids(towers, batch))
        more = session_columns.each(towers, held["params"], rows, batch, None)
        added = dict(zip(towers, more, strict=True))
        if EVENT in added:
            events = events + added[EVENT]
        read = events, added.get(USER)
        user, memory = model.users(held["params"], read, row, memory)
        return {"user": user[:, 0], **_named(memory)}

    return step


def tables_read(model: SessionModel, arrays: Mapping[str, Any]) -> Iterable[str]:
    """Returns the tables that a step of arrays reads."""
    return session_columns.row_ids(*_columns(model, arrays))


def _columns(
    model: SessionModel, arrays: Mapping[str, Array]
) -> tuple[dict[str, Tower], dict[str, dict[str, Array]]]:
    """Returns the towers of a step, and their columns as a batch of one event a row."""
    both = {EVENT: model.event, USER: model.user}
    towers = {table: tower for table, tower in both.items() if tower is not None}
    batch = {
        columns_of(table): {
            name.removeprefix(f"{table}_"): array[:, None]
            for name, array in arrays.items()
            if name.startswith(f"{table}_")
        }
        for table in towers
    }
    return towers, batch


def _named(memory: Any) -> dict[str, Any]:
    return {f"{MEMORY}{i}": leaf for i, leaf in enumerate(jax.tree.leaves(memory))}
