"""Towers: what is summed, what comes after, and the part that nobody learns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recjax.nn.decayed_sum import DecayedSum
from recjax.nn.inputs import EmbeddingBag
from recjax.nn.mlp import Mlp
from recjax.nn.tower import Tower

RANDOM = np.random.default_rng(0)
ROWS, WIDTH, BATCH, LENGTH = 7, 4, 5, 3
TABLES = {
    name: jnp.asarray(RANDOM.normal(size=(ROWS, WIDTH)), jnp.float32)
    for name in ("token", "item", "follows")
}
FEATURES = {
    "text": RANDOM.integers(0, ROWS, (BATCH, LENGTH)).astype(np.int32),
    "item": RANDOM.integers(1, ROWS, (BATCH, 1)).astype(np.int32),
    "age": RANDOM.random((BATCH, LENGTH)).astype(np.float32) * 1e4,
}
INPUTS = {
    "text": EmbeddingBag("token", norm=0.0),
    "item": EmbeddingBag("item", norm=0.0),
}
FIXED = {"text": DecayedSum("follows", "age", 1.0)}


def rows(tower, train=False):
    return {
        use: {
            table: (TABLES[table], ids)
            for table, ids in module.row_ids(FEATURES[name]).items()
        }
        for use, (name, module) in tower.uses(train).items()
    }


def run(tower, train=False, variables=None, key=1):
    given = (FEATURES, rows(tower, train), train)
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(key)}
    variables = variables or tower.init(keys, *given)
    out = tower.apply(variables, *given, rngs={"dropout": keys["dropout"]})
    return np.asarray(out), variables


def summed():
    bags = [
        np.asarray(
            module.apply({}, name, FEATURES, {table: (TABLES[table], ids)}, False)
        )
        for name, module in INPUTS.items()
        for table, ids in module.row_ids(FEATURES[name]).items()
    ]
    return sum(bags)


def test_without_layers_it_is_the_sum_of_its_inputs():
    np.testing.assert_allclose(run(Tower(INPUTS, WIDTH, normalize=False))[0], summed())
    cosines = summed() / np.linalg.norm(summed(), axis=1, keepdims=True)
    np.testing.assert_allclose(run(Tower(INPUTS, WIDTH))[0], cosines, rtol=1e-5)


@pytest.mark.parametrize("residual", [False, True])
def test_layers_and_residual(residual):
    tower = Tower(INPUTS, WIDTH, (6,), residual=residual, normalize=False)
    got, variables = run(tower)
    x = summed()
    norm = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-6)
    params = {"params": variables["params"]["mlp"]}
    deep = Mlp((6,), WIDTH).apply(params, (norm.astype(np.float32),), False)
    wanted = np.asarray(deep) + (x if residual else 0)
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_the_fixed_part_is_joined_when_training_is_over():
    plain = Tower(INPUTS, WIDTH, (6,), dropout=0.5)
    joined = Tower(INPUTS, WIDTH, (6,), dropout=0.5, frozen_inputs=FIXED)
    learned, variables = run(joined, train=True)
    assert learned.shape == (BATCH, WIDTH)
    np.testing.assert_array_equal(learned, run(plain, True, variables)[0])
    both = run(joined, False, variables)[0]
    np.testing.assert_array_equal(both[:, :WIDTH], run(plain, False, variables)[0])
    told = rows(joined)["fixed/text"]
    recall = FIXED["text"].apply({}, "text", FEATURES, told, False)
    np.testing.assert_allclose(both[:, WIDTH:], recall, rtol=1e-6)
    # So the scores of the two parts add up.
    scores = both @ both.T
    parts = both[:, :WIDTH] @ both[:, :WIDTH].T + both[:, WIDTH:] @ both[:, WIDTH:].T
    np.testing.assert_allclose(scores, parts, rtol=1e-4, atol=1e-5)


def test_uses_name_what_each_phase_reads():
    tower = Tower(INPUTS, WIDTH, frozen_inputs=FIXED)
    assert list(tower.uses(train=True)) == ["text", "item"]
    assert list(tower.uses(train=False)) == ["text", "item", "fixed/text"]
    assert tower.uses(train=False)["fixed/text"] == ("text", FIXED["text"])


def test_dropout_is_for_training_alone():
    tower = Tower(INPUTS, WIDTH, (64,), dropout=0.5)
    still, variables = run(tower)
    np.testing.assert_array_equal(run(tower, False, variables, key=2)[0], still)
    one, other = (run(tower, True, variables, key=key)[0] for key in (2, 3))
    assert not np.allclose(one, other) and not np.allclose(one, still)


def test_a_width_that_no_layer_makes_is_an_error():
    with pytest.raises(ValueError, match=r"Tower\(width=9\) .* are 4 wide; .*width=4"):
        run(Tower(INPUTS, 9))
    with pytest.raises(ValueError, match="its inputs are 8 wide"):
        run(Tower(INPUTS, WIDTH, join="concat"))
    # One linear map is a layer.
    assert run(Tower(INPUTS, 9, ()))[0].shape == (BATCH, 9)
    assert run(Tower(INPUTS, 2 * WIDTH, join="concat"))[0].shape == (BATCH, 8)
