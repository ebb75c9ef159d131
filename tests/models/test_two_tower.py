"""What a two-tower names is what it uses, and nothing else moves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small

from recjax import rng
from recjax.errors import UserError
from recjax.features import DenseFeature, IdFeature
from recjax.models import Table, TwoTower
from recjax.models.base import TableRows, whole_tables
from recjax.nn.inputs import EmbeddingBag
from recjax.nn.tower import Tower
from recjax.train.program import open_program
from recjax.train.state import gather

KEY = rng.root(0)


@pytest.fixture(scope="module")
def program():
    return open_program(small.experiment(), small.runtime())


@pytest.fixture(scope="module")
def made(program):
    """Returns model, batch, tables, parameters."""
    model, sides = program.experiment.model, program.dataset.sides
    batch = jax.tree.map(jnp.asarray, program.example_batch)
    random = np.random.default_rng(0)
    tables = {
        name: jnp.asarray(random.normal(size=(spec.rows, spec.width)), jnp.float32)
        for name, spec in model.table_specs(sides).items()
    }
    rows = whole_tables(tables, model.rows(batch))
    params, memory = jax.jit(model.init)(KEY, rows, batch)
    assert memory == {}
    return model, batch, tables, params


@pytest.fixture(scope="module")
def apply(made):
    """Returns the model's `apply`, compiled once for all tests."""
    return jax.jit(made[0].apply)


def named(ids):
    """Returns table -> the distinct rows that are named, padding too."""
    flat = {
        table: np.concatenate([np.ravel(part) for part in uses.values()])
        for table, uses in ids.items()
    }
    return {table: np.unique(values) for table, values in flat.items()}


def sum_of(outputs):
    """Returns a number that every embedding moves."""
    parts = (outputs.query, outputs.positive, outputs.negative)
    weights = np.random.default_rng(5).normal(size=parts[0].shape[1])
    return sum((part @ weights.astype(np.float32)).sum() for part in parts)


def test_only_named_rows_get_gradients_and_all_of_those_do(made):
    model, batch, tables, params = made
    ids = model.rows(batch)

    def value(tables):
        rows = whole_tables(tables, ids)
        return sum_of(model.apply(params, rows, batch, {}, KEY)[0])

    grads = jax.jit(jax.grad(value))(tables)
    for name, wanted in named(ids).items():
        moved = np.flatnonzero(np.abs(np.asarray(grads[name])).max(1))
        assert set(moved) <= set(wanted), name
        # Dropout may leave some of them out; padding moves nothing.
        assert len(moved) > 0.7 * (len(wanted) - 1), name


