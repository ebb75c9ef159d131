"""Histories: ages, positions, padding, and batches of any size, against loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from recjax.nn.decayed_sum import DecayedSum, RecencyBag

ROWS, WIDTH = 9, 4
RANDOM = np.random.default_rng(0)
TABLE = RANDOM.normal(size=(ROWS, WIDTH)).astype(np.float32)
IDS = np.array(
    [[3, 1, 8, 0, 0], [0, 0, 0, 0, 0], [6, 0, 0, 0, 0], [2, 4, 5, 1, 7]], np.int32
)
AGES = np.where(IDS > 0, RANDOM.integers(0, 90_000, IDS.shape), 0).astype(np.float32)


def given(module, ids=IDS, ages=AGES, table=TABLE):
    positions = np.asarray(module.row_ids(ids)[module.table])
    rows = {module.table: (jnp.asarray(table), positions)}
    return "history", {"history": ids, "age": ages}, rows


@pytest.fixture(scope="module")
def variables():
    """Returns parameters that no symmetry hides a mistake in."""
    made = RecencyBag("item", WIDTH, 3, age="age", hidden=6).init(
        jax.random.key(0), *given(RecencyBag("item", WIDTH)), False
    )
    random = np.random.default_rng(1)
    return jax.tree.map(
        lambda p: (p + random.normal(size=p.shape)).astype(np.float32), made
    )


def naive(params, ids, ages, use_age=True):
    """Returns the heads' weights of each history, row 0 last, and the output."""
    params = jax.tree.map(np.asarray, params)
    out, all_weights = [], []
    for row, age in zip(ids, ages, strict=True):
        held = [(id, old) for id, old in zip(row, age, strict=True) if id]
        heads, weights = [], []
        for by_age, by_place, before in zip(
            params["by_age"], params["by_place"], params["before"], strict=True
        ):
            some = [
                (1 + old / 60 * use_age) ** -by_age * (len(held) - p) ** -by_place
                for p, (_, old) in enumerate(held)
            ] + [np.exp(before)]
            some = np.array(some) / sum(some)
            heads.append(some @ TABLE[[id for id, _ in held] + [0]])
            weights.append(some)
        joined = np.concatenate(heads)
        total = joined @ params["linear"]["kernel"] + params["linear"]["bias"]
        if "hidden" in params:
            deep = np.maximum(joined @ params["hidden"]["kernel"], 0)
            total = total + deep @ params["out"]["kernel"]
        out.append(total)
        all_weights.append(np.array(weights))
    return np.array(out), all_weights


def test_as_in_loops(variables):
    module = RecencyBag("item", WIDTH, 3, age="age", hidden=6)
    got = module.apply(variables, *given(module), False)
    wanted, _ = naive(variables["params"], IDS, AGES)
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_without_ages(variables):
    params = {
        k: v for k, v in variables["params"].items() if k not in ("hidden", "out")
    }
    module = RecencyBag("item", WIDTH, 3)
    got = module.apply({"params": params}, *given(module), False)
    wanted, _ = naive(params, IDS, AGES, use_age=False)
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_padding_does_not_matter(variables):
    module = RecencyBag("item", WIDTH, 3, age="age", hidden=6)
    whole = module.apply(variables, *given(module), False)
    wide = [np.pad(a, ((0, 0), (0, 4))) for a in (IDS, AGES)]
    # Whatever age padding may have.
    wide[1] = np.where(wide[0] > 0, wide[1], 123_456).astype(np.float32)
    got = module.apply(variables, *given(module, *wide), False)
    np.testing.assert_allclose(got, whole, rtol=1e-5, atol=1e-6)


def test_older_events_weigh_less_at_the_start():
    module = RecencyBag("item", WIDTH, 3, age="age")
    params = module.init(jax.random.key(0), *given(module), False)["params"]
    ids = np.array([[1, 2, 3, 4, 5]], np.int32)
    for ages in ([[90_000, 9_000, 900, 90, 0]], [[0, 0, 0, 0, 0]]):
        _, (weights,) = naive(params, ids, np.array(ages, np.float32))
        steps = np.diff(weights[:, :-1], axis=1)
        assert (steps > 0).all() if ages[0][0] else (abs(steps) < 1e-9).all()
        np.testing.assert_allclose(weights.sum(1), 1)


def test_an_empty_history_is_row_0_alone(variables):
    module = RecencyBag("item", WIDTH, 3, age="age", hidden=6)
    empty = np.zeros((1, 5), np.int32)
    other = TABLE + np.where(np.arange(ROWS)[:, None] > 0, 7, 0).astype(np.float32)
    told = given(module, empty, 0 * empty)
    moved = given(module, empty, 0 * empty, other)
    np.testing.assert_array_equal(
        module.apply(variables, *told, False), module.apply(variables, *moved, False)
    )


def test_dropped_ids_leave_row_0(variables):
    module = RecencyBag("item", WIDTH, 3, age="age", hidden=6, id_dropout=0.999999)
    rngs = {"dropout": jax.random.key(0)}
    got = module.apply(variables, *given(module), True, rngs=rngs)
    wanted, _ = naive(variables["params"], IDS * 0, AGES)
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_recall_as_in_loops():
    module = DecayedSum("item", "age", power=1.3, scale=2.0)
    got = np.asarray(module.apply({}, *given(module), False))
    for row, ids, ages in zip(got, IDS, AGES, strict=True):
        wanted = np.zeros(WIDTH)
        for id, age in zip(ids, ages, strict=True):
            if id:
                wanted += 2 * (1 + age / 60) ** -1.3 * TABLE[id]
        np.testing.assert_allclose(row, wanted, rtol=1e-4, atol=1e-6)
    assert not got[1].any()


def test_batches_of_any_size_have_one_program(variables):
    (batch,) = export.symbolic_shape("b")
    for module, held in (
        (RecencyBag("item", WIDTH, 3, age="age", hidden=6), variables),
        (DecayedSum("item", "age", 1.0), {}),
    ):

        def embed(ids, ages, module=module, held=held):
            rows = {"item": (jnp.asarray(TABLE), module.row_ids(ids)["item"])}
            features = {"history": ids, "age": ages}
            return module.apply(held, "history", features, rows, False)

        shapes = [jax.ShapeDtypeStruct((batch, 5), a.dtype) for a in (IDS, AGES)]
        program = export.export(jax.jit(embed))(*shapes)
        for rows in (1, 3):
            got = program.call(IDS[:rows], AGES[:rows])
            np.testing.assert_allclose(got, embed(IDS[:rows], AGES[:rows]), rtol=1e-5)
