"""The training state: arrays only, so that checkpoints and resume are plain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax.sharding import Mesh

from recjax import rng
from recjax.features import Sides
from recjax.models.base import Model, TableRows, TableSpec
from recjax.nn.sketch import Counts
from recjax.optim import Optimizer
from recjax.sharding import dense, placement
from recjax.sharding import rows as table_rows
from recjax.typing import Array, Batch, Memory, Params, PRNGKey


@struct.dataclass
class State:
    """Everything that a step changes.

    Attributes:
      step: steps done.
      params: dense parameters.
      tables: embedding tables by name [V, D], split by rows over the mesh.
      opt: {"dense": optax state, "rows": table -> one number a row}.
      memory: the model's own pytree.
    """

    step: Array
    params: Params
    tables: Mapping[str, Array]
    opt: Mapping[str, Any]
    memory: Memory


def init(
    key: PRNGKey,
    model: Model,
    sides: Sides,
    optimizer: Optimizer,
    steps: int,
    batch: Batch,
    mesh: Mesh,
    rules: dense.Rules = dense.SPLIT,
) -> State:
    """Returns the state of step 0, each array where it will stay.

    Args:
      key: the run's root key.
      model: the model.
      sides: the features of the data set.
      optimizer: the optimizer.
      steps: steps of the run, for schedules.
      batch: any training batch, for shapes.
      mesh: the mesh.
      rules: where dense parameters lie.
    """
    specs = model.table_specs(sides)

    def make(key: PRNGKey) -> State:
        rows = _blank_rows(specs, model, batch)
        params, memory = model.init(rng.stream(key, "params"), rows, batch)
        tables = {
            name: _fill(rng.stream(key, f"tables/{name}"), spec, mesh)
            for name, spec in specs.items()
        }
        made = State(
            step=jnp.zeros((), jnp.int32),
            params=params,
            tables=tables,
            opt={
                "dense": optimizer.dense(params, steps).init(params),
                "rows": {
                    name: optimizer.row_rule(name).init(table.shape[0])
                    for name, table in tables.items()
                },
            },
            memory=memory,
        )
        # Of a Python number an array has a weak type, which a step makes a firm one:
        # the second step would be compiled anew.
        return jax.tree.map(lambda x: jax.lax.convert_element_type(x, x.dtype), made)

    shape = jax.eval_shape(make, key)
    return jax.jit(make, out_shardings=shardings(shape, mesh, rules))(key)


def shardings(state: State, mesh: Mesh, rules: dense.Rules = dense.SPLIT) -> State:
    """Returns the sharding of each array of a state (or of its shapes).

    Raises:
      UserError: a dense parameter that no rule covers.
    """
    params = dense.param_shardings(state.params, mesh, rules)
    whole: Any = placement.replicated(mesh)
    rows = placement.by_rows(mesh)
    return State(
        step=whole,
        params=params,
        tables=jax.tree.map(lambda _: rows, state.tables),
        opt={
            "dense": dense.state_shardings(
                state.opt["dense"], state.params, params, mesh
            ),
            "rows": jax.tree.map(lambda _: rows, state.opt["rows"]),
        },
        memory=jax.tree.map(
            lambda part: _counts(part, mesh) if isinstance(part, Counts) else whole,
            state.memory,
            is_leaf=lambda part: isinstance(part, Counts),
        ),
    )


def _counts(counts: Counts, mesh: Mesh) -> Counts:
    """A sketch may be larger than a table: its cells are split like one's rows."""
    whole: Any = placement.replicated(mesh)
    even = counts.cells.shape[1] % mesh.size == 0
    columns: Any = placement.by_columns(mesh)
    return Counts(columns if even else whole, whole)


def gather(
    tables: Mapping[str, Array],
    ids: Mapping[str, Mapping[str, Array]],
    specs: Mapping[str, TableSpec],
    mesh: Mesh,
    capped: bool = True,
) -> tuple[dict[str, TableRows], dict[str, Array], dict[str, Array]]:
    """Reads each distinct row that `ids` name, once.

    Args:
      tables: the tables.
      ids: table -> use -> ids, as `Model.rows` names them.
      specs: the tables' capacities.
      mesh: the mesh.
      capped: keep to the capacities; else there is room for every id.

    Returns:
      Rows for the model, the distinct ids [U] of each table, and how many of them
      found no room.
    """
    rows, distinct, overflow = {}, {}, {}
    for name, uses in ids.items():
        height = tables[name].shape[0]
        capacity = specs[name].distinct if capped else None
        capacity = capacity or sum(part.size for part in uses.values())
        if capacity >= height:
            # A batch that names more ids than there are rows takes them all, unsorted.
            unique, places = jnp.arange(height), uses
            overflow[name] = jnp.zeros((), jnp.int32)
        else:
            unique, places, overflow[name] = _distinct(uses, capacity, height)
        values = table_rows.read(tables[name], unique, mesh)
        rows[name], distinct[name] = TableRows(values, places), unique
    return rows, distinct, overflow


def _distinct(
    uses: Mapping[str, Array], capacity: int, height: int
) -> tuple[Array, dict[str, Array], Array]:
    # Tables that are named by the same ids sort them once: XLA merges the sorts.
    flat = jnp.concatenate([part.ravel() for part in uses.values()])
    unique, index, overflow = table_rows.distinct(flat, capacity, height)
    places, start = {}, 0
    for use, part in uses.items():
        places[use] = index[start : start + part.size].reshape(part.shape)
        start += part.size
    return unique, places, overflow


def _blank_rows(
    specs: Mapping[str, TableSpec], model: Model, batch: Batch
) -> dict[str, TableRows]:
    return {
        name: TableRows(
            jnp.zeros((1, specs[name].width)), jax.tree.map(jnp.zeros_like, uses)
        )
        for name, uses in model.rows(batch).items()
    }


def _fill(key: PRNGKey, spec: TableSpec, mesh: Mesh) -> Array:
    rows = placement.round_up(spec.rows, mesh)
    table = spec.init(key, (spec.rows, spec.width))
    return jnp.pad(table, ((0, rows - spec.rows), (0, 0)))
