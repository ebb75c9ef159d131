"""Dropout by random bytes: rate, mean and independence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recjax.nn.dropout import Dropout


def dropped(rate, shape, seed=0, train=True):
    key = jax.random.key(seed)
    ones = jnp.ones(shape)
    return np.asarray(Dropout(rate).apply({}, ones, train, rngs={"dropout": key}))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_rate_and_mean(rate):
    found = dropped(rate, (500, 401))
    share = round(256 * rate) / 256
    spread = 4 * (share * (1 - share) / found.size) ** 0.5
    assert abs((found == 0).mean() - share) < spread
    assert abs(found.mean() - 1) < spread / (1 - share)
    assert len(np.unique(found)) == 2


def test_numbers_that_share_a_word_are_independent():
    held = (dropped(0.5, (20_000, 4)) > 0).astype(float)
    between = np.corrcoef(held.T)[np.triu_indices(4, 1)]
    assert np.abs(between).max() < 4 / 20_000**0.5


def test_nothing_falls_outside_of_training_or_at_rate_0():
    assert (dropped(0.5, (9, 9), train=False) == 1).all()
    assert (dropped(0.0, (9, 9)) == 1).all()


def test_it_follows_the_key():
    one, same, other = (dropped(0.5, (9, 9), seed) for seed in (0, 0, 1))
    assert (one == same).all() and (one != other).any()
