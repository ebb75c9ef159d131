"""Exact top-k against a full sort of all scores."""

import numpy as np
import pytest

from recjax.errors import UserError
from recjax.index import exact
from recjax.index.exact import Exact, largest


def whole(count, seed, width=3):
    """Small whole numbers, so that scores tie and are exact."""
    rng = np.random.default_rng(seed)
    return rng.integers(-2, 3, (count, width)).astype(np.float32)


def far(queries, vectors):
    """Scores that are no products."""
    return -np.abs(queries[:, None] - vectors[None]).sum(2)


@pytest.mark.parametrize("block, tile", [(1, 1), (3, 2), (7, 4), (100, 100)])
@pytest.mark.parametrize("score", [exact.dot, far])
@pytest.mark.parametrize("k", [1, 7, 57, 80])
def test_the_best_are_those_of_a_full_sort(monkeypatch, block, tile, score, k):
    monkeypatch.setattr(exact, "BLOCK", block)
    monkeypatch.setattr(exact, "TILE", tile)
    monkeypatch.setattr(exact, "GROUP", 3)
    vectors, queries = whole(57, 0), whole(23, 1)
    items, scores = Exact(vectors, score).search(queries, k)
    every = score(queries, vectors)
    want = np.argsort(-every, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(items, want)
    np.testing.assert_array_equal(scores, np.take_along_axis(every, want, 1))
    assert (items.dtype, scores.dtype) == (np.int32, np.float32)


def test_hand_worked():
    vectors = np.array([[1, 0], [0, 2], [3, 0], [1, 0]], np.float32)
    items, scores = Exact(vectors).search(np.array([[2, 1]]), 3)
    assert items.tolist() == [[2, 0, 1]]
    assert scores.tolist() == [[6, 2, 2]]
    assert Exact(vectors).search(np.zeros((0, 2)), 3)[0].shape == (0, 3)


@pytest.mark.parametrize("levels", [1, 3, 10_000])
def test_groups_find_what_a_full_sort_finds(levels):
    scores = np.random.default_rng(0).integers(0, levels, (40, 9_001)) - 0.5
    scores[:2, :8_990] = -np.inf
    items, best = largest(scores, 20)
    want = np.argsort(-scores, 1, kind="stable")[:, :20]
    np.testing.assert_array_equal(items, want)
    np.testing.assert_array_equal(best, np.take_along_axis(scores, want, 1))


def test_minus_infinity_is_a_score():
    scores = np.array([[-np.inf, 1.0, -np.inf, 2.0]])
    items, best = largest(scores, 3)
    assert items.tolist() == [[3, 1, 0]] and best.tolist() == [[2, 1, -np.inf]]


def test_bad_arrays_and_sizes():
    good = np.ones((4, 2), np.float32)
    bad = good.copy()
    bad[2, 1] = np.nan
    with pytest.raises(UserError, match="mine: row 2 holds NaN"):
        Exact(bad, name="mine")
    with pytest.raises(UserError, match="queries: row 2 holds NaN"):
        Exact(good).search(bad, 1)
    with pytest.raises(UserError, match=r"vectors: shape \[4\]"):
        Exact(good[:, 0])
    with pytest.raises(UserError, match=r"queries: shape \[4, 3\].*\[any, 2\]"):
        Exact(good).search(np.ones((4, 3)), 1)
    with pytest.raises(UserError, match="vectors: no matrix of numbers"):
        Exact(np.array([["a"]]))
    for k in (0, -1):
        with pytest.raises(UserError, match=f"k = {k}: ask for at least one"):
            Exact(good).search(good, k)
