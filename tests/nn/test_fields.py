"""Fields of hashed n-grams against one n-gram after the other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recjax.nn.fields import HashEmbedding, buckets_of, field_bags

ENTITIES, LENGTH, FIELDS, HASHES, BUCKETS, VOCABULARY, WIDTH = 5, 9, 4, 2, 11, 30, 6


@pytest.fixture
def given():
    random = np.random.default_rng(0)
    ids = random.integers(0, VOCABULARY, (ENTITIES, LENGTH)).astype(np.int32)
    ids[2] = 0
    field = random.integers(0, FIELDS, ids.shape).astype(np.uint8)
    field[field == 3] = 1  # Nobody has field 3.
    table = random.normal(size=(BUCKETS + 1, WIDTH)).astype(np.float32)
    importance = random.normal(size=(VOCABULARY, HASHES)).astype(np.float32)
    return ids, field, table, importance


def naive_bags(ids, field, table, importance):
    bags = np.zeros((ENTITIES, FIELDS, WIDTH))
    rows = np.asarray(buckets_of(ids, HASHES, BUCKETS))
    for b in range(ENTITIES):
        for position in range(LENGTH):
            if ids[b, position]:
                for h in range(HASHES):
                    vector = (
                        table[rows[b, position, h]] * importance[ids[b, position], h]
                    )
                    bags[b, field[b, position]] += vector
    return bags


def run(module, given, params=None):
    ids, field, table, importance = given
    named = module.row_ids(ids)
    rows = {
        "hashed": (jnp.asarray(table), named["hashed"]),
        "importance": (jnp.asarray(importance), named["importance"]),
    }
    told = ("text", {"text": ids, "text__field": field}, rows, False)
    params = params or module.init(jax.random.key(0), *told)
    return np.asarray(module.apply(params, *told)), params


def module(**changes):
    settings = {"hashes": HASHES, "buckets": BUCKETS} | changes
    return HashEmbedding("hashed", "importance", FIELDS, **settings)


@pytest.mark.parametrize("empty", [False, True])
def test_as_in_loops(given, empty):
    _, params = run(module(), given)
    random = np.random.default_rng(1)
    scale, bias = random.normal(size=(2, WIDTH)).astype(np.float32)
    params = {"params": {"norm": {"scale": scale, "bias": bias}}}
    got, _ = run(module(empty=empty), given, params)
    bags = naive_bags(*given)
    spread = np.sqrt(bags.var(-1, keepdims=True) + 1e-6)
    normal = (bags - bags.mean(-1, keepdims=True)) / spread * scale + bias
    ids, field = given[:2]
    filled = np.array(
        [
            [((field[b] == f) & (ids[b] > 0)).any() for f in range(FIELDS)]
            for b in range(5)
        ]
    )
    wanted = normal.sum(1) if empty else (normal * filled[..., None]).sum(1)
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)
    if not empty:
        assert not got[2].any()  # An entity without text is zero.


def test_gradients_are_those_of_a_gather(given):
    ids, field, table, importance = given
    index = buckets_of(ids, HASHES, BUCKETS)
    weight = importance[ids] * (ids > 0)[..., None]
    toward = np.random.default_rng(2).normal(size=(FIELDS, ENTITIES, WIDTH))

    def ours(values, weight):
        return jnp.sum(field_bags(values, index, weight, field, FIELDS) * toward)

    def gathered(values, weight):
        vectors = jnp.einsum("blh,blhd->bld", weight, values[index])
        segment = jax.nn.one_hot(field, FIELDS)
        return jnp.sum(jnp.einsum("bld,blf->fbd", vectors, segment) * toward)

    both = [
        jax.value_and_grad(f, (0, 1))(*map(jnp.asarray, (table, weight)))
        for f in (ours, gathered)
    ]
    for one, other in zip(*map(jax.tree.leaves, both), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_order_and_padding_do_not_matter(given):
    ids, field, *tables = given
    order = np.random.default_rng(3).permutation(LENGTH)
    wide = [np.pad(array[:, order], ((0, 0), (2, 3))) for array in (ids, field)]
    one, params = run(module(), given)
    other, _ = run(module(), (*wide, *tables), params)
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_buckets_are_even_and_hashes_differ():
    ids = np.arange(1, 100_001, dtype=np.int32)[None]
    rows = np.asarray(buckets_of(ids, 2, 1_000))[0]
    assert rows.min() == 1 and rows.max() == 1_000
    for hashed in rows.T:
        counts = np.bincount(hashed, minlength=1_001)[1:]
        # Poisson with mean 100: chi-square of 999 degrees of freedom.
        assert ((counts - 100) ** 2 / 100).sum() == pytest.approx(999, abs=4 * 45)
    assert (rows[:, 0] == rows[:, 1]).mean() == pytest.approx(1 / 1_000, abs=4e-4)
    assert not np.asarray(buckets_of(np.zeros((1, 3), np.int32), 2, 1_000)).any()
