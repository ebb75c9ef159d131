"""A request is answered once: from what is known, by the model, or by a refusal."""

import asyncio
import json
import socket
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from serving import PATH, ROW

from recjax.bundle.contract import FOUND, INT, SERVING, TEXT, Signature, Spec
from recjax.serve.http.batcher import Batcher
from recjax.serve.http.cache import Cache, Kept
from recjax.serve.http.limits import Limits, Room
from recjax.serve.http.models import Model, Models
from recjax.serve.http.predict import Predict

JSON, TOKEN = {b"content-type": b"application/json"}, {b"authorization": b"Bearer t"}
OURS = "/v1/models/m:predict"


class Record:
    """Keeps what it is told."""

    def __init__(self):
        self.told, self.metrics = [], SimpleNamespace(cache=lambda *_: None)

    def __call__(self, headers, about, status, told, seconds):
        self.told.append((status, about["signature"]))


class Server:
    """A model that says what it is asked, once its gate is open."""

    def __init__(self, room=2, cache=True, deadline_ms=60_000, slow=False):
        self.asked, self.open = [], threading.Event()
        self.open.set()
        takes = Signature(
            {"text": Spec(TEXT), "k": Spec(INT)},
            FOUND,
            self.read,
            lambda columns, rows: {"row": np.zeros(rows)},
            self.call,
            lambda made, columns: {
                "ids": [[text] for text in columns["text"]],
                "scores": [np.full(1, k, float) for k in columns["k"]],
            },
            texts=("text",),
            kept=True,
            slow=slow,
        )
        bundle = SimpleNamespace(serving=SimpleNamespace(batch_sizes=(8,)))
        self.models = Models({"m": SimpleNamespace()})
        self.first = Model("m", 1, bundle, {SERVING: takes})
        self.models.add(self.first)
        self.record, self.room = Record(), Room(room)
        limits, kept = Limits(deadline_ms=deadline_ms), Kept(10_000, 60)
        self.cache, batcher = Cache(10_000, 60) if cache else None, Batcher()
        rest = self.room, batcher, self.record, self.cache, kept, "t"
        self.predict = Predict(self.models, limits, *rest)

    def read(self, columns):
        if "what" in columns["text"]:
            raise RuntimeError("a fault of ours")
        return columns

    def call(self, arrays):
        assert self.open.wait(20)
        self.asked.append(len(arrays["row"]))
        return arrays["row"]

    def ask(self, *texts, path=OURS, headers=None, body=None):
        """Returns what will be said; nothing is said twice."""
        said = asyncio.get_running_loop().create_future()
        rows = [{"text": text, "k": 3} for text in texts]
        body = json.dumps({"instances": rows}).encode() if body is None else body
        headers = {**JSON, **TOKEN} if headers is None else headers
        self.predict.direct(path, headers, body, said.set_result)
        return said

    def run(self, scenario):
        async def whole():
            try:
                return await asyncio.wait_for(scenario(self), 20)
            finally:
                self.open.set()
                self.predict.batcher.stop()

        return asyncio.run(whole())


def ids(said):
    assert said.status == 200, said
    return [row["ids"][0] for row in json.loads(said.content)["predictions"]]


def test_the_same_request_gets_the_same_answer():
    async def scenario(server):
        first, again = await server.ask("red"), server.ask("red")
        assert again.done(), "known word for word: nothing is waited for"
        assert again.result().content == first.content and ids(first) == ["red"]
        # Case says nothing, and a row may stand beside others.
        assert ids(await server.ask("b", " Red", "b")) == ["b", "red", "b"]
        assert server.asked == [8, 8] and server.room.taken == 0
        # A new version answers for itself.
        newer = Model("m", 2, server.first.bundle, server.first.signatures)
        server.models.add(newer)
        assert not server.ask("red").done()
        assert {status for status, _ in server.record.told} == {200}

    Server(room=8).run(scenario)


@pytest.mark.parametrize(
    ("status", "how"),
    [
        (401, {"headers": JSON}),
        (415, {"headers": {**TOKEN, b"content-type": b"image/png"}}),
        (415, {"headers": {**TOKEN, b"content-encoding": b"gzip"}}),
        (404, {"path": "/v1/models/m/versions/7:predict"}),
        (404, {"path": "/v1/models/n:predict"}),
        (404, {"path": "/v1/models/m:classify"}),
        (400, {"body": b"{"}),
    ],
)
def test_what_is_known_is_for_whom_may_hear_it(status, how):
    async def scenario(server):
        await server.ask("red")
        said = await server.ask("red", **how)
        assert said.status == status and b"error" in said.content
        assert server.record.told[-1][0] == status

    Server().run(scenario)


def test_a_full_server_refuses_what_it_does_not_know():
    async def scenario(server):
        await server.ask("red")
        server.open.clear()
        under_way = [server.ask("a"), server.ask("b")]
        refused = await server.ask("c")
        assert refused.status == 429 and b"the server is full" in refused.content
        assert (b"retry-after", b"1") in refused.headers
        # Rows that are kept, or that another waits for, take no room.
        assert ids(await server.ask(" RED", "red")) == ["red", "red"]
        with_a = server.ask("red", "A")
        server.open.set()
        assert [ids(await one) for one in under_way] == [["a"], ["b"]]
        assert ids(await with_a) == ["red", "a"] and server.room.taken == 0

    Server().run(scenario)


def test_a_full_server_without_a_cache():
    async def scenario(server):
        server.open.clear()
        under_way = [server.ask("a"), server.ask("a")]
        assert (await server.ask(body=b"not read")).status == 429
        server.open.set()
        assert [ids(await one) for one in under_way] == [["a"], ["a"]]

    Server(cache=False).run(scenario)


@pytest.mark.parametrize("slow", [False, True])
def test_none_waits_longer_than_it_should(slow):
    async def scenario(server):
        server.open.clear()
        start = time.monotonic()
        mine, waits = server.ask("a"), server.ask("a")
        for one in (mine, waits):
            assert (await one).status == 504
        assert 0.1 <= time.monotonic() - start < 10
        server.open.set()
        while server.room.taken:  # Until the model is done with it.
            await asyncio.sleep(0.01)
        assert ids(await server.ask("b")) == ["b"]

    Server(deadline_ms=100, slow=slow).run(scenario)


@pytest.mark.parametrize("slow", [False, True])
def test_a_fault_of_ours_is_told_and_logged(slow, caplog):
    async def scenario(server):
        said = await server.ask("what")
        assert said.status == 500 and b"a fault of ours" not in said.content
        assert "a fault of ours" in caplog.text and server.room.taken == 0
        assert ids(await server.ask("b")) == ["b"]

    Server(slow=slow).run(scenario)


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
