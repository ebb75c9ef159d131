"""Three kinds of candidates in one pass: the same as each of them alone."""

import jax
import jax.numpy as jnp
import numpy as np
import omni
import pytest

from recjax import rng
from recjax.losses import SampledSoftmax
from recjax.models import Table
from recjax.models.base import whole_tables
from recjax.train import state as states

KEY = rng.root(0)


def started(model, batch):
    """Returns parameters, tables and memory."""
    specs = model.table_specs(omni.sides())

    @jax.jit  # Op by op it takes longer.
    def start(batch):
        tables = {
            name: spec.init(rng.stream(KEY, name), (spec.rows, spec.width))
            for name, spec in specs.items()
        }
        rows = whole_tables(tables, model.rows(batch))
        params, memory = model.init(KEY, rows, batch)
        return params, tables, memory

    return start(batch)


def applied(model, batch):
    params, tables, memory = started(model, batch)
    rows = whole_tables(tables, model.rows(batch))
    return (params, tables), jax.jit(model.apply)(params, rows, batch, memory, KEY)


def alone(model, held, side, features):
    params, tables = held
    rows = whole_tables(tables, model.side_rows(side, features))
    embed = jax.jit(model.embed, static_argnums=2)
    return np.asarray(embed(params, rows, side, features))


@pytest.mark.parametrize("unified", [True, False])
def test_one_pass_is_the_same_as_each_part_alone(unified):
    model, batch = omni.model(unified), omni.batch()
    held, (outputs, _) = applied(model, batch)
    assert set(outputs) == {"pin", "product", "query", "pin/legacy", "product/legacy"}
    for kind, pairs in batch.items():
        got = outputs[kind]
        wanted = alone(model, held, "query", pairs["query"])
        np.testing.assert_allclose(got.query, wanted, atol=1e-5)
        for part in ("positive", "negative"):
            wanted = alone(model, held, kind, pairs[part])
            np.testing.assert_allclose(getattr(got, part), wanted, atol=1e-5)


def test_unified_towers_share_and_standalone_ones_do_not():
    params, *_ = started(omni.model(True), omni.batch())
    assert set(params) == {"query", "entity", "log_scale"}
    params, *_ = started(omni.model(False), omni.batch())
    assert set(params) == {"query", "pin", "product", "log_scale"}


def test_legacy_vectors_against_the_leading_dimensions():
    model, batch = omni.model(), omni.batch()
    held, (outputs, _) = applied(model, batch)
    got, pairs = outputs["product/legacy"], batch["product"]
    leading = np.array(outputs["product"].query)[:, : omni.FROZEN]
    leading /= np.linalg.norm(leading, axis=1, keepdims=True)
    np.testing.assert_allclose(got.query, leading, atol=1e-5)
    there = pairs["positive"]["old__present"]
    means = [v[m].sum(0) for v, m in zip(pairs["positive"]["old"], there, strict=True)]
    means = [m / max(np.linalg.norm(m), 1e-12) for m in means]
    np.testing.assert_allclose(got.positive, means, atol=1e-5)
    np.testing.assert_array_equal(got.weight, there.any(1))
    missing = ~pairs["negative"]["old__present"].any(1)
    assert missing.any() and (np.asarray(got.negative_id)[missing] == -1).all()
    for side, features in (("query", pairs["query"]), ("product", pairs["positive"])):
        wanted = got.query if side == "query" else got.positive
        served = alone(model, held, f"{side}/legacy", features)
        np.testing.assert_allclose(served, wanted, atol=1e-5)


def test_frozen_vectors_move_only_the_query_tower():
    model, batch = omni.model(counts=None), omni.batch()
    params, tables, memory = started(model, batch)
    rows = whole_tables(tables, model.rows(batch))

    def loss(params):
        outputs, _ = model.apply(params, rows, batch, memory, KEY)
        return SampledSoftmax(of="pin/legacy")(outputs).value.sum()

    grads = jax.jit(jax.grad(loss))(params)
    size = {
        name: sum(jnp.abs(g).sum() for g in jax.tree.leaves(grads[name]))
        for name in grads
    }
    assert size["query"] > 0 and size["entity"] == 0


