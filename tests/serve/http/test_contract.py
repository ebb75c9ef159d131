"""TensorFlow Serving's REST contract, read with its own messages where they are."""

import base64
import time

import numpy as np
import pytest
import tiny_images

from recjax.bundle.contract import NO_SCORE
from recjax.bundle.open import open_bundle
from recjax.bundle.served import signatures
from recjax.serve.http.models import load
from recjax.text.normalize import folding

WORDS = ("red", "green", "blue", "grey", "thing", "no such word")


def rows(count, k=5):
    """Returns random queries."""
    random = np.random.default_rng(count)
    return [
        {
            "text": " ".join(random.choice(WORDS, 2)),
            "history": [f"i{i}" for i in random.integers(0, 40, random.integers(0, 9))],
            "history_age": [],
            "k": k,
        }
        for _ in range(count)
    ]


def columns(examples):
    return {name: [one[name] for one in examples] for name in examples[0]}


@pytest.mark.parametrize("count", [1, 3, 17, 128])
def test_rows_and_columns_are_the_bundles_own_answers(server, films, count):
    asked = rows(count)
    by_row = server.predict("films", instances=asked)["predictions"]
    by_column = server.predict("films", inputs=columns(asked))["outputs"]
    raw = {n: v for n, v in columns(asked).items() if n in ("text", "history")}
    for row, found in enumerate(films.search(raw, 5)):
        assert [one.id for one in found] == by_row[row]["ids"] == by_column["ids"][row]
        scores = [one.score for one in found]
        np.testing.assert_allclose(by_row[row]["scores"], scores, atol=1e-5)
        np.testing.assert_allclose(by_column["scores"][row], scores, atol=1e-5)
    del asked[0]["k"]
    vectors = films.embed({n: v[:1] for n, v in raw.items()})
    got = server.predict("films", signature_name="embed", instances=asked[:1])
    np.testing.assert_allclose(got["predictions"], vectors, atol=1e-5)


def test_each_row_gets_as_many_as_it_asks_for(server):
    few, many = rows(2)
    few["k"], many["k"] = 2, 6
    one, other = server.predict("films", instances=[few, many])["predictions"]
    assert one["ids"][2:] == [""] * 4 and one["scores"][2:] == [NO_SCORE] * 4
    assert all(one["ids"][:2]) and all(other["ids"])
    assert not {*few["history"]} & {*one["ids"]}


def test_lists_may_be_filled_up(server):
    (asked,) = rows(1)
    asked["history"] = ["i3", "i4"]
    filled = {**asked, "history": ["i3", "", "i4", ""]}
    one, other = server.predict("films", instances=[asked, filled])["predictions"]
    assert one == other


def test_photographs(server, bundles):
    bundle = open_bundle(bundles / "pictures" / "7")
    files = [tiny_images.png(tiny_images.pixels(1, n)) for n in (1, 4)]
    wanted = bundle.images.embed(files, lambda f: {"image": _pixels(bundle, f)})
    given = [{"b64": base64.b64encode(one).decode()} for one in files]
    got = server.predict("pictures", signature_name="embed", instances=given)
    np.testing.assert_allclose(got["predictions"], wanted, atol=1e-5)
    asked = {"image_bytes": given, "k": [1, 3]}
    got = server.predict("pictures", inputs=asked)["outputs"]
    for row, found in enumerate(bundle.nearest(wanted, 3)):
        ids = [one.id for one in found]
        assert got["ids"][row] == ids if row else got["ids"][row][:1] == ids[:1]


def _pixels(bundle, files):
    return np.stack([bundle.images.pixels(one) for one in files])


def test_arrays_of_items(server, films):
    signature = signatures(films)["embed_item"]
    given = {"text": [[1, 2, *[0] * 6], [5, *[0] * 7]]}
    got = server.predict("films", signature_name="embed_item", inputs=given)
    wanted = np.asarray(signature.ask(given)["embedding"])
    np.testing.assert_allclose(got["outputs"], wanted, atol=1e-6)


