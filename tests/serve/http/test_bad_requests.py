"""What is no good request gets a status and one message: field, row, fix."""

import base64
import json
import re
import socket

import pytest
import tiny_images

from recjax.bundle.contract import TEXT, Signature, Spec
from recjax.serve.http import rest
from recjax.serve.http.limits import Limits

GOOD = {"text": "red thing", "history": [], "history_age": [], "k": 3}
PICTURE = base64.b64encode(tiny_images.png(tiny_images.pixels(1, 1))).decode()


def row(**changes):
    return {"instances": [GOOD, {**GOOD, **changes}]}


def without(name):
    return {"instances": [{n: v for n, v in GOOD.items() if n != name}]}


def picture(value):
    return {"instances": [{"image_bytes": value, "k": 1}]}


CASES = [
    ("films", b"", "JSON Parse error"),
    ("films", b'{"instances": [', "JSON Parse error"),
    ("films", b'{"instances": [NaN]}', "JSON Parse error"),
    ("films", b"\xff\xfe", "JSON Parse error"),
    ("films", b"[" * 100_000, "JSON Parse error"),
    ("films", [], "JSON object"),
    ("films", {}, 'either "instances"'),
    ("films", {**row(), "inputs": {}}, 'either "instances"'),
    ("films", {"instanzes": []}, "Did you mean 'instances'"),
    ("films", {**row(), "signature_name": "serving"}, "Did you mean 'serving_default'"),
    ("films", {**row(), "signature_name": 3}, "there is no 3"),
    ("films", {"instances": []}, "at least one"),
    ("films", {"instances": {}}, "at least one"),
    ("films", {"instances": ["red"]}, "row 0: 'red'; give an object"),
    ("films", {"instances": [None]}, "row 0: null"),
    ("films", {"inputs": {}}, 'not all that is needed is there; add "k": 1'),
    ("films", {"inputs": {"k": [3]}}, "nothing is asked; give at least one of .*text"),
    ("films", {"instances": [{"k": 3}]}, "row 0: nothing is asked"),
    ("films", {"inputs": []}, '"inputs": give an object'),
    ("films", {"inputs": {**GOOD, "text": "red"}}, "text: give a list"),
    ("films", {"inputs": {n: [v] * (n != "k" or 2) for n, v in GOOD.items()}}, None),
    ("films", row(texd="a"), "row 1: there is no 'texd'.*Did you mean 'text'"),
    ("films", without("k"), 'row 0: not all that is needed is there; add "k": 1'),
    ("films", row(text=5), "text, row 1: 5 is no text"),
    ("films", row(text=["red"]), "text, row 1: .* is no text"),
    ("films", row(text={"b64": "%%"}), "text, row 1: no base64"),
    ("films", row(text={"b64": "/w=="}), "text, row 1: not UTF-8"),
    ("films", row(text=" "), "query 1: there is nothing to ask"),
    ("films", row(history="i3"), "history, row 1: 'i3' is no list"),
    ("films", row(history=[["i3"]]), "history, row 1: .* is no text"),
    ("films", row(history=[3]), "history, row 1: 3 is no text"),
    ("films", row(history=["i99999"]), "no item 'i99999'"),
    ("films", row(history_age=[1.0]), "1 ages of 0"),
    ("films", row(history_age=["a"]), "history_age, row 1: 'a' is no number"),
    ("films", row(history_age=[True]), "history_age, row 1: true is no number"),
    ("films", row(k=0), "k, row 1: 0; ask for 1..40"),
    ("films", row(k=41), "k, row 1: 41; ask for 1..40"),
    ("films", row(k=2.5), "k, row 1: 2.5 is no whole number"),
    ("films", row(k=10**30), "k, row 1: .* is no whole number"),
    ("films", row(k=None), "k, row 1: null is no number"),
    ("films", {"instances": [GOOD] * 129}, "129 examples, of at most 128"),
    ("pictures", picture("abc"), "image_bytes, row 0: give bytes as"),
    ("pictures", picture({"b64": ""}), "image_bytes, row 0: the file is empty"),
    ("pictures", picture({"b64": PICTURE[:-80]}), "image_bytes, row 0: damaged or cut"),
    ("pictures", picture({"b64": "abc"}), "image_bytes, row 0: no base64"),
    (
        "pictures",
        {"instances": [{"image_bytes": {"b64": PICTURE}, "k": 1}] * 5},
        "5 ex",
    ),
]
ITEMS = [
    ({"text": [[1] * 7]}, "text, row 0: 7 values where 8 are taken"),
    ({"text": [3]}, "text, row 0: 3 is no list; give [1, ...]"),
    ({"text": [[1.5] * 8]}, "text, row 0: 1.5 is no whole number"),
]


