"""Bags of ids: padding, importance, length, dropout."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recjax.nn.inputs import EmbeddingBag

ROWS, WIDTH = 7, 4
RANDOM = np.random.default_rng(0)
TABLE = RANDOM.normal(size=(ROWS, WIDTH)).astype(np.float32)
WEIGHTS = RANDOM.random((ROWS, 1)).astype(np.float32)
IDS = np.array([[3, 1, 3, 0], [0, 0, 0, 0], [6, 0, 0, 0], [2, 4, 5, 1]], np.int32)


def run(module, ids=IDS, key=None, table=TABLE):
    ids = np.asarray(ids, np.int32)
    # Whole tables: each id is its own position.
    rows = {"token": (jnp.asarray(table), ids)}
    if module.importance is not None:
        rows[module.importance] = (jnp.asarray(WEIGHTS), ids)
    rngs = {} if key is None else {"dropout": jax.random.key(key)}
    given = ("text", {"text": ids}, rows, key is not None)
    return np.asarray(module.apply({}, *given, rngs=rngs))


def naive(ids, importance, norm):
    out = np.zeros((len(ids), WIDTH))
    for total, row in zip(out, ids, strict=True):
        for id in row:
            if id:
                total += TABLE[id] * (WEIGHTS[id] if importance else 1)
        length = np.linalg.norm(total)
        if length:
            total /= length**norm
    return out


@pytest.mark.parametrize("importance", [None, "importance"])
@pytest.mark.parametrize("norm", [0.0, 0.5, 1.0])
def test_as_in_loops(importance, norm):
    got = run(EmbeddingBag("token", importance, norm))
    np.testing.assert_allclose(got, naive(IDS, importance, norm), rtol=1e-4, atol=1e-6)


def test_an_empty_bag_gives_zeros():
    for norm in (0.0, 0.5, 1.0):
        assert not run(EmbeddingBag("token", "importance", norm))[1].any()


@pytest.mark.parametrize("norm", [0.0, 0.5, 1.0])
def test_padding_and_order_do_not_matter(norm):
    module = EmbeddingBag("token", "importance", norm)
    whole = run(module)
    longer = np.pad(IDS, ((0, 0), (2, 3)))
    np.testing.assert_allclose(run(module, longer), whole, rtol=1e-5, atol=1e-6)
    turned = IDS[:, ::-1]
    np.testing.assert_allclose(run(module, turned), whole, rtol=1e-5, atol=1e-6)


def test_row_0_never_counts():
    other = TABLE.copy()
    other[0] = 1e6
    np.testing.assert_array_equal(
        run(EmbeddingBag("token")), run(EmbeddingBag("token"), table=other)
    )


def test_the_tables_that_are_named_are_those_that_are_used():
    assert list(EmbeddingBag("token").row_ids(IDS)) == ["token"]
    named = EmbeddingBag("token", "importance").row_ids(IDS)
    assert list(named) == ["token", "importance"]
    for ids in named.values():
        np.testing.assert_array_equal(ids, IDS)


def test_dropout_leaves_out_whole_ids():
    module = EmbeddingBag("token", norm=0.0, dropout=0.5)
    ids = [[1, 2, 4]]
    possible = [
        2 * TABLE[list(some)].sum(0)
        for count in range(4)
        for some in itertools.combinations(ids[0], count)
    ]
    found = set()
    for key in range(24):
        got = run(module, ids, key)[0]
        near = [np.allclose(got, one, atol=1e-5) for one in possible]
        assert sum(near) == 1
        found.add(near.index(True))
    assert len(found) >= 5
    np.testing.assert_allclose(run(module, ids)[0], TABLE[ids[0]].sum(0), rtol=1e-5)