def test_versions_and_labels(server):
    for place in ("", "/versions/7", "/labels/stable"):
        status, said, _ = server.ask(f"/v1/models/pictures{place}")
        assert status == 200
        assert [one["version"] for one in said["model_version_status"]] == ["7"]
        assert server.ask(f"/v1/models/pictures{place}/metadata")[0] == 200
    for place in ("/versions/8", "/labels/none"):
        for path in (f"{place}:predict", place, f"{place}/metadata"):
            body = b"{}" if "predict" in path else None
            status, said, _ = server.ask(f"/v1/models/pictures{path}", body)
            assert status == 404 and list(said) == ["error"], path


def test_messages_are_those_of_tensorflow_serving(server):
    pytest.importorskip("tensorflow_serving", reason="its messages are not here")
    from google.protobuf import json_format
    from tensorflow_serving.apis import get_model_metadata_pb2 as metadata_pb2
    from tensorflow_serving.apis import get_model_status_pb2 as status_pb2

    said = server.ask("/v1/models/films")[1]
    status = json_format.ParseDict(said, status_pb2.GetModelStatusResponse())
    (version,) = status.model_version_status
    assert version.State.Name(version.state) == "AVAILABLE" and version.version == 1
    said = server.ask("/v1/models/films/metadata")[1]
    held = said["metadata"]["signature_def"]
    made = json_format.ParseDict(held, metadata_pb2.SignatureDefMap()).signature_def
    assert {*made} == {"serving_default", "embed", "embed_item"}
    text = made["serving_default"].inputs["text"]
    assert text.dtype == 7 and text.tensor_shape.dim[0].size == -1
    spec = metadata_pb2.GetModelMetadataResponse().model_spec
    assert json_format.ParseDict(said["model_spec"], spec).name == "films"


def test_an_answer_tells_its_request_and_its_time(server):
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    given = {"X-Request-Id": "abc-1", "traceparent": trace}
    body = {"instances": rows(1)}
    _, _, headers = server.ask("/v1/models/films:predict", body, headers=given)
    assert headers["x-request-id"] == "abc-1" and headers["traceparent"] == trace
    stages = [one.split(";")[0] for one in headers["server-timing"].split(", ")]
    assert stages == ["queue", "encode", "embed", "search"]
    given = {"X-Request-Id": "a b", "traceparent": "0"}
    _, _, headers = server.ask("/v1/models/films:predict", body, headers=given)
    assert len(headers["x-request-id"]) == 32 and "traceparent" not in headers


def test_metrics_and_health(server):
    server.predict("films", instances=rows(2))
    assert server.ask("/healthz")[:2] == (200, "ok")
    assert server.ask("/readyz")[:2] == (200, "ready")
    text = server.ask("/metrics")[1]
    counted = 'code="200",model="films",signature="serving_default",version="1"'
    assert f"recjax_requests_total{{{counted}}}" in text
    for name in ("batch_rows", "stage_seconds", "queue_examples", "model_version"):
        assert f"recjax_{name}" in text


def test_the_log_is_json(server):
    server.ask("/v1/models/films:predict", {"instances": []})
    bad, end = [], time.monotonic() + 20
    while not bad and time.monotonic() < end:  # It is answered before it is told.
        time.sleep(0.05)
        bad = [line for line in server.said() if line.get("status") == 400]
    assert bad and {"time", "request", "model", "ms", "error"} <= bad[-1].keys()


def test_no_request_waits_for_the_tables_of_unicode(bundles):
    folding.cache_clear()
    load("films", 1, bundles / "films")
    assert folding.cache_info().currsize == 1


def test_a_bundle_without_words_is_asked_for_none(bundles):
    bundle = open_bundle(bundles / "films")
    kept = {n: kind for n, kind in bundle.inputs.items() if n != "text"}
    bundle.__dict__["inputs"] = kept
    made = signatures(bundle)
    for name in ("serving_default", "embed"):
        assert made[name].asked == {} and "text" not in made[name].inputs
