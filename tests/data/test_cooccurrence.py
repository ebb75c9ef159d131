"""Factorised co-occurrence against NumPy's dense decomposition."""

import numpy as np
import pytest
from scipy import sparse

from recjax.data.cooccurrence import Cooccurrence, factorize
from recjax.data.events import Events

ITEMS = 14


@pytest.fixture
def problem():
    random = np.random.default_rng(0)
    dense = random.random((ITEMS, ITEMS)) * (random.random((ITEMS, ITEMS)) < 0.4)
    dense[3] = dense[:, 3] = 0
    return dense.astype(np.float32), random.integers(0, 50, ITEMS)


def error(dense, counts, both):
    root = np.sqrt(counts + 1.0)
    missed = root[:, None] * (dense - both[0] @ both[1].T) * root
    return np.linalg.norm(missed)


@pytest.mark.parametrize("width", [1, 3, 4, ITEMS])
def test_no_vectors_of_this_width_come_nearer(problem, width):
    dense, counts = problem
    both = factorize(sparse.csr_array(dense), counts, width)
    root = np.sqrt(counts + 1.0)
    strength = np.linalg.svd(root[:, None] * dense * root, compute_uv=False)
    # Eckart and Young: the best error is what the strengths left out add up to.
    best = np.sqrt((strength[width:] ** 2).sum())
    assert error(dense, counts, both) == pytest.approx(best, rel=1e-4, abs=1e-4)
    assert np.linalg.norm(both[0]) == pytest.approx(np.linalg.norm(both[1]), rel=1e-4)


def test_more_width_than_there_is_to_give_is_zeros(problem):
    dense, counts = problem
    source, target = factorize(sparse.csr_array(dense), counts, ITEMS + 5)
    assert source.shape == target.shape == (ITEMS, ITEMS + 5)
    assert not source[:, ITEMS:].any() and not target[:, ITEMS:].any()
    np.testing.assert_allclose(source[3], 0, atol=1e-5)
    np.testing.assert_allclose(source @ target.T, dense, atol=1e-5)


@pytest.mark.parametrize("items", [1, 40])
def test_events_without_pairs_give_zeros(items):
    nothing = sparse.csr_array((items, items), dtype=np.float32)
    source, target = factorize(nothing, np.ones(items), 3)
    assert source.shape == target.shape == (items, 3)
    assert not source.any() and not target.any()


def test_the_same_vectors_every_time(problem):
    dense, counts = problem
    first, again = (factorize(sparse.csr_array(dense), counts, 5) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])


def test_vectors_of_a_chain_lead_to_the_next_item():
    # Users walk 0 -> 1 -> 2 -> ..., each item of a walk a minute after the one before.
    start = np.repeat(np.arange(ITEMS - 4), 5)
    item = start + np.tile(np.arange(5), ITEMS - 4)
    events = Events(start, item, np.tile(np.arange(5) * 60, ITEMS - 4), ITEMS)
    options = Cooccurrence(window=1, backward=0.0, shrinkage=0.0)
    source, target = options.vectors(events, ITEMS)
    found = (source @ target.T).argmax(1)
    np.testing.assert_array_equal(found[:-1], np.arange(1, ITEMS))
