"""The item index against a full sort of all scores."""

import sys

import numpy as np
import pytest

from recjax.errors import UserError
from recjax.index import scann_index
from recjax.index.scann_index import Plan, exact_search


def clusters(num, dim, seed):
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(99).normal(size=(50, dim))
    x = centers[rng.integers(0, 50, num)] + 0.4 * rng.normal(size=(num, dim))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def naive(queries, vectors, k):
    scores = queries.astype(np.float64) @ vectors.astype(np.float64).T
    items = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return items, np.take_along_axis(scores, items, 1)


def recall(found, wanted):
    return np.mean([np.isin(w, f).mean() for f, w in zip(found, wanted, strict=True)])


@pytest.fixture(scope="module")
def large():
    vectors, queries = clusters(21_000, 13, 0), clusters(200, 13, 1)
    return vectors, queries, naive(queries, vectors, 10)


def test_exact_search_equals_a_full_sort_in_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    # Whole numbers, so that many scores tie and the tie rule shows.
    vectors = rng.integers(-2, 3, (57, 3)).astype(np.float32)
    queries = rng.integers(-2, 3, (23, 3)).astype(np.float32)
    monkeypatch.setattr(scann_index, "_BLOCK_SCORES", 5 * 57)
    for k in (1, 7, 57):
        items, scores = exact_search(queries, vectors, k)
        want_items, want_scores = naive(queries, vectors, k)
        np.testing.assert_array_equal(items, want_items)
        np.testing.assert_array_equal(scores, want_scores)
        assert (items.dtype, scores.dtype) == (np.int32, np.float32)


def test_hand_worked():
    vectors = np.array([[1, 0], [0, 2], [3, 0], [1, 0]], np.float32)
    items, scores = exact_search(np.array([[2, 1]], np.float32), vectors, 3)
    assert items.tolist() == [[2, 0, 1]]
    assert scores.tolist() == [[6, 2, 2]]


def test_plans():
    assert scann_index.plan(19_999, 10) == Plan(10)
    assert scann_index.plan(1_000_000, 10) == Plan(10, 1_000, 100, 200)
    wide = scann_index.plan(20_000, 2_000)
    assert wide.leaves_to_search == wide.leaves == 141
    assert wide.reorder == 20_000


def test_small_corpus_is_exact_and_needs_no_scann(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "scann", None)
    vectors, queries = clusters(100, 4, 0), clusters(9, 4, 1)
    index = scann_index.build(vectors, 5)
    scann_index.save(index, tmp_path / "index")
    loaded = scann_index.load(tmp_path / "index")
    assert loaded.plan == Plan(5)
    np.testing.assert_array_equal(
        loaded.search(queries)[0], naive(queries, vectors, 5)[0]
    )


def test_large_corpus_without_scann_is_exact_and_says_so(monkeypatch, large):
    monkeypatch.setitem(sys.modules, "scann", None)
    vectors, queries, (items, _) = large
    with pytest.warns(UserWarning, match=r"searched exactly.*recjax\[scann\]"):
        index = scann_index.build(vectors, 10)
    np.testing.assert_array_equal(index.search(queries)[0], items)


def test_scann_finds_the_exact_top_k_and_moves_with_its_folder(large, tmp_path):
    pytest.importorskip("scann", reason="the scann extra is not installed")
    vectors, queries, (want, _) = large
    index = scann_index.build(vectors, 10)
    assert index.vectors is None
    items, scores = index.search(queries)
    assert (items.dtype, scores.dtype) == (np.int32, np.float32)
    assert recall(items, want) > 0.95
    products = np.einsum("qd,qkd->qk", queries, vectors[items])
    np.testing.assert_allclose(scores, products, atol=1e-5)

    scann_index.save(index, tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    loaded = scann_index.load(tmp_path / "there")
    np.testing.assert_array_equal(loaded.search(queries)[0], items)
    np.testing.assert_array_equal(loaded.search(queries)[1], scores)
    assert loaded.search(queries[:0])[0].shape == (0, 10)
    with pytest.raises(UserError, match=r"queries: shape \[1, 3\].*\[any, 13\]"):
        loaded.search(np.zeros((1, 3)))

    (tmp_path / "there" / "hashed_dataset.npy").unlink()
    with pytest.raises(UserError, match="there: ScaNN cannot read"):
        scann_index.load(tmp_path / "there")


def test_tensorflow_searcher_from_the_same_plan(large):
    pytest.importorskip("scann", reason="the scann extra is not installed")
    tf = pytest.importorskip("tensorflow", reason="the savedmodel extra is missing")
    vectors, queries, (want, _) = large
    module = scann_index.build_tf(vectors, scann_index.plan(len(vectors), 10))
    search = tf.function(lambda q: scann_index.search_tf(module, q, 10))
    items, scores = (x.numpy() for x in search(tf.constant(queries)))
    assert recall(items, want) > 0.95
    products = np.einsum("qd,qkd->qk", queries, vectors[items])
    np.testing.assert_allclose(scores, products, atol=1e-5)


def test_fewer_found_than_asked(large):
    pytest.importorskip("scann", reason="the scann extra is not installed")
    tf = pytest.importorskip("tensorflow", reason="the savedmodel extra is missing")
    vectors, queries, _ = large
    narrow = Plan(k=2_000, leaves=145, leaves_to_search=1, reorder=2_000)
    from scann import scann_ops_pybind

    searcher = scann_index._build(scann_ops_pybind, vectors, narrow)
    index = scann_index.Index(narrow, 13, None, searcher)
    module = scann_index.build_tf(vectors, narrow)
    graph = scann_index.search_tf(module, tf.constant(queries), 2_000)
    for items, scores in (index.search(queries), [x.numpy() for x in graph]):
        missing = items == -1
        assert missing.any()
        assert not missing[:, 0].any()
        np.testing.assert_array_equal(np.isneginf(scores), missing)


def test_bad_arrays_and_sizes():
    good = np.ones((4, 2), np.float32)
    bad = good.copy()
    bad[2, 1] = np.nan
    with pytest.raises(UserError, match="vectors: row 2 holds NaN"):
        scann_index.build(bad, 1)
    with pytest.raises(UserError, match="queries: row 2 holds NaN"):
        exact_search(bad, good, 1)
    with pytest.raises(UserError, match=r"vectors: shape \[4\]"):
        scann_index.build(good[:, 0], 1)
    for k in (0, 5):
        with pytest.raises(UserError, match=f"k = {k} results from 4 items"):
            scann_index.build(good, k)
        with pytest.raises(UserError, match=f"k = {k} results from 4 items"):
            exact_search(good, good, k)


@pytest.mark.parametrize("name", ["plan.json", "vectors.npy"])
def test_broken_folder(tmp_path, name):
    scann_index.save(scann_index.build(np.eye(8, dtype=np.float32), 3), tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="not a complete index"):
        scann_index.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=f"(?s)not a complete index.*{name}"):
        scann_index.load(tmp_path)
