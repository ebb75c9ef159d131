"""Vectors as inputs: means over those that exist, and bits of bytes."""

import jax
import numpy as np
import pytest

from recjax.features import present
from recjax.nn.vectors import Vectors, masked_mean, unpack_bits


def test_mean_over_the_vectors_that_exist():
    vectors = np.random.default_rng(0).normal(size=(4, 3, 5)).astype(np.float32)
    mask = np.array([[1, 1, 1], [1, 0, 1], [0, 0, 1], [0, 0, 0]], bool)
    wanted = [vectors[i][mask[i]].sum(0) / max(mask[i].sum(), 1) for i in range(4)]
    np.testing.assert_allclose(masked_mean(vectors, mask), wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("rubbish", [1e9, np.nan, np.inf])
def test_what_does_not_exist_is_not_read(rubbish):
    mask = np.array([[1, 0, 0], [0, 0, 0]], bool)
    vectors = np.ones((2, 3, 4), np.float32)
    vectors[~mask] = rubbish
    np.testing.assert_array_equal(masked_mean(vectors, mask), [[1] * 4, [0] * 4])


def test_bits_as_numpy_unpacks_them():
    codes = np.random.default_rng(1).integers(0, 256, (3, 2, 16), dtype=np.uint8)
    wanted = np.unpackbits(codes, axis=-1)
    np.testing.assert_array_equal(unpack_bits(codes), wanted)


@pytest.mark.parametrize("bits", [False, True])
def test_an_input_without_parameters(bits):
    codes = np.random.default_rng(2).integers(0, 256, (3, 2, 4), dtype=np.uint8)
    features = {"v": codes, present("v"): np.array([[1, 1], [1, 0], [0, 0]], bool)}
    module = Vectors(bits)
    assert module.row_ids(codes) == {}
    made = module.init(jax.random.key(0), "v", features, {}, True)
    got = module.apply(made, "v", features, {}, True)
    numbers = np.unpackbits(codes, axis=-1) if bits else codes
    wanted = [numbers[0].mean(0), numbers[1, 0], 0 * numbers[2, 0]]
    assert not made
    np.testing.assert_allclose(got, wanted, rtol=1e-6)
