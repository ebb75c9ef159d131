"""A full server refuses in few steps, and counts what it refused."""

import json
from types import SimpleNamespace

import pytest
from serving import BEARER

from recjax.serve.http.full import Full
from recjax.serve.http.limits import Room
from recjax.serve.http.metrics import Metrics, Record

URL = b"/v1/models/films:predict"


def server(token="", log_all=False, **available):
    room = Room(4)
    record = Record(Metrics(lambda: room.taken), log_all)
    models = SimpleNamespace(available=available or {"films": {3: None}})
    return Full(room, models, record, token), room, record.metrics


def read(answer):
    head, body = answer.split(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ") for line in lines)
    assert int(headers["content-length"]) == len(body)
    return status, headers, json.loads(body)


def test_a_refusal_is_that_of_the_contract():
    full, room, metrics = server()
    assert full(URL, {}) is None
    room.take(4)
    status, headers, said = read(full(URL, {b"x-request-id": b"a-7"}))
    assert status == "HTTP/1.1 429 Too Many Requests"
    assert headers["retry-after"] == "1" and headers["x-request-id"] == "a-7"
    assert said == {"error": "the server is full: 4 examples wait; try again soon"}
    others = {read(full(URL, {}))[1]["x-request-id"] for _ in range(3)}
    assert len(others) == 3
    full.count()
    full.count()
    wanted = (
        'recjax_requests_total{code="429",model="films",signature="",version="3"} 4'
    )
    assert wanted in metrics.text().decode()
    room.leave(1)
    assert full(URL, {}) is None


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        (b"/v1/models/filmz:predict", {}),
        (b"/v1/models/films:classify", {}),
        (b"/v1/models/films/versions/9:predict", {}),
        (b"/v1/models/films:predict?a", {}),
        (b"/predict", {}),
        (URL, {b"traceparent": b"00-1"}),
    ],
)
def test_what_is_not_plain_is_looked_at(url, headers):
    full, room, _ = server()
    room.take(4)
    assert full(url, headers) is None


def test_who_does_not_bear_the_token_is_told_so_first():
    full, room, _ = server(token="secret")
    room.take(4)
    assert full(URL, {}) is None
    bearer = {b"authorization": BEARER["Authorization"].encode()}
    assert read(full(URL, bearer))[0].endswith("429 Too Many Requests")
    full, room, _ = server(log_all=True)
    room.take(4)
    assert full(URL, {}) is None, "each is logged by itself"
