"""Reading and writing table rows, against NumPy. On 8 devices: tests/multidevice."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recjax.sharding import rows
from recjax.sharding.mesh import make_mesh

SIZE, TABLE = 12, 9
ids_of_a_batch = st.lists(st.integers(0, TABLE - 1), min_size=SIZE, max_size=SIZE)
distinct = jax.jit(rows.distinct, static_argnums=(1, 2))


@pytest.fixture(scope="module")
def mesh():
    return make_mesh({"data": 1})


@settings(max_examples=60)
@given(ids_of_a_batch, st.sampled_from([1, 4, TABLE, SIZE]))
def test_distinct_is_numpys_unique(ids, capacity):
    unique, index, overflow = jax.device_get(
        distinct(jnp.array(ids, jnp.int32), capacity, TABLE)
    )
    expected, places = np.unique(ids, return_inverse=True)
    kept = min(len(expected), capacity)
    np.testing.assert_array_equal(unique[:kept], expected[:kept])
    assert (unique[kept:] == TABLE).all()
    assert overflow == max(len(expected) - capacity, 0)
    fits = places < capacity
    np.testing.assert_array_equal(index[fits], places[fits])
    assert ((0 <= index) & (index < capacity)).all()


@settings(max_examples=40)
@given(ids_of_a_batch)
def test_what_is_read_by_place_is_what_was_named(ids):
    mesh = make_mesh({"data": 1})
    table = np.arange(TABLE * 3, dtype=np.float32).reshape(TABLE, 3)
    unique, index, _ = distinct(jnp.array(ids, jnp.int32), SIZE, TABLE)
    got = np.asarray(rows.read(jnp.asarray(table), unique, mesh))
    np.testing.assert_array_equal(got[index], table[ids])


def test_ids_outside_the_table_read_as_zeros(mesh):
    table = jnp.ones((TABLE, 3))
    got = rows.read(table, jnp.array([0, TABLE - 1, TABLE, TABLE + 5]), mesh)
    np.testing.assert_array_equal(got[:, 0], [1, 1, 0, 0])


@settings(max_examples=40)
@given(ids_of_a_batch)
def test_write_changes_the_named_rows_and_no_other(ids):
    mesh = make_mesh({"data": 1})
    table = np.random.default_rng(0).normal(size=(TABLE, 3)).astype(np.float32)
    unique, _, _ = distinct(jnp.array(ids, jnp.int32), SIZE, TABLE)
    values = np.arange(SIZE * 3, dtype=np.float32).reshape(SIZE, 3)
    write = jax.jit(partial(rows.write, mesh=mesh))
    got = np.asarray(write(jnp.asarray(table), unique, values))
    expected = table.copy()
    named = np.unique(ids)
    expected[named] = values[: len(named)]
    np.testing.assert_array_equal(got, expected)


def test_one_number_a_row_reads_and_writes_alike(mesh):
    state = jnp.arange(5.0)
    ids = jnp.array([1, 3, 5])
    np.testing.assert_array_equal(rows.read(state, ids, mesh), [1, 3, 0])
    got = rows.write(state, ids, jnp.array([7.0, 8.0, 9.0]), mesh)
    np.testing.assert_array_equal(got, [0, 7, 2, 8, 4])
