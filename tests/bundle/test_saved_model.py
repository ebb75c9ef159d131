"""The SavedModel: raw features to ids, against the JAX and NumPy path."""

import json
import os
import subprocess
import sys
from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

from recjax.bundle import saved_model, signatures
from recjax.bundle.contract import NO_SCORE
from recjax.data.inputs import IdListInput
from recjax.errors import UserError
from recjax.index.exact import Exact
from recjax.index.plan import Plan, Step
from recjax.text import Vocabulary
from recjax.text.features import TextInput

pytest.importorskip("tensorflow", reason="the savedmodel extra is not installed")

ITEMS, DIM, K = 300, 8, 6
IDS = tuple(f"item é {i}" for i in range(ITEMS))
RAW = {
    "query": ["Angle  BRACKET, 12mm!", "ﬁne 東京 ①", "", "zzz"],
    "history": [
        ["", IDS[3], "nope", IDS[1]],
        [],
        [IDS[i] for i in range(9)],
        [IDS[0], "", ""],
    ],
}


def query_fn(params, features):
    def bag(table, ids):
        rows = table[ids].astype(jnp.float32)
        return (rows * (ids > 0)[..., None]).sum(1)

    x = bag(params["tokens"], features["query"]) + params["bias"]
    x = x + bag(params["items"], features["history"])
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


def make_params(vocabulary, items):
    rng = np.random.default_rng(0)
    return {
        "tokens": rng.normal(size=(vocabulary.size, DIM)),
        "items": jnp.asarray(rng.normal(size=(items + 1, DIM)), jnp.bfloat16),
        "bias": np.ones(DIM, np.float32),
    }


def make_inputs():
    texts = ["angle bracket 12mm", "fine 東京 1"]
    vocabulary = Vocabulary.build(texts, unigrams=9, bigrams=9, trigrams=99)
    return {"query": TextInput(vocabulary, 16), "history": IdListInput(IDS, 4)}


def write(path, *, query_fn, params, inputs, **parts):
    example = {n: np.zeros((1, i.length), np.int32) for n, i in inputs.items()}
    graphs = partial(signatures.queries, inputs=inputs, **parts)
    saved_model.write(path, {"query": query_fn}, params, {"query": example}, graphs)


def load(path):
    """Returns (raw queries, k) -> ids, scores and embeddings."""
    made = saved_model.load(path)

    def call(raw, k=K):
        asked = {**raw, "k": [k] * len(next(iter(raw.values())))}
        return {**made["serving_default"](asked), **made["embed"](raw)}

    return call


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    inputs = make_inputs()
    params = make_params(inputs["query"].vocabulary, ITEMS)
    vectors = np.random.default_rng(1).normal(size=(ITEMS, DIM)).astype(np.float32)
    path = tmp_path_factory.mktemp("saved") / "model"
    write(
        path,
        query_fn=query_fn,
        params=params,
        inputs=inputs,
        vectors=vectors,
        item_ids=IDS,
        plan=Plan(K),
    )
    return path, params, vectors


def expected(params, vectors, raw):
    features = {name: i.encode(raw[name]) for name, i in make_inputs().items()}
    embedding = np.asarray(query_fn(params, features), np.float32)
    scores = embedding @ vectors.T
    for row, ids in zip(scores, raw["history"], strict=True):
        row[[IDS.index(id) for id in ids if id in IDS]] = -np.inf
    items = np.argsort(-scores, axis=1)[:, :K]
    ids = np.array(IDS, object)[items]
    return ids, np.take_along_axis(scores, items, 1), embedding


def test_id_list_by_hand():
    history = IdListInput(("a", "b", "c"), 2)
    lists = [["a", "?", "", "b", ""], [], ["a", "b", "c"], ["c"]]
    assert history.encode(lists).tolist() == [[1, 2], [0, 0], [2, 3], [3, 0]]


def test_equals_the_jax_and_numpy_path(exported):
    path, params, vectors = exported
    found = load(path)(RAW)
    ids, scores, embedding = expected(params, vectors, RAW)
    np.testing.assert_array_equal(found["ids"], ids)
    np.testing.assert_allclose(found["scores"], scores, atol=1e-5)
    np.testing.assert_allclose(found["embedding"], embedding, atol=1e-5)
    assert found["scores"].dtype == found["embedding"].dtype == np.float32


def test_any_batch_size_and_no_history_at_all(exported):
    path, params, vectors = exported
    call = load(path)
    raw = {"query": ["angle"], "history": [[]]}
    np.testing.assert_array_equal(call(raw)["ids"], expected(params, vectors, raw)[0])


