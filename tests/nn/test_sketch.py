"""Sketches against exact counts, and against the bound of their paper."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recjax.nn.sketch import CountMin, mixed, pair_id


def stream(seed, ids=5_000, length=40_000):
    """Returns ids of which some are common, in two batches."""
    random = np.random.default_rng(seed)
    drawn = (random.pareto(0.8, length) * 10).astype(np.int64) % ids
    return drawn.astype(np.int32).reshape(2, -1)


def added(sketch, batches):
    counts, add = sketch.empty(), jax.jit(sketch.add, donate_argnums=0)
    for batch in batches:
        counts = add(counts, batch)
    return counts


def test_wide_enough_it_counts_exactly():
    sketch, batches = CountMin(1 << 22, 3), stream(0)
    counts = added(sketch, batches)
    ids, wanted = np.unique(batches, return_counts=True)
    np.testing.assert_array_equal(sketch.estimate(counts, ids), wanted)
    assert counts.total.tolist() == [batches.size, 0]
    shares = np.log(wanted / batches.size)
    np.testing.assert_allclose(sketch.log_share(counts, ids), shares, rtol=1e-5)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_never_below_and_rarely_far_above(depth):
    sketch, batches = CountMin(1 << 10, depth, seed=3), stream(1)
    ids, wanted = np.unique(batches, return_counts=True)
    excess = np.asarray(sketch.estimate(added(sketch, batches), ids)) - wanted
    assert (excess >= 0).all() and (excess > 0).any()
    far = np.mean(excess > np.e / sketch.width * batches.size)
    assert far <= np.exp(-depth)


def test_depth_helps():
    batches = stream(2)
    ids, wanted = np.unique(batches, return_counts=True)

    def excess(depth):
        sketch = CountMin(1 << 11, depth)
        return (sketch.estimate(added(sketch, batches), ids) - wanted).mean()

    assert excess(4) < excess(2) / 2 < excess(1) / 4


def test_an_id_that_was_never_added_counts_as_one_in_shares():
    sketch = CountMin(1 << 10)
    counts = sketch.add(sketch.empty(), jnp.array([5, 5, 7]))
    assert sketch.estimate(counts, jnp.array([123_456]))[0] == 0
    share = sketch.log_share(counts, jnp.array([123_456]))[0]
    assert share == pytest.approx(-np.log(3))


def test_mixing_is_one_to_one_and_spreads():
    words = np.arange(1 << 18, dtype=np.uint32)
    found = np.asarray(mixed(words))
    assert len(np.unique(found)) == len(words)
    # Each bit of the output is set half of the time, though the input is small.
    bits = (found[:, None] >> np.arange(32, dtype=np.uint32)) & 1
    np.testing.assert_allclose(bits.mean(0), 0.5, atol=0.01)


def test_pairs_have_ids_of_their_own():
    first, second = (part.ravel() for part in np.meshgrid(np.arange(300), range(300)))
    found = np.asarray(pair_id(first, second))
    # 90,000 of 2**32 meet about once by chance; sums such as p + 17 q meet always.
    assert len(np.unique(found)) > len(found) - 8


@pytest.mark.parametrize("width, depth", [(1_000, 2), (1, 2), (1 << 10, 0)])
def test_sizes_are_checked(width, depth):
    with pytest.raises(ValueError, match=f"{depth} rows of {width} cells"):
        CountMin(width, depth)
