"""What lies beside a SavedModel for TensorFlow Serving, and its answers."""

import numpy as np
import pytest
import serving

from recjax.bundle import saved_model
from recjax.bundle.open import open_bundle
from recjax.bundle.served import signatures
from recjax.bundle.tf_serving import WARMUP

tf = pytest.importorskip("tensorflow", reason="the savedmodel extra is not installed")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "films"
    serving.films(folder, saved=True)
    return folder


def queries(count):
    random = np.random.default_rng(count)
    words = ("red", "green", "blue", "grey", "thing", "é", "no word")
    history = [
        [f"i{i}" for i in random.integers(0, 40, random.integers(0, 9))]
        for _ in range(count)
    ]
    return {
        "text": [" ".join(random.choice(words, 2)) for _ in range(count)],
        "history": history,
        "history_age": [random.random(len(one)).tolist() for one in history],
    }


@pytest.mark.parametrize("count", [1, 3, 17, 128])
def test_it_answers_as_the_bundle_does(bundle, count):
    saved, own = (
        saved_model.load(bundle / "saved_model"),
        signatures(open_bundle(bundle)),
    )
    assert saved.keys() == own.keys()
    raw = queries(count)
    one, other = (made["embed"] for made in (saved, own))
    close = np.testing.assert_allclose
    close(one(raw)["embedding"], np.asarray(other.ask(raw)["embedding"]), atol=1e-5)
    k = np.random.default_rng(0).integers(1, 20, count).astype(np.int32)
    found = saved["serving_default"]({**raw, "k": k})
    wanted = own["serving_default"].ask({**raw, "k": k.tolist()})
    for row, size in enumerate(k):
        assert found["ids"][row, :size].tolist() == wanted["ids"][row]
        assert (found["ids"][row, size:] == "").all()
        close(found["scores"][row, :size], wanted["scores"][row], atol=1e-5)
    most = max(map(len, raw["history"]))
    filled = {  # Rows of one length.
        name: [[*row, *[fill] * (most - len(row))] for row in raw[name]]
        for name, fill in (("history", ""), ("history_age", 0.0))
    }
    for made in (saved["serving_default"], own["serving_default"].ask):
        padded = made({**raw, **filled, "k": k})["scores"]
        for row, size in enumerate(k):
            close(padded[row][:size], wanted["scores"][row], atol=1e-5)
    items = {"text": np.random.default_rng(0).integers(0, 20, (count, 8))}
    items = {name: array.astype(np.int32) for name, array in items.items()}
    wanted = np.asarray(own["embed_item"].ask(items)["embedding"])
    close(saved["embed_item"](items)["embedding"], wanted, atol=1e-5)


def test_inputs_and_outputs_are_the_bundles(bundle):
    model = tf.saved_model.load(str(bundle / "saved_model"))
    for name, own in signatures(open_bundle(bundle)).items():
        made = model.signatures[name]
        for specs, wanted in (
            (made.structured_input_signature[1], own.inputs),
            (made.structured_outputs, own.outputs),
        ):
            assert specs.keys() == wanted.keys()
            for key, spec in wanted.items():
                assert specs[key].dtype.as_datatype_enum == _enum(spec.dtype)
                shape = [-1 if size is None else size for size in specs[key].shape]
                assert shape == [*spec.shape], (name, key)


def _enum(name):
    from tensorflow.core.framework import types_pb2

    return types_pb2.DataType.Value(name)


def test_warm_up_requests_replay(bundle):
    prediction_log_pb2 = pytest.importorskip(
        "tensorflow_serving.apis.prediction_log_pb2"
    )
    model = tf.saved_model.load(str(bundle / "saved_model"))
    path, met = bundle / "saved_model" / WARMUP, set()
    for record in tf.data.TFRecordDataset(str(path)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        name = request.model_spec.signature_name
        inputs = {n: tf.make_ndarray(value) for n, value in request.inputs.items()}
        (rows,) = {len(value) for value in inputs.values()}
        tensors = {n: tf.constant(value) for n, value in inputs.items()}
        for value in model.signatures[name](**tensors).values():
            assert len(value) == rows
        met.add((name, rows))
        if name == "serving_default":
            assert inputs["text"][0].decode() == serving.TITLES[0]
    names = ("serving_default", "embed", "embed_item")
    assert met == {(name, size) for name in names for size in (1, 128)}


def test_configurations_name_the_model_and_its_sizes(bundle):
    yaml = pytest.importorskip("yaml")
    (service,) = yaml.safe_load((bundle / "compose.yaml").read_text())[
        "services"
    ].items()
    assert service[0] == "films"
    assert "./saved_model:/models/films/1:ro" in service[1]["volumes"]
    assert 'name: "films"' in (bundle / "models.config").read_text()
    batching = (bundle / "batching.config").read_text()
    assert "max_batch_size { value: 128 }" in batching
    assert batching.count("allowed_batch_sizes: ") == 2
