"""Whole steps against dense row-wise Adagrad in NumPy, with ids that repeat."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recjax.losses import LossValue
from recjax.models import TableSpec
from recjax.optim import Adam, Optimizer, RowwiseAdagrad, WarmupCosine
from recjax.sharding.mesh import make_mesh
from recjax.train import state as states
from recjax.train.step import compile_step, make_step

ROWS, WIDTH, BATCH, LENGTH, STEPS = 20, 3, 5, 4, 6


@dataclass(frozen=True)
class Sums:
    """A model whose output is the weighted sum of the rows that a batch names."""

    distinct: int | None = None

    def table_specs(self, sides):
        def init(key, shape):
            return jax.random.normal(key, shape)

        return {"t": TableSpec(ROWS, WIDTH, init, self.distinct)}

    def init(self, key, rows, batch):
        return {"bias": jnp.zeros(WIDTH)}, {}

    def rows(self, batch):
        return {"t": {"a": batch["a"], "b": batch["b"]}}

    def apply(self, params, rows, batch, memory, key):
        taken = rows["t"]
        named = taken.values[taken.index["a"]].sum(1)
        named += 2 * taken.values[taken.index["b"]]
        return (named + params["bias"], batch["target"]), memory


class Square:
    weight = 1.0

    def __call__(self, outputs):
        got, target = outputs
        value = jnp.sum((got - target) ** 2, -1)
        return LossValue(value, jnp.ones(len(value)))


def batch(step):
    random = np.random.default_rng(step)
    # Few ids, so that they repeat within a row, between rows and between uses.
    return {
        "a": random.integers(0, 8, (BATCH, LENGTH)).astype(np.int32),
        "b": random.integers(4, 12, BATCH).astype(np.int32),
        "target": random.normal(size=(BATCH, WIDTH)).astype(np.float32),
    }


def dense_gradient(table, bias, batch):
    """Returns d loss / d table, one use of a row after the other."""
    grad = np.zeros_like(table)
    for a, b, target in zip(batch["a"], batch["b"], batch["target"], strict=True):
        outer = 2 * (table[a].sum(0) + 2 * table[b] + bias - target) / BATCH
        for row in a:
            grad[row] += outer
        grad[b] += 2 * outer
    return grad


def run(optimizer, model, steps):
    mesh, key = make_mesh({"data": 1}), jax.random.key(0)
    state = states.init(key, model, {}, optimizer, STEPS, batch(0), mesh)
    step = make_step(key, model, {}, {"l": Square()}, optimizer, STEPS, mesh)
    step = compile_step(step, state, mesh)
    history = [jax.device_get(state)]
    for number in range(steps):
        state, report = step(state, batch(number))
        history.append(jax.device_get(state))
    return history, jax.device_get(report)


# With more room than the table has rows, all of them are taken and none sorted.
@pytest.mark.parametrize("distinct", [None, 14, 10_000])
@pytest.mark.parametrize("initial, decay", [(0.0, 0.0), (0.3, 0.0), (0.0, 0.7)])
def test_same_as_dense_adagrad_on_summed_gradients(distinct, initial, decay):
    rule = RowwiseAdagrad(0.1, initial, eps=1e-6, weight_decay=decay)
    schedule = WarmupCosine(3)
    optimizer = Optimizer({"tables/.*": rule, ".*": Adam(0.05)}, schedule)
    history, report = run(optimizer, Sums(distinct), STEPS)
    assert report.overflow["t"] == 0
    table = history[0].tables["t"].astype(np.float64)
    slots = np.full(len(table), initial)
    for step, (before, after) in enumerate(zip(history, history[1:], strict=False)):
        grad = dense_gradient(table, before.params["bias"], batch(step))
        slots += (grad**2).mean(1)
        factor = float(schedule(step, STEPS))
        decayed = np.where((grad != 0).any(1, keepdims=True), decay * table, 0)
        table -= 0.1 * factor * (grad / (np.sqrt(slots) + 1e-6)[:, None] + decayed)
        np.testing.assert_allclose(after.tables["t"], table, rtol=2e-5, atol=2e-5)
        np.testing.assert_allclose(after.opt["rows"]["t"], slots, rtol=1e-4)


@pytest.mark.parametrize("distinct", [None, 10_000])
def test_rows_that_a_batch_does_not_name_keep_every_bit(distinct):
    rule = RowwiseAdagrad(0.1, weight_decay=0.5)
    optimizer = Optimizer({"tables/.*": rule, ".*": Adam(0.05)})
    history, _ = run(optimizer, Sums(distinct), STEPS)
    for step, (before, after) in enumerate(zip(history, history[1:], strict=False)):
        named = np.unique([*batch(step)["a"].ravel(), *batch(step)["b"]])
        others = np.setdiff1d(np.arange(ROWS), named)
        for get in (lambda s: s.tables["t"], lambda s: s.opt["rows"]["t"]):
            assert get(before)[others].tobytes() == get(after)[others].tobytes()
        changed = (before.tables["t"] != after.tables["t"]).any(1)
        np.testing.assert_array_equal(np.flatnonzero(changed), named)


def test_distinct_rows_without_room_are_counted():
    optimizer = Optimizer({"tables/.*": RowwiseAdagrad(0.1), ".*": Adam(0.05)})
    _, report = run(optimizer, Sums(distinct=3), 1)
    named = np.unique([*batch(0)["a"].ravel(), *batch(0)["b"]])
    assert report.overflow["t"] == len(named) - 3
