"""Vectors in fewer bits: what they become, on disk, in ScaNN, and in bundles."""

import numpy as np
import pytest
import serving

from recjax.bundle import saved_model
from recjax.bundle.open import open_bundle
from recjax.bundle.served import signatures
from recjax.errors import UserError
from recjax.index import scann
from recjax.index.compact import Compact, compact, loss
from recjax.index.exact import Exact
from recjax.index.item_vectors import ItemVectors, write_vectors

TYPES = "bfloat16", "int8"


def some(rows, width=16, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)


def test_by_hand():
    vectors = np.array([[254, 0, 1], [-127, 0, 0.004]], np.float32)
    made = compact(vectors, "int8")
    assert made.codes.tolist() == [[127, 0, 127], [-64, 0, 1]]
    np.testing.assert_allclose(made[:], [[254, 0, 1], [-128, 0, 1 / 127]], rtol=1e-6)
    assert compact(vectors, "bfloat16")[0].tolist() == [254, 0, 1]
    assert compact(vectors, "float32") is not None


@pytest.mark.parametrize(("type", "worst"), [("bfloat16", 2**-8), ("int8", 0.02)])
def test_they_are_near_and_searched_as_they_are(type, worst):
    vectors, queries = some(300), some(9, seed=1)
    made = compact(vectors, type)
    apart = np.abs(np.asarray(made) - vectors)
    assert apart.max() <= worst * np.abs(vectors).max()
    items, scores = Exact(made).search(queries, 7)
    want, best = Exact(np.asarray(made)).search(queries, 7)
    np.testing.assert_array_equal(items, want)
    np.testing.assert_array_equal(scores, best)
    told = loss(vectors, made, queries)
    assert 0.9 <= told["vectors_recall_at_10"] <= 1
    products = queries @ (np.asarray(made) - vectors).T
    np.testing.assert_allclose(told["vectors_score_loss"], np.abs(products).max(), 1e-3)


@pytest.mark.parametrize("type", TYPES)
def test_a_folder_gives_back_what_was_written(tmp_path, type):
    ids, made = [*map(str, range(30))], compact(some(30), type)
    write_vectors(tmp_path, ids, ids, made)
    found = ItemVectors.open(tmp_path)
    assert isinstance(found.vectors, Compact)
    np.testing.assert_array_equal(found.vectors[:], made[:])
    length = np.linalg.norm(made[3:5], axis=1, keepdims=True)
    np.testing.assert_allclose(found.unit([3, 4]), made[3:5] / length, atol=1e-6)
    (tmp_path / "vectors.json").write_text('{"type": "int8", "scale": [1]}')
    with pytest.raises(UserError, match="vectors.json does not fit"):
        ItemVectors.open(tmp_path)
    write_vectors(tmp_path, ids, ids, some(30))
    np.testing.assert_array_equal(ItemVectors.open(tmp_path).vectors, some(30))


@pytest.mark.parametrize("type", TYPES)
def test_scann_reads_the_same_file_and_gives_the_same_scores(tmp_path, type):
    pytest.importorskip("scann", reason="the scann extra is not installed")
    vectors, queries = compact(some(20_000), type), some(50, seed=1)
    index = scann.build(vectors, 5)
    write_vectors(tmp_path, [*map(str, range(20_000))], [""] * 20_000, vectors)
    scann.save(index, tmp_path)
    limit = vectors.codes.nbytes
    assert sum(p.stat().st_size > limit for p in tmp_path.rglob("*.npy")) == 1
    loaded = scann.load(tmp_path, ItemVectors.open(tmp_path).vectors)
    items, scores = loaded.search(queries, 5)
    products = np.einsum("qd,qkd->qk", queries, vectors[items])
    np.testing.assert_allclose(scores, products, atol=1e-5)


def test_a_bundle_and_its_saved_model_answer_alike(tmp_path):
    pytest.importorskip("tensorflow", reason="the savedmodel extra is missing")
    serving.films(tmp_path / "a", sizes=(1,), saved=True, type="int8")
    opened = open_bundle(tmp_path / "a")
    assert isinstance(opened.index.vectors, Compact)
    raw = {"text": ["red thing 3", "é"] * 9, "history": [["i1"], []] * 9}
    asked = {**raw, "history_age": [[1.0], []] * 9, "k": [4] * 18}
    found = saved_model.load(tmp_path / "a" / "saved_model")["serving_default"](asked)
    wanted = signatures(opened)["serving_default"].ask(asked)
    assert found["ids"].tolist() == wanted["ids"]
    np.testing.assert_allclose(found["scores"], wanted["scores"], atol=1e-5)
