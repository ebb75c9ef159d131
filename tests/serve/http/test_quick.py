"""What is known word for word is answered again; what there is no room for is not."""

import json
import socket
from types import SimpleNamespace

import pytest
from serving import PATH, ROW

from recjax.bundle.contract import FOUND, INT, SERVING, TEXT, Signature, Spec
from recjax.serve.http.cache import Cache, row_keys
from recjax.serve.http.limits import Limits, Room
from recjax.serve.http.models import Model, Models
from recjax.serve.http.quick import Quick

JSON = [(b"content-type", b"application/json")]
TOKEN = (b"authorization", b"Bearer t")


class Record:
    """Keeps what it is told."""

    def __init__(self):
        self.told, self.metrics = [], SimpleNamespace(cache=lambda *_: None)

    def __call__(self, headers, about, status, told, seconds):
        self.told.append((status, about["signature"]))


@pytest.fixture
def made():
    models, inputs = Models({"m": SimpleNamespace()}), {"text": Spec(TEXT)}
    takes = Signature(
        {**inputs, "k": Spec(INT)}, FOUND, dict, *[None] * 3, texts=("text",), kept=True
    )
    bundle = SimpleNamespace(serving=SimpleNamespace(batch_sizes=(8,)))
    first = Model("m", 1, bundle, {SERVING: takes})
    models.add(first)
    record, room, cache = Record(), Room(2), Cache(10_000, 60)
    for key in row_keys(first.key, SERVING, takes, {"text": ["red", "b"], "k": [3, 1]}):
        cache.held.put(key, {"ids": ["i"]}, 1)
    quick = Quick(models, room, record, (10_000, 60), cache, Limits(), "t")
    asked = SimpleNamespace(signature="s", rows=1)
    quick.keep("/v1/models/m:predict", b"body", first, asked, b"answer")
    return quick, models, room, record


def test_the_same_request_gets_the_same_answer(made):
    quick, models, room, record = made
    path = "/v1/models/m:predict"
    assert quick(path, [*JSON, TOKEN], b"body").content == b"answer"
    assert record.told == [(200, "s")] and room.coming == 0
    others = [
        (path, [*JSON, TOKEN], b"other"),
        (path, JSON, b"body"),
        (path, [(b"content-type", b"image/png"), TOKEN], b"body"),
        (path, [*JSON, TOKEN, (b"content-encoding", b"gzip")], b"body"),
        ("/v1/models/m/versions/1:predict", [*JSON, TOKEN], b"body"),
        ("/v1/models/n:predict", [*JSON, TOKEN], b"body"),
        ("/v1/models/m:classify", [*JSON, TOKEN], b"body"),
    ]
    room.most = 99
    assert [quick(*one) for one in others] == [None] * len(others)
    assert room.coming == len(others)
    # A new version answers for itself.
    models.add(SimpleNamespace(name="m", version=2, key="m 2"))
    assert quick(path, [*JSON, TOKEN], b"body") is None


def test_a_full_server_refuses_what_it_does_not_know(made):
    quick, _, room, _ = made
    path = "/v1/models/m:predict"
    assert (
        quick(path, [*JSON, TOKEN], b"a") is quick(path, [*JSON, TOKEN], b"b") is None
    )
    said = quick(path, [*JSON, TOKEN], b"c")
    assert said.status == 429 and b"the server is full" in said.content
    assert (b"retry-after", b"1") in said.headers and room.coming == 2
    assert quick(path, JSON, b"c") is None, "who has no token hears of that"
    assert quick(path, [*JSON, TOKEN], b"body").status == 200


def test_a_full_server_answers_rows_that_are_kept(made):
    quick, _, room, _ = made
    room.most = 0

    def refused(*instances):
        body = json.dumps({"instances": instances}).encode()
        return quick("/v1/models/m:predict", [*JSON, TOKEN], body) is not None

    red, b = {"k": 3, "text": " Red"}, {"text": "b", "k": 1}
    assert not refused(red) and not refused(b, red, b) and room.coming == 2
    assert refused(red, {**b, "k": 2}) and refused({"text": "b"}) and refused()


def test_answers_come_in_the_order_of_requests(server):
    def post(k):
        body = json.dumps({"instances": [{**ROW, "text": "red order", "k": k}]})
        head = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n"
        return (head + "\r\n" + body).encode()

    order = [3, 1, 4, 1, 5, 2, 3, 3]
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as link:
        for _ in range(2):  # Of the second turn, all are known.
            link.sendall(b"".join(map(post, order)))
            said = b""
            while said.count(b"predictions") < len(order) or not said.endswith(b"}"):
                said += link.recv(65_536)
            answers = said.split(b"HTTP/1.1 200 OK\r\n")[1:]
            found = [json.loads(one.partition(b"\r\n\r\n")[2]) for one in answers]
            assert [len(one["predictions"][0]["ids"]) for one in found] == order