@pytest.mark.parametrize("name", ["text", "v", "code"])
def test_a_missing_feature_is_nothing_whatever_stands_there(name):
    model, batch = omni.model(), omni.batch()
    held, _ = applied(model, batch)
    features = dict(batch["pin"]["positive"])
    other = dict(omni.entities(np.random.default_rng(9), len(features["v"])))
    if name == "text":
        features["text"] = other["text"] = 0 * features["text"]
        other = {**features, "text__field": other["text__field"]}
    else:
        features[f"{name}__present"] = np.zeros_like(features[f"{name}__present"])
        other = {**features, name: other[name]}
    one, same = (alone(model, held, "pin", f) for f in (features, other))
    np.testing.assert_array_equal(one, same)


def test_counts_grow_by_what_was_trained_on():
    model, batch = omni.model(), omni.batch()
    params, tables, memory = started(model, batch)
    rows = whole_tables(tables, model.rows(batch))
    apply = jax.jit(model.apply)
    for _ in range(3):
        outputs, memory = apply(params, rows, batch, memory, KEY)
    for kind, pairs in batch.items():
        assert memory["counts"][kind]["item"].total.tolist() == [
            3 * len(pairs["weight"]),
            0,
        ]
        ids, counts = np.unique(pairs["positive_id"], return_counts=True)
        share = dict(zip(ids, np.log(counts / counts.sum()), strict=True))
        wanted = [share[i] for i in pairs["positive_id"]]
        np.testing.assert_allclose(outputs[kind].positive_logq, wanted, rtol=1e-5)


def test_without_counts_the_batch_says_how_often():
    model, batch = omni.model(counts=None), omni.batch()
    _, (outputs, memory) = applied(model, batch)
    assert memory == {}
    np.testing.assert_array_equal(
        outputs["pin"].positive_logq, batch["pin"]["positive_logq"]
    )


def test_one_kind_alone():
    model, batch = omni.model(), omni.batch(shares={"query": 4})
    _, (outputs, _) = applied(model, batch)
    assert set(outputs) == {"query"}


def test_every_kind_needs_a_tower():
    model = omni.model(tower_of={"pin": "entity"})
    with pytest.raises(ValueError, match="'product'"):
        model.table_specs(omni.sides())
    with pytest.raises(ValueError, match="pin tower wants feature 'v'.*'w'"):
        sides = omni.sides()
        sides["pin"] = {("w" if n == "v" else n): f for n, f in sides["pin"].items()}
        omni.model(tower_of={"pin": "entity", "product": "entity"}).table_specs(sides)


def test_frozen_vectors_have_the_width_that_the_model_expects():
    with pytest.raises(ValueError, match="'old'.*legacy_width = 5"):
        omni.model(legacy_width=5).table_specs(omni.sides())


def test_a_hash_table_has_a_row_for_each_bucket_whatever_the_vocabulary():
    for rows in (None, 21):
        tables = {**omni.model().tables, "hash": Table(omni.WIDTH, rows=rows)}
        assert omni.model(tables=tables).table_specs(omni.sides())["hash"].rows == 21
    tables["hash"] = Table(omni.WIDTH, rows=20)
    with pytest.raises(ValueError, match="'hash' has rows=20, its inputs need 21"):
        omni.model(tables=tables).table_specs(omni.sides())
    tables = {**omni.model().tables, "importance": Table(3)}
    with pytest.raises(ValueError, match=r"'importance' is 3 wide, .*Table\(2\)"):
        started(omni.model(tables=tables), omni.batch())


def test_blank_rows_are_enough_to_start_from():
    model, batch = omni.model(), omni.batch()
    specs = model.table_specs(omni.sides())
    rows = states._blank_rows(specs, model, batch)
    shapes = jax.eval_shape(lambda: model.init(KEY, rows, batch))[0]
    assert jax.tree.map(jnp.shape, shapes) == jax.tree.map(
        jnp.shape, started(model, batch)[0]
    )