def test_rows_that_are_not_named_may_hold_anything(made, apply):
    model, batch, tables, params = made
    ids = model.rows(batch)

    def outputs(tables):
        return apply(params, whole_tables(tables, ids), batch, {}, KEY)[0]

    spoiled = {
        name: table.at[np.setdiff1d(np.arange(len(table)), named(ids)[name])].set(
            np.nan
        )
        for name, table in tables.items()
    }
    assert any(np.isnan(table).any() for table in spoiled.values())
    for one, other in zip(
        jax.tree.leaves(outputs(tables)), jax.tree.leaves(outputs(spoiled)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_gathered_rows_are_those_of_the_tables(program, made):
    model, batch, tables, _ = made
    specs, ids = model.table_specs(program.dataset.sides), model.rows(batch)
    read = jax.jit(lambda tables, ids: gather(tables, ids, specs, program.mesh))
    rows, distinct, overflow = read(tables, ids)
    for table, uses in ids.items():
        assert int(overflow[table]) == 0
        # A table that is smaller than its batch is read whole.
        found = np.asarray(distinct[table])
        assert len(np.unique(found)) == len(found) >= len(named(ids)[table])
        assert set(rows[table].index) == set(uses)
        for use, wanted in uses.items():
            got = rows[table].values[rows[table].index[use]]
            np.testing.assert_array_equal(got, tables[table][wanted])


def test_positives_and_negatives_are_candidates_in_this_order(made, apply):
    model, batch, tables, params = made
    rows = whole_tables(tables, model.rows(batch))
    outputs, _ = apply(params, rows, batch, {}, KEY)
    for part, got in (("positive", outputs.positive), ("negative", outputs.negative)):
        ids = model.side_rows("candidate", batch[part])
        told = (params, whole_tables(tables, ids), "candidate", batch[part])
        alone = jax.jit(model.embed, static_argnums=2)(*told)
        np.testing.assert_allclose(got, alone, rtol=1e-5, atol=1e-6)
    for name in ("query_id", "positive_id", "negative_id", "weight", "positive_logq"):
        np.testing.assert_array_equal(getattr(outputs, name), batch[name])


def test_dropout_follows_the_key_and_embedding_has_none(made, apply):
    model, batch, tables, params = made
    rows = whole_tables(tables, model.rows(batch))
    one, same, other = (
        apply(params, rows, batch, {}, rng.root(seed))[0].query for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)
    ids = whole_tables(tables, model.side_rows("query", batch["query"]))
    embed = jax.jit(model.embed, static_argnums=2)
    still = [embed(params, ids, "query", batch["query"]) for _ in range(2)]
    np.testing.assert_array_equal(*still)


@pytest.mark.parametrize(
    ("temperature", "scale", "learned"), [(0.1, 10.0, False), (0.001, 100.0, True)]
)
def test_temperature_starts_where_told_and_is_capped(made, temperature, scale, learned):
    model, batch, tables, _ = made
    changed = small.replace(model, temperature=temperature, learn_temperature=learned)
    rows = whole_tables(tables, model.rows(batch))
    params, _ = jax.jit(changed.init)(KEY, rows, batch)
    assert ("log_scale" in params) == learned
    outputs, _ = jax.jit(changed.apply)(params, rows, batch, {}, KEY)
    np.testing.assert_allclose(outputs.scale, scale, rtol=1e-5)


def two_tower(**changes):
    tower = Tower({"text": EmbeddingBag("token", "weight")}, 4)
    tables = {"token": Table(4, scale=0.5), "weight": Table(1, from_weight=True)}
    return TwoTower(**{"query": tower, "candidate": tower, "tables": tables, **changes})


SIDES = {
    "query": {"text": IdFeature(5, 3, np.arange(5, dtype=np.float32))},
    "candidate": {"text": IdFeature(9, 3, np.arange(9, dtype=np.float32))},
}


def test_tables_are_as_tall_as_the_largest_feature():
    specs = two_tower().table_specs(SIDES)
    assert {n: (s.rows, s.width) for n, s in specs.items()} == {
        "token": (9, 4),
        "weight": (9, 1),
    }
    start = specs["weight"].init(KEY, (9, 1))
    np.testing.assert_array_equal(start[:, 0], np.arange(9))
    many = specs["token"].init(KEY, (9_000, 4))
    np.testing.assert_allclose(np.std(many), 0.5, rtol=0.05)


def test_what_does_not_fit_is_named():
    unknown = {**SIDES, "query": {"words": DenseFeature(3)}}
    with pytest.raises(ValueError, match=r"wants feature 'text', .*\['words'\]"):
        two_tower().table_specs(unknown)
    with pytest.raises(ValueError, match="names no table 'weight'"):
        two_tower(tables={"token": Table(4)}).table_specs(SIDES)
    spare = {**two_tower().tables, "spare": Table(4)}
    with pytest.raises(ValueError, match="no tower uses table 'spare'"):
        two_tower(tables=spare).table_specs(SIDES)
    bare = {"query": {"text": IdFeature(5, 3)}, "candidate": {"text": IdFeature(9, 3)}}
    spec = two_tower().table_specs(bare)["weight"]
    with pytest.raises(UserError, match="table 'weight' starts from"):
        spec.init(KEY, (9, 1))


def test_whole_tables_leave_ids_as_their_own_places():
    ids = {"a": {"x": np.array([2, 0]), "y": np.array([1])}}
    rows = whole_tables({"a": np.eye(3), "unused": np.eye(2)}, ids)
    assert set(rows) == {"a"} and isinstance(rows["a"], TableRows)
    assert rows["a"].index is ids["a"] and len(rows["a"].values) == 3
