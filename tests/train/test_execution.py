"""Micro-batches, remat, blocks of a softmax, bfloat16: what a step learns stays."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sessions
import small
from jax.sharding import set_mesh

from recjax.errors import UserError
from recjax.execution import PLAIN, Execution, block, executing, in_parts, product
from recjax.experiment import Experiment, Runtime
from recjax.losses.pairwise import ItemSoftmax
from recjax.models.session_model import SessionModel
from recjax.nn.gru import Gru
from recjax.nn.hier import HierTcn, SessionStates
from recjax.nn.tcn import Tcn
from recjax.optim import Adam, Optimizer, RowwiseAdagrad
from recjax.sharding.mesh import make_mesh
from recjax.train import fit, state
from recjax.train.program import Program, open_program
from recjax.train.step import make_objective

RULES = Optimizer({"tables/.*": RowwiseAdagrad(0.05), ".*": Adam(1e-2)})


def two_tower():
    """Returns a program whose loss compares all rows of a batch, without dropout."""
    made = small.experiment()
    query = made.model.query
    inputs = {name: one.clone(dropout=0.0) for name, one in query.inputs.items()}
    query = query.clone(inputs=inputs, hidden=(48, 48), dropout=0.0)
    made = replace(made, model=replace(made.model, query=query))
    return open_program(made, Runtime(mesh={"data": 1}))


def hier_tcn():
    """Returns a program with a memory that goes on from batch to batch."""
    encoder = HierTcn(SessionStates(Gru(6)), Tcn(8, blocks=2, kernel=3), width=8)
    data = sessions.opened(sessions.sessions(users=24))
    losses = {"softmax": ItemSoftmax()}
    made = Experiment(
        "hier", 0, 4, data.settings, SessionModel(encoder, 8), losses, RULES
    )
    return Program(made, Runtime(), data, make_mesh({"data": 1}))


class Learned:
    """A program's first step under several executions."""

    def __init__(self, program):
        """Draws the state and the batch."""
        self.program, self.mesh = program, program.mesh
        with set_mesh(self.mesh):
            self.state = program.init()
        self.batch = jax.tree.map(jnp.asarray, program.example_batch)

    def traced(self, execution):
        """Returns (parameters, rows' values) -> (total, (means, memory)), and both."""
        program, made = self.program, self.program.experiment
        tables, ids = self.state.tables, made.model.rows(self.batch)
        rows, _, _ = state.gather(tables, ids, program.specs, self.mesh)
        objective = make_objective(
            program.key, made.model, made.losses, made.steps, execution
        )
        held = (rows, self.batch, self.state.memory, self.state.step)
        values = {name: row.values for name, row in rows.items()}
        return lambda p, v: objective(p, v, *held), self.state.params, values

    def first(self, execution):
        """Returns total, memory and gradients."""
        with set_mesh(self.mesh):
            function, *given = self.traced(execution)
            both = jax.jit(jax.value_and_grad(function, (0, 1), has_aux=True))
            (total, (_, memory)), gradients = both(*given)
        return jax.device_get((total, memory, gradients))


@pytest.fixture(scope="module", params=[two_tower, hier_tcn])
def learned(request):
    found = Learned(request.param())
    return found, found.first(PLAIN)


@pytest.fixture(scope="module")
def pairs():
    return Learned(two_tower())


def test_a_step_in_parts_learns_what_the_plain_one_learns(learned):
    found, wanted = learned
    got = found.first(Execution(micro_batches=2, remat=True, softmax_rows=4))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), got, wanted)


def test_bfloat16_is_near_and_gradients_are_float32(learned):
    found, wanted = learned
    got = found.first(Execution(activations="bfloat16"))
    assert got[0] == pytest.approx(wanted[0], rel=5e-3) and got[0] != wanted[0]
    assert {str(a.dtype) for a in jax.tree.leaves(got)} == {
        str(a.dtype) for a in jax.tree.leaves(wanted)
    }
    flat = [
        np.concatenate([a.ravel() for a in jax.tree.leaves(x[2])])
        for x in (got, wanted)
    ]
    cosine = flat[0] @ flat[1] / np.linalg.norm(flat[0]) / np.linalg.norm(flat[1])
    assert cosine > 0.995


def test_less_is_kept_for_the_way_back(pairs):
    program = pairs.program
    kept = partial(fit.kept_bytes, program)
    plain = kept(PLAIN)
    for changes in (
        {"micro_batches": 4},
        {"remat": True},
        {"softmax_rows": 2},
        {"activations": "bfloat16"},
    ):
        assert kept(Execution(**changes)) < plain, changes


def test_advice_names_a_setting_that_would_fit(pairs):
    whole, less = (
        fit.kept_bytes(pairs.program, Execution(remat=remat)) for remat in (False, True)
    )
    told = fit.advice(pairs.program, fit.Need(0, 0, 0, whole), less)
    assert any(line.endswith("--set-runtime remat=True") for line in told)


def test_micro_batches_take_less_working_memory():
    weights = [jnp.ones((16, 256)), jnp.ones((256, 16))] * 2

    def network(weights, rows, key):
        for kernel in weights:
            rows = block(jnp.sin(product(rows, kernel)))
        return rows

    def working(execution):
        def total(weights):
            with executing(execution):
                rows = jnp.ones((2048, 16))
                return in_parts(partial(network, weights), rows, None).sum()

        compiled = jax.jit(jax.grad(total)).lower(weights).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert working(Execution(micro_batches=8)) < working(PLAIN) / 4
    half = working(Execution(micro_batches=8, activations="bfloat16"))
    assert half < working(PLAIN) / 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"micro_batches": 3}, "micro_batches = 3 does not divide"),
        ({"softmax_rows": 5}, "losses.softmax: runtime.softmax_rows = 5 does not"),
    ],
)
def test_parts_that_do_not_divide(pairs, changes, message):
    with set_mesh(pairs.mesh), pytest.raises(UserError, match=message):
        function, *given = pairs.traced(Execution(**changes))
        jax.eval_shape(function, *given)


@pytest.mark.parametrize(
    "changes",
    [{"micro_batches": 2}, {"remat": True}, {"softmax_rows": 2}]
    + [{"activations": "bfloat16"}],
)
def test_what_nothing_does_is_refused(changes):
    name, value = next(iter(changes.items()))
    with pytest.raises(UserError, match=f"runtime.{name} = {value}: "):
        with executing(Execution(**changes)):
            block(jnp.ones(3))


def test_a_block_outside_of_parts_is_no_remat():
    with pytest.raises(UserError, match=r"remat = True: .* inside of `in_parts`"):
        with executing(Execution(remat=True)):
            block(in_parts(lambda x, key: x + 1, jnp.ones(3), None))
