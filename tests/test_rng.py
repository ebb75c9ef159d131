"""Random streams: the same anywhere, different by seed, name and step."""

import itertools

import jax
import numpy as np
import pytest

from recjax import rng

NAMES = ("negatives", "text_queries", "spans", "order", "dropout")
CASES = list(itertools.product((0, 1, 7), NAMES, (0, 1, 2, 1_000_000)))


def test_host_streams_differ_by_seed_name_and_step():
    drawn = {rng.host_stream(*case).integers(0, 2**62) for case in CASES}
    assert len(drawn) == len(CASES)


def test_device_streams_differ_by_seed_name_and_step():
    keys = [rng.stream(rng.root(s), name, step) for s, name, step in CASES]
    drawn = {tuple(jax.random.key_data(key).tolist()) for key in keys}
    assert len(drawn) == len(CASES)


def test_streams_are_the_same_in_every_process():
    assert rng.crc("negatives") == 2895911891
    first = rng.host_stream(3, "negatives", 5).integers(0, 100, 4)
    again = rng.host_stream(3, "negatives", np.int64(5)).integers(0, 100, 4)
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("step", [0, 9])
def test_a_traced_step_gives_the_same_key(step):
    key = rng.root(1)
    traced = jax.jit(lambda step: rng.stream(key, "a", step))(step)
    np.testing.assert_array_equal(
        jax.random.key_data(traced), jax.random.key_data(rng.stream(key, "a", step))
    )
