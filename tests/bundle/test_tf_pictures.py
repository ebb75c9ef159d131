"""The SavedModel of a bundle of photographs: JPEGs to neighbours."""

import base64
import json
import subprocess
import sys

import numpy as np
import pytest
import serving
from tiny_images import photograph

from recjax.bundle import saved_model
from recjax.bundle.open import open_bundle
from recjax.bundle.served import signatures
from recjax.bundle.tf_serving import WARMUP

tf = pytest.importorskip("tensorflow", reason="the savedmodel extra is not installed")
FILES = [photograph(60 + 9 * i, 70, i) for i in range(17)]
FRESH = """
import base64, json, sys
for package in ("jax", "jaxlib", "flax", "recjax", "simplejpeg", "numba"):
    sys.modules[package] = None
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
files = [base64.b64decode(one) for one in json.load(sys.stdin)]
k = tf.constant([3] * len(files))
found = model.signatures["serving_default"](image_bytes=tf.constant(files), k=k)
print(json.dumps([[id.decode() for id in row] for row in found["ids"].numpy()]))
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "photos"
    serving.pictures(folder, (1, 4), saved=True)
    return folder


@pytest.mark.parametrize("count", [1, 3, 17])
def test_it_answers_as_the_bundle_does(bundle, count):
    saved = saved_model.load(bundle / "saved_model")
    own = signatures(open_bundle(bundle))
    assert saved.keys() == own.keys() == {"embed", "serving_default"}
    given = {"image_bytes": FILES[:count]}
    found, wanted = saved["embed"](given), own["embed"].ask(given)
    np.testing.assert_allclose(
        found["embedding"], np.asarray(wanted["embedding"]), atol=1e-4
    )
    k = [1 + i % 5 for i in range(count)]
    found = saved["serving_default"]({**given, "k": k})
    wanted = own["serving_default"].ask({**given, "k": k})
    for row, size in enumerate(k):
        assert found["ids"][row, :size].tolist() == wanted["ids"][row]
        np.testing.assert_allclose(
            found["scores"][row, :size], wanted["scores"][row], atol=1e-4
        )


def test_a_cut_off_file_is_refused(bundle):
    saved = saved_model.load(bundle / "saved_model")
    with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid JPEG"):
        saved["embed"]({"image_bytes": [FILES[0], FILES[1][:-400]]})


def test_warm_up_requests_are_photographs(bundle):
    prediction_log_pb2 = pytest.importorskip(
        "tensorflow_serving.apis.prediction_log_pb2"
    )
    model, met = tf.saved_model.load(str(bundle / "saved_model")), set()
    for record in tf.data.TFRecordDataset(str(bundle / "saved_model" / WARMUP)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        name = request.model_spec.signature_name
        tensors = {
            n: tf.constant(tf.make_ndarray(v)) for n, v in request.inputs.items()
        }
        model.signatures[name](**tensors)
        met.add((name, len(tensors["image_bytes"])))
    assert met == {(n, size) for n in ("embed", "serving_default") for size in (1, 4)}


def test_a_fresh_process_needs_only_tensorflow(bundle):
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(bundle / "saved_model")],
        input=json.dumps([base64.b64encode(one).decode() for one in FILES]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    given = {"image_bytes": FILES, "k": [3] * len(FILES)}
    wanted = signatures(open_bundle(bundle))["serving_default"].ask(given)
    assert json.loads(done.stdout) == wanted["ids"]