def refused(server, model, body):
    status, said, _ = server.ask(f"/v1/models/{model}:predict", body, method="POST")
    assert list(said) == ["error"], said
    assert len(said["error"]) < 1_000 and "/" not in said["error"], said
    return status, said["error"]


@pytest.mark.parametrize(("model", "body", "said"), CASES)
def test_bodies(server, model, body, said):
    status, error = refused(server, model, body)
    assert status == 400
    if said:
        assert re.search(said, error), error


def test_what_may_be_null_may_be_left_out(server):
    def found(key, content):
        status, said, _ = server.ask("/v1/models/films:predict", {key: content})
        assert status == 200, said
        return said

    free = {"text": "red thing", "k": 3}, {"history": ["i3"], "k": 3}
    for some in free:
        whole = {"text": None, "history": [], "history_age": None, **some}
        assert found("instances", [some]) == found("instances", [whole])
        one, all = ({n: [v] for n, v in row.items()} for row in (some, whole))
        assert found("inputs", one) == found("inputs", all)


def test_where_others_say_what_is_asked_none_of_these_must_be_given():
    free, needed = Spec(TEXT, missing=True), Spec(TEXT)
    assert rest.one_of({"text": free, "history": free, "k": needed}) == [
        *("text", "history")
    ]
    assert rest.one_of({"medoids": needed, "hidden": free, "k": needed}) == []
    model = {"medoids": needed, "hidden": free}
    body = b'{"instances": [{"medoids": "a"}], "signature_name": "one"}'
    made = {"one": Signature(model, {}, *[lambda *given: given] * 4)}
    asked = rest.parse(body, made, Limits(), 8)
    assert asked.columns == {"medoids": ["a"], "hidden": [None]}


@pytest.mark.parametrize(("inputs", "said"), ITEMS)
def test_arrays(server, inputs, said):
    body = {"signature_name": "embed_item", "inputs": inputs}
    assert refused(server, "films", body) == (400, said)


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/v1/models/filmz:predict", "POST", 404),
        ("/v1/models/films/versions/9:predict", "POST", 404),
        ("/v1/models/films/versions/99999999999999999999:predict", "POST", 404),
        ("/v1/models/films/labels/a:predict", "POST", 404),
        ("/v1/models/films:classify", "POST", 404),
        ("/v1/models/films/versions/x:predict", "POST", 404),
        ("/v1/models/../../etc/passwd:predict", "POST", 404),
        ("/v1/models/%2e%2e%2fetc:predict", "POST", 404),
        ("/v1/models/films/versions/x", "GET", 404),
        ("/v1/models/none/metadata", "GET", 404),
        ("/..%2f..%2fetc/passwd", "GET", 404),
        ("/v1/models/films:predict", "GET", 405),
        ("/v1/models/films:predict", "PUT", 405),
        ("/v1/models/films", "DELETE", 405),
    ],
)
def test_paths(server, path, method, status):
    got, said, _ = server.ask(path, b"{}" if method == "POST" else None, method)
    assert got == status and list(said) == ["error"], said


def test_headers(server):
    ask = "/v1/models/films:predict"
    kinds = {"Content-Type": "text/csv"}, {"Content-Encoding": "gzip"}
    kinds += ({"Content-Type": "application/json; charset=latin-1"},)
    for headers in kinds:
        assert server.ask(ask, b"{}", headers=headers)[0] == 415
    status, said, headers = server.ask(ask, b" " * (2**20 + 1))
    assert status == 413 and "1048576 bytes" in said["error"]
    assert headers["connection"] == "close"
    assert server.ask(ask, json.dumps(row()).encode() + b" " * 900_000)[0] == 200


RAW = [
    (b"POST /v1/models/films:predict HTTP/1.1\r\nHost: a\r\n\r\n", b" 411 "),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 9_000, b" 431 "),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b" 400 "),
    (b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n", b" 4"),
    (
        b"POST /v1/models/films:predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b" 400 ",
    ),
    (
        b"POST /v1/models/films:predict HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
        b"Content-Length: 9000000\r\n\r\n",
        b" 413 ",
    ),
]


@pytest.mark.parametrize(("sent", "status"), RAW)
def test_what_is_no_http(server, sent, status):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as raw:
        raw.sendall(sent)
        got = raw.recv(4_096)
        assert got.startswith(b"HTTP/1.1" + status), got
        while part := raw.recv(4_096):
            got += part
    assert b'{"error":' in got


def test_texts_are_cut_before_they_are_read(server):
    long = server.predict("films", instances=[{**GOOD, "text": "red " * 100_000}])
    cut = server.predict("films", instances=[{**GOOD, "text": "red " * 1_024}])
    assert long == cut
