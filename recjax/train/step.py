"""One training step: a pure function of state and batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax.sharding import Mesh

from recjax import pytree, rng
from recjax.execution import PLAIN, Execution, executing
from recjax.features import Sides
from recjax.losses import Loss
from recjax.losses.check import checked
from recjax.models.base import Model
from recjax.optim import Optimizer
from recjax.sharding import placement
from recjax.sharding import rows as table_rows
from recjax.sharding.dense import SPLIT, Rules
from recjax.train.state import State, gather, shardings
from recjax.typing import Array, Batch, PRNGKey


@struct.dataclass
class StepReport:
    """What a step tells the log. Means travel as (total, weight), never averaged twice.

    Attributes:
      means: name -> (weighted total, weight).
      values: name -> figure of this step alone.
      broken: path -> whether that array held a NaN or infinity.
      overflow: table -> distinct rows for which there was no room.
    """

    means: Mapping[str, tuple[Array, Array]]
    values: Mapping[str, Array]
    broken: Mapping[str, Array]
    overflow: Mapping[str, Array]


StepFn = Callable[[State, Batch], tuple[State, StepReport]]


def make_step(
    key: PRNGKey,
    model: Model,
    sides: Sides,
    losses: Mapping[str, Loss],
    optimizer: Optimizer,
    steps: int,
    mesh: Mesh,
    execution: Execution = PLAIN,
) -> StepFn:
    """Returns the step, not yet compiled.

    Args:
      key: the run's root key.
      model: the model.
      sides: the features of the data set.
      losses: name -> loss; their weighted sum is minimised.
      optimizer: the optimizer.
      steps: steps of the run, for schedules.
      mesh: the mesh.
      execution: how much memory it may take, and of which type.

    Raises:
      UserError: by the step, when first called: a loss's settings or the execution do
        not fit.
    """
    specs, whole = model.table_specs(sides), placement.replicated(mesh)
    objective = make_objective(key, model, losses, steps, execution)

    def step(state: State, batch: Batch) -> tuple[State, StepReport]:
        rows, distinct, overflow = gather(state.tables, model.rows(batch), specs, mesh)
        # Parameters that lie split are whole while they are used.
        params = jax.lax.with_sharding_constraint(state.params, whole)
        values = {name: row.values for name, row in rows.items()}

        (total, (means, memory)), (dense, by_row) = jax.value_and_grad(
            objective, argnums=(0, 1), has_aux=True
        )(params, values, rows, batch, state.memory, state.step)
        optimize = optimizer.dense(state.params, steps)
        updates, dense_opt = optimize.update(dense, state.opt["dense"], state.params)
        factor = optimizer.schedule(state.step, steps)
        tables, row_opt = dict(state.tables), dict(state.opt["rows"])
        touched = {}
        for name, ids in distinct.items():
            slots = table_rows.read(row_opt[name], ids, mesh)
            new, slots = optimizer.row_rule(name).update(
                values[name], by_row[name], slots, factor
            )
            tables[name] = table_rows.write(tables[name], ids, new, mesh)
            row_opt[name] = table_rows.write(row_opt[name], ids, slots, mesh)
            touched[name] = {"rows": new, "opt": slots}
        new_state = State(
            step=state.step + 1,
            params=optax.apply_updates(state.params, updates),
            tables=tables,
            opt={"dense": dense_opt, "rows": row_opt},
            memory=memory,
        )
        report = StepReport(
            means={"loss": (total, jnp.float32(1)), **means},
            values={
                "learning_rate_factor": factor,
                "grad_norm": optax.tree.norm(dense),
            },
            # The new state too: gradients may be finite and the step all the same not.
            broken=_broken(
                {
                    "loss": total,
                    "grad": dense,
                    "grad/tables": by_row,
                    "params": new_state.params,
                    "tables": touched,
                    "memory": memory,
                }
            ),
            overflow=overflow,
        )
        return new_state, report

    return step


def make_objective(
    key: PRNGKey,
    model: Model,
    losses: Mapping[str, Loss],
    steps: int,
    execution: Execution,
) -> Callable[..., tuple[Array, Any]]:
    """Returns what a step minimises.

    Args: as of `make_step`.

    Returns:
      (dense parameters, rows of tables, what they are rows of, batch, memory, step) ->
      the total, and (means, the new memory).
    """

    def objective(params, values, rows, batch, memory, step):
        taken = {k: r._replace(values=values[k]) for k, r in rows.items()}
        step_key = rng.stream(key, "step", step)
        with executing(execution):
            outputs, memory = model.apply(params, taken, batch, memory, step_key)
            total, means = _total_loss(losses, outputs, step, steps)
        return total, (means, memory)

    return objective


def compile_step(
    step: StepFn, state: State, mesh: Mesh, rules: Rules = SPLIT
) -> StepFn:
    """Compiles a step for a mesh; the state's buffers are reused in place."""
    where = shardings(state, mesh, rules)
    return jax.jit(
        step,
        in_shardings=(where, placement.by_batch(mesh)),
        out_shardings=(where, placement.replicated(mesh)),
        donate_argnums=0,
    )


def _total_loss(
    losses: Mapping[str, Loss], outputs: object, step: Array, steps: int
) -> tuple[Array, dict[str, tuple[Array, Array]]]:
    total, means = jnp.float32(0), {}
    for name, loss in losses.items():
        got = checked(name, loss, outputs)
        weight = jnp.sum(got.weight)
        weighted = partial(jnp.vdot, got.weight)
        mean = weighted(got.value) / jnp.maximum(weight, 1e-12)
        factor = loss.weight(step, steps) if callable(loss.weight) else loss.weight
        total += factor * mean
        means[f"{name}/loss"] = (weighted(got.value), weight)
        for monitor, value in got.monitors.items():
            means[f"{name}/{monitor}"] = (weighted(value), weight)
    return total, means


def _broken(arrays: object) -> dict[str, Array]:
    return {
        name: ~jnp.all(jnp.isfinite(leaf)) for name, leaf in pytree.named_leaves(arrays)
    }
