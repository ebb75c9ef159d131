"""The index of ScaNN against a full sort of all scores."""

import subprocess
import sys

import numpy as np
import pytest

from recjax.errors import UserError
from recjax.index import plan, scann
from recjax.index.exact import Exact
from recjax.index.plan import Plan, Step


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


def test_a_plan_is_the_least_that_finds_enough():
    """An index of which two leaves and 40 candidates find all."""
    queries, asked = np.ones((8, 1), np.float32), []

    def exact(queries, k):
        return None, np.ones((len(queries), k))

    def search(queries, step):
        asked.append(step)
        found = np.full((len(queries), step.results), np.nan)
        enough = step.leaves >= 2 and step.reorder >= 4 * step.results
        found[:, : step.results if enough else step.results // 2] = 1
        return found

    made, facts = plan.tune(search, exact, queries, 30, 100, 0.99)
    assert made.k == 30 and made.leaves == 100
    assert [step.results for step in made.steps] == [10, 30]
    for step in made.steps:
        assert 2 <= step.leaves <= 4
        assert 4 * step.results <= step.reorder < 1.3 * 4 * step.results
        assert facts[f"index_top_{step.results}"]["recall"] == 1
    assert len(asked) < 80
    assert [made.step(k).results for k in (1, 10, 11, 30, 31)] == [10, 10, 30, 30, 30]
    # What no step reaches: all is looked at.
    most, facts = plan.tune(search, exact, queries, 4, 1, 0.99)
    assert most.steps[0].leaves == 1 and facts["index_top_4"]["recall"] == 0.5


def test_many_items_are_measured_with_fewer_queries():
    queries = np.arange(2_000, dtype=np.float32)[:, None]
    assert len(plan.some_queries(queries, 1_000)) == plan.MOST_QUERIES
    few = plan.some_queries(queries, 10**9)
    assert len(few) == 64 and few[0] == 0 and few[-1] == 1_999


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
    index = scann.build(vectors, 10, clusters(300, 13, 2))
    assert isinstance(index, scann.Scann)
    assert index.measured["index_tuned_on"] == "300 validation queries"
    assert index.measured["index_top_10"]["leaves"] < index.plan.leaves / 4
    items, scores = index.search(queries, 10)
    assert (items.dtype, scores.dtype) == (np.int32, np.float32)
    assert recall(items, want) > 0.98
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
    steps = Step(5, 1, 20), Step(10, 20, 200)
    made = Plan(10, 145, steps)
    module = scann.build_tf(vectors, made)
    search = tf.function(lambda q, k: scann.search_tf(module, made, q, k))
    shares = []
    for k in (5, 10, 12):  # The first step finds less, the last all that is asked.
        items, scores = (
            x.numpy() for x in search(tf.constant(queries), tf.constant(k))
        )
        assert items.shape == (len(queries), k)
        shares.append(recall(items, naive(queries, vectors, k)[0]))
        products = np.einsum("qd,qkd->qk", queries, vectors[items])
        np.testing.assert_allclose(scores, products, atol=1e-5)
    assert shares[0] < 0.97 < min(shares[1:])


def test_fewer_found_than_asked(large):
    pytest.importorskip("scann", reason="the scann extra is not installed")
    tf = pytest.importorskip("tensorflow", reason="the savedmodel extra is missing")
    vectors, queries, _ = large
    narrow = Plan(2_000, 145, (Step(2_000, 1, 2_000),))
    from scann import scann_ops_pybind

    searcher = scann._build(scann_ops_pybind, vectors, narrow.k, narrow.leaves)
    index = scann.Scann(narrow, searcher, Exact(vectors))
    module = scann.build_tf(vectors, narrow)
    graph = scann.search_tf(module, narrow, tf.constant(queries), 2_000)
    for items, scores in (index.search(queries, 2_000), [x.numpy() for x in graph]):
        missing = items == -1
        assert missing.any()
        assert not missing[:, 0].any()
        np.testing.assert_array_equal(np.isneginf(scores), missing)


def test_searching_imports_no_tensorflow():
    pytest.importorskip("scann", reason="the scann extra is not installed")
    program = """if True:
        import sys
        import numpy as np
        from recjax.index import scann
        built = scann._scann(1)
        assert built.builder and "tensorflow" not in sys.modules
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


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
