"""The index of ScaNN against a full sort of all scores."""

import sys

import numpy as np
import pytest

from recjax.errors import UserError
from recjax.index import scann
from recjax.index.exact import Exact
from recjax.index.scann import Plan


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


def test_plans():
    assert scann.plan(19_999, 10) == Plan(10)
    assert scann.plan(1_000_000, 10) == Plan(10, 1_000, 100, 200)
    wide = scann.plan(20_000, 2_000)
    assert wide.leaves_to_search == wide.leaves == 141
    assert wide.reorder == 20_000


def written(folder, vectors, index):
    """Returns a folder with vectors and their index."""
    folder.mkdir()
    np.save(folder / "vectors.npy", vectors)
    scann.save(index, folder)
    return folder


def test_small_corpus_is_exact_and_needs_no_scann(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "scann", None)
    vectors, queries = clusters(100, 4, 0), clusters(9, 4, 1)
    index = scann.build(vectors, 5)
    folder = written(tmp_path / "a", vectors, index)
    assert [path.name for path in folder.iterdir()] == ["vectors.npy"]
    loaded = scann.load(folder, vectors)
    items = loaded.search(queries, 5)[0]
    np.testing.assert_array_equal(items, naive(queries, vectors, 5)[0])


def test_large_corpus_without_scann_is_exact_and_says_so(monkeypatch, large):
    monkeypatch.setitem(sys.modules, "scann", None)
    vectors, queries, (items, _) = large
    with pytest.warns(UserWarning, match=r"searched exactly.*recjax\[scann\]"):
        index = scann.build(vectors, 10)
    np.testing.assert_array_equal(index.search(queries, 10)[0], items)


def test_scann_finds_the_exact_top_k_and_moves_with_its_folder(large, tmp_path):
    pytest.importorskip("scann", reason="the scann extra is not installed")
    vectors, queries, (want, _) = large
    index = scann.build(vectors, 10)
    assert isinstance(index, scann.Scann)
    items, scores = index.search(queries, 10)
    assert (items.dtype, scores.dtype) == (np.int32, np.float32)
    assert recall(items, want) > 0.95
    products = np.einsum("qd,qkd->qk", queries, vectors[items])
    np.testing.assert_allclose(scores, products, atol=1e-5)
    np.testing.assert_array_equal(index.search(queries, 3)[0], items[:, :3])
    more = index.search(queries, 11)[0]  # More than it is built for: exact.
    np.testing.assert_array_equal(more[:, :10], want)

    folder = written(tmp_path / "here", vectors, index).rename(tmp_path / "there")
    # The vectors lie there once.
    assert sum(p.stat().st_size > vectors.nbytes for p in folder.rglob("*")) == 1
    (folder / "index" / "scann_docids.pkl").write_bytes(b"no pickle is opened")
    loaded = scann.load(folder, vectors)
    np.testing.assert_array_equal(loaded.search(queries, 10)[0], items)
    np.testing.assert_array_equal(loaded.search(queries, 10)[1], scores)
    assert loaded.search(queries[:0], 10)[0].shape == (0, 10)
    with pytest.raises(UserError, match=r"queries: shape \[1, 3\].*\[any, 13\]"):
        loaded.search(np.zeros((1, 3)), 10)

    (folder / "index" / "hashed_dataset.npy").unlink()
    with pytest.raises(UserError, match="index: no whole index"):
        scann.load(folder, vectors)


def test_tensorflow_searcher_from_the_same_plan(large):
    pytest.importorskip("scann", reason="the scann extra is not installed")
    tf = pytest.importorskip("tensorflow", reason="the savedmodel extra is missing")
    vectors, queries, (want, _) = large
    module = scann.build_tf(vectors, scann.plan(len(vectors), 10))
    search = tf.function(lambda q: scann.search_tf(module, q, 10))
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

    searcher = scann._build(scann_ops_pybind, vectors, narrow)
    index = scann.Scann(narrow, searcher, Exact(vectors))
    module = scann.build_tf(vectors, narrow)
    graph = scann.search_tf(module, tf.constant(queries), 2_000)
    for items, scores in (index.search(queries, 2_000), [x.numpy() for x in graph]):
        missing = items == -1
        assert missing.any()
        assert not missing[:, 0].any()
        np.testing.assert_array_equal(np.isneginf(scores), missing)


def test_bad_sizes():
    for k in (0, 5):
        with pytest.raises(UserError, match=f"k = {k} results from 4 items"):
            scann.build(np.ones((4, 2), np.float32), k)


@pytest.mark.parametrize("name", ["plan.json", "scann_assets.pbtxt"])
def test_broken_folder(large, tmp_path, name):
    pytest.importorskip("scann", reason="the scann extra is not installed")
    vectors = large[0]
    folder = written(tmp_path / "a", vectors, scann.build(vectors, 3))
    path = folder / "index" / name
    content = path.read_bytes()
    for broken in (content[: len(content) // 2], b"[]"):
        path.write_bytes(broken)
        with pytest.raises(UserError, match="no whole index"):
            scann.load(folder, vectors)
    path.unlink()
    with pytest.raises(UserError, match=f"(?s)no whole index.*{name}"):
        scann.load(folder, vectors)
