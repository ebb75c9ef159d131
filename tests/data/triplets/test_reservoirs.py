import itertools

import numpy as np
import pytest
from triplet_oracle import p_value

from recjax.data.triplets import reservoirs

WEIGHT = np.array([0.1, 2.0, 0.5, 1.0, 0.0, 1.4])


def run(fill, capacity, seed, chunks, copies=4_000):
    """Lets the same six images pass reservoirs of many categories at once."""
    generator = np.random.default_rng(seed)
    held = reservoirs.empty(copies, capacity)
    for chunk in chunks:
        image = np.tile(chunk, copies)
        category = np.repeat(np.arange(copies), len(chunk))
        held = fill(held, image, category, WEIGHT[image], generator)
    return held


@pytest.mark.parametrize("capacity", [1, 3, 20])
@pytest.mark.parametrize("chunks", [[[0, 1, 2, 3, 4, 5]], [[5, 4], [1], [0, 3, 2]]])
def test_each_slot_is_a_weighted_draw_at_every_capacity(capacity, chunks):
    held = run(reservoirs.fill, capacity, 0, chunks)
    for slot in {0, capacity - 1}:
        counts = np.bincount(held.image[:, slot], minlength=6)
        assert p_value(counts, WEIGHT / WEIGHT.sum()) > 1e-3
    np.testing.assert_allclose(held.total, WEIGHT.sum())


def test_slots_are_independent():
    held = run(reservoirs.fill, 2, 1, [[0, 1, 2], [3, 4, 5]])
    share = WEIGHT / WEIGHT.sum()
    counts = np.zeros((6, 6))
    np.add.at(counts, (held.image[:, 0], held.image[:, 1]), 1)
    assert p_value(counts, np.outer(share, share)) > 1e-3


def successive(weight, count):
    """P(set) of drawing without replacement, one after the other."""
    found = {}
    for order in itertools.permutations(np.flatnonzero(weight), count):
        chance, left = 1.0, weight.sum()
        for i in order:
            chance *= weight[i] / left
            left -= weight[i]
        key = tuple(sorted(int(i) for i in order))
        found[key] = found.get(key, 0) + chance
    return found


@pytest.mark.parametrize("capacity", [1, 2, 4])
@pytest.mark.parametrize("chunks", [[[0, 1, 2, 3, 4, 5]], [[5, 4], [1], [0, 3, 2]]])
def test_largest_keys_are_successive_draws_without_replacement(capacity, chunks):
    held = run(reservoirs.fill_distinct, capacity, 2, chunks)
    want = successive(WEIGHT, capacity)
    names = list(want)
    got = [tuple(sorted(row.tolist())) for row in held.image]
    counts = np.array([got.count(name) for name in names])
    assert counts.sum() == len(got)
    assert p_value(counts, np.array([want[name] for name in names])) > 1e-3


@pytest.mark.parametrize("fill", [reservoirs.fill, reservoirs.fill_distinct])
def test_weights_follow_their_images(fill):
    held = run(fill, 3, 0, [[0, 1], [2, 3, 4, 5]], copies=50)
    assert (held.image >= 0).all()
    np.testing.assert_array_equal(held.weight, WEIGHT[held.image])


def test_a_reservoir_larger_than_its_category_holds_all_of_it():
    held = run(reservoirs.fill_distinct, 9, 0, [[0, 1, 2], [3, 4, 5]], copies=3)
    for row in held.image:
        assert sorted(row.tolist()) == [-1, -1, -1, -1, 0, 1, 2, 3, 5]


def test_tiny_weights_do_not_underflow():
    generator = np.random.default_rng(0)
    held = reservoirs.empty(1, 2)
    weight = np.array([1e-300, 3e-300, 2e-300])
    held = reservoirs.fill_distinct(
        held, np.arange(3), np.zeros(3, int), weight, generator
    )
    assert (held.image[0] >= 0).all() and np.isfinite(held.key).all()


@pytest.mark.parametrize("fill", [reservoirs.fill, reservoirs.fill_distinct])
def test_what_was_held_before_is_left_alone(fill):
    before = run(fill, 2, 0, [[0, 1]], copies=5)
    kept = before.image.copy()
    fill(before, np.array([3]), np.array([0]), np.ones(1), np.random.default_rng(0))
    np.testing.assert_array_equal(before.image, kept)


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_bad_weights_are_refused(bad):
    with pytest.raises(ValueError, match="weight"):
        reservoirs.fill(
            reservoirs.empty(1, 1),
            np.zeros(1, int),
            np.zeros(1, int),
            np.array([bad]),
            np.random.default_rng(0),
        )
