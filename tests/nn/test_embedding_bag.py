"""Weighted sums of rows against loops in NumPy, forward and backward."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recjax.nn.embedding_bag import bag

SHAPES = [(5, 3, 4, 6), (1, 1, 1, 1), (3, 2, 2, 0), (2, 4, 7, 5)]
"""U, D, B, L."""


def inputs(shape, seed=0):
    rows, width, batch, length = shape
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, width)).astype(np.float32)
    index = random.integers(0, rows, (batch, length)).astype(np.int32)
    weight = random.normal(size=(batch, length)).astype(np.float32)
    weight[random.random((batch, length)) < 0.3] = 0
    grad = random.normal(size=(batch, width)).astype(np.float32)
    return values, index, weight, grad


def naive(values, index, weight):
    out = np.zeros((len(index), values.shape[1]))
    for b, row in enumerate(index):
        for position, id in enumerate(row):
            out[b] += weight[b, position] * values[id]
    return out


def naive_gradients(values, index, weight, grad):
    of_values, of_weight = np.zeros(values.shape), np.zeros(weight.shape)
    for b, row in enumerate(index):
        for position, id in enumerate(row):
            of_values[id] += weight[b, position] * grad[b]
            of_weight[b, position] = values[id] @ grad[b]
    return of_values, of_weight


@jax.jit
def both(values, index, weight, grad):
    out, back = jax.vjp(lambda v, w: bag(v, index, w), values, weight)
    return out, back(grad)


@pytest.mark.parametrize("shape", SHAPES)
def test_as_in_loops(shape):
    values, index, weight, grad = inputs(shape)
    out, (of_values, of_weight) = both(values, index, weight, grad)
    close = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(out, naive(values, index, weight), **close)
    wanted = naive_gradients(values, index, weight, grad)
    np.testing.assert_allclose(of_values, wanted[0], **close)
    np.testing.assert_allclose(of_weight, wanted[1], **close)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_what_stands_at_weight_0_does_not_count(seed):
    values, index, weight, grad = inputs(SHAPES[0], seed)
    padding = weight == 0
    out, (of_values, _) = both(values, index, weight, grad)
    other = np.where(padding, (index + 1) % len(values), index)
    other_out, (other_values, _) = both(values, other.astype(np.int32), weight, grad)
    np.testing.assert_array_equal(out, other_out)
    np.testing.assert_allclose(of_values, other_values, rtol=1e-6, atol=1e-6)
    unused = np.setdiff1d(np.arange(len(values)), index[~padding])
    assert not np.asarray(of_values)[unused].any()


def test_the_index_is_no_parameter():
    values, index, weight, _ = inputs(SHAPES[0])
    with pytest.raises(TypeError, match="int"):
        jax.grad(lambda i: bag(jnp.asarray(values), i, weight).sum())(index)


def test_no_array_ever_holds_a_row_for_each_token():
    values, index, weight, grad = map(jnp.asarray, inputs((10, 64, 32, 40)))
    text = both.lower(values, index, weight, grad).compile().as_text()
    shapes = re.findall(r"f32\[([\d,]+)\]", text)
    sizes = [math.prod(map(int, shape.split(","))) for shape in shapes]
    assert max(sizes) == grad.size < index.size * 64 / 10