def test_each_row_gets_as_many_as_it_asks_for(exported):
    path, params, vectors = exported
    raw = {name: values[:4] for name, values in RAW.items()}
    asked = {**raw, "k": np.array([2, K, 0, K + 1], np.int32)}
    found = saved_model.load(path)["serving_default"](asked)
    ids = expected(params, vectors, raw)[0]
    assert found["ids"][0].tolist() == [*ids[0][:2], *[""] * (K - 2)]
    assert found["ids"][1].tolist() == ids[1].tolist()
    assert (found["ids"][2:] == "").all()
    assert (found["scores"][found["ids"] == ""] == NO_SCORE).all()


FRESH = """
import json, sys
for masked in ("jax", "jaxlib", "scann"):
    sys.modules[masked] = None
import tensorflow as tf
raw = json.load(sys.stdin)
model = tf.saved_model.load(sys.argv[1])
raw["query"] = tf.constant(raw["query"])
raw["history"] = tf.ragged.constant(raw["history"]).to_tensor("")
found = {
    **model.signatures["serving_default"](**raw, k=tf.constant([6] * 4)),
    **model.signatures["embed"](**raw),
}
print(json.dumps({
    "ids": [[i.decode() for i in row] for row in found["ids"].numpy()],
    "scores": found["scores"].numpy().tolist(),
    "embedding": found["embedding"].numpy().tolist(),
}))
"""


def test_a_fresh_process_needs_only_tensorflow(exported):
    path, params, vectors = exported
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(path)],
        input=json.dumps(RAW),
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    found = json.loads(done.stdout)
    ids, scores, embedding = expected(params, vectors, RAW)
    assert found["ids"] == ids.tolist()
    np.testing.assert_allclose(found["scores"], scores, atol=1e-5)
    np.testing.assert_allclose(found["embedding"], embedding, atol=1e-5)


def test_scann_inside(tmp_path):
    pytest.importorskip("scann", reason="the scann extra is not installed")
    num = 20_500
    rng = np.random.default_rng(2)
    ids = tuple(map(str, range(num)))
    centers = rng.normal(size=(40, DIM))
    vectors = centers[np.arange(num) % 40] + 0.3 * rng.normal(size=(num, DIM))
    vectors = vectors.astype(np.float32)
    plan = Plan(K, 143, (Step(K, 64, 200),))
    write(
        tmp_path / "model",
        query_fn=lambda params, features: params[features["item"][:, 0]],
        params=np.concatenate([np.zeros((1, DIM), np.float32), vectors]),
        inputs={"item": IdListInput(ids, 1)},
        vectors=vectors,
        item_ids=ids,
        plan=plan,
    )
    (tmp_path / "model").rename(tmp_path / "moved")
    found = load(tmp_path / "moved")({"item": [[i] for i in ids[:200]]})
    np.testing.assert_array_equal(found["embedding"], vectors[:200])
    # The item itself is its history, and left out.
    want, _ = Exact(vectors).search(vectors[:200], K + 1)
    want = [[i for i in row if i != own][:K] for own, row in enumerate(want)]
    items = found["ids"].astype(int)
    hits = [np.isin(w, f).mean() for w, f in zip(want, items, strict=True)]
    assert np.mean(hits) > 0.95
    products = np.einsum("qd,qkd->qk", vectors[:200], vectors[items])
    np.testing.assert_allclose(found["scores"], products, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item_ids": ("", *IDS[1:])}, r"item id 0 \(''\) is empty"),
        ({"item_ids": (IDS[1], *IDS[1:])}, "item id 1 .* listed twice"),
        ({"inputs": {"a b": IdListInput(IDS, 2)}}, "input 'a b'"),
    ],
)
def test_what_does_not_fit(tmp_path, change, message):
    good = {
        "query_fn": lambda params, features: params[features["history"][:, 0]],
        "params": np.zeros((ITEMS + 1, DIM), np.float32),
        "inputs": {"history": IdListInput(IDS, 2)},
        "vectors": np.zeros((ITEMS, DIM), np.float32),
        "item_ids": IDS,
        "plan": Plan(3),
    }
    with pytest.raises(UserError, match=message):
        write(tmp_path, **(good | change))


def test_broken_folder(exported, tmp_path):
    with pytest.raises(UserError, match=r"saved_model\.pb.*export it anew"):
        saved_model.load(tmp_path)
    content = (exported[0] / "saved_model.pb").read_bytes()
    (tmp_path / "saved_model.pb").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="cannot load this SavedModel"):
        saved_model.load(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(content)
    with pytest.raises(UserError, match="cannot load this SavedModel"):
        saved_model.load(tmp_path)


def test_without_tensorflow(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(UserError, match=r"pip install 'recjax\[savedmodel\]'"):
        saved_model.load(tmp_path)
