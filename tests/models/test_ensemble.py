"""Members of an ensemble learn as if each were alone, and embed together."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small

from recjax import rng
from recjax.errors import UserError
from recjax.losses import SampledSoftmax
from recjax.models import Ensemble
from recjax.models.base import whole_tables
from recjax.train.program import open_program

KEY = rng.root(0)
COUNT = 2


def joined():
    """Returns the small experiment with an ensemble of its model."""
    alone = small.experiment()
    losses = {f"softmax_{m}": SampledSoftmax(of=str(m)) for m in range(COUNT)}
    model = Ensemble((alone.model,) * COUNT)
    return replace(alone, model=model, losses=losses)


@pytest.fixture(scope="module")
def program():
    return open_program(joined(), small.runtime())


@pytest.fixture(scope="module")
def made(program):
    """Returns model, batch, tables, parameters, memory."""
    model = program.experiment.model
    batch = jax.tree.map(jnp.asarray, program.example_batch)
    random = np.random.default_rng(0)
    tables = {
        name: jnp.asarray(random.normal(size=(spec.rows, spec.width)), jnp.float32)
        for name, spec in model.table_specs(program.dataset.sides).items()
    }
    rows = whole_tables(tables, model.rows(batch))
    params, memory = jax.jit(model.init)(KEY, rows, batch)
    return model, batch, tables, params, memory


def own(named, m):
    return {name[:-2]: part for name, part in named.items() if name[-1] == str(m)}


def test_every_member_has_tables_and_parameters_of_its_own(program, made):
    model, _, tables, params, _ = made
    alone = model.members[0].table_specs(program.dataset.sides)
    assert set(tables) == {f"{name}_{m}" for name in alone for m in range(COUNT)}
    assert set(params) == {
        f"{name}_{m}" for name in ("query", "candidate", "log_scale") for m in (0, 1)
    }
    one, other = own(params, 0), own(params, 1)
    assert jax.tree.structure(one) == jax.tree.structure(other)
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), one, other)
    assert moved["query"]["mlp"]["Dense_0"]["kernel"]


def test_a_member_gives_what_it_would_alone_for_every_second_row(made):
    model, batch, tables, params, memory = made
    rows = whole_tables(tables, model.rows(batch))
    outputs, _ = jax.jit(model.apply)(params, rows, batch, memory, KEY)
    assert set(outputs) == {"0", "1"}
    for m, member in enumerate(model.members):
        part = jax.tree.map(lambda array, m=m: array[m::COUNT], batch)
        rows = whole_tables(own(tables, m), member.rows(part))
        key = rng.stream(KEY, f"member_{m}")
        wanted, _ = jax.jit(member.apply)(own(params, m), rows, part, {}, key)
        for got, want in zip(
            jax.tree.leaves(outputs[str(m)]), jax.tree.leaves(wanted), strict=True
        ):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_a_members_loss_moves_that_member_alone(made):
    model, batch, tables, params, memory = made

    def loss(params, tables):
        rows = whole_tables(tables, model.rows(batch))
        outputs, _ = model.apply(params, rows, batch, memory, KEY)
        return SampledSoftmax(of="1")(outputs).value.sum()

    grads, of_tables = jax.jit(jax.grad(loss, (0, 1)))(params, tables)
    still = [own(grads, 0), own(of_tables, 0)]
    moving = [own(grads, 1), own(of_tables, 1)]
    assert all(not leaf.any() for leaf in jax.tree.leaves(still))
    assert all(leaf.any() for leaf in jax.tree.leaves(moving))


@pytest.mark.parametrize("side", ["query", "candidate"])
def test_scores_of_members_add_up(made, side):
    model, batch, tables, params, _ = made
    features = batch["query" if side == "query" else "positive"]

    def embed(model, params, tables):
        rows = whole_tables(tables, model.side_rows(side, features))
        return jax.jit(model.embed, static_argnums=2)(params, rows, side, features)

    whole = embed(model, params, tables)
    parts = [
        embed(member, own(params, m), own(tables, m))
        for m, member in enumerate(model.members)
    ]
    assert whole.shape == (len(parts[0]), COUNT * small.WIDTH)
    scores = sum(np.asarray(part) @ np.asarray(part).T for part in parts)
    np.testing.assert_allclose(whole @ whole.T, scores, rtol=1e-4, atol=1e-5)


def test_a_step_trains_all_members(program):
    state = program.init()
    before = jax.tree.map(np.asarray, (state.params, state.tables))
    batch = next(program.batches(0))
    with jax.sharding.set_mesh(program.mesh):
        state, _ = program.step()(state, batch)
    moved = jax.tree.map(
        lambda a, b: bool((a != np.asarray(b)).any()),
        before,
        (state.params, state.tables),
    )
    assert all(jax.tree.leaves(moved))


def test_a_batch_that_does_not_part_is_an_error():
    alone = small.experiment()
    program = open_program(
        replace(alone, model=Ensemble((alone.model,) * 3)), small.runtime()
    )
    with pytest.raises(UserError, match=r"ensemble of 3 members .* 16 rows"):
        program.init()
