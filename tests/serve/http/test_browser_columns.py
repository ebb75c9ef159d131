"""The page's fields of a query's other columns, in a real browser.

The models are made up: they keep what they are asked, and compile nothing.
"""

import contextlib
import socket
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_images
import uvicorn
from pages import found, opened

from recjax.bundle.contract import FLOAT, FOUND, INT, TEXT, Signature, Spec
from recjax.index.item_vectors import ItemVectors
from recjax.serve.http.app import Paths, application
from recjax.serve.http.batcher import Batcher
from recjax.serve.http.cache import Kept
from recjax.serve.http.limits import Limits, Room
from recjax.serve.http.metrics import Metrics, Record
from recjax.serve.http.models import Model, Models
from recjax.serve.http.predict import Predict

MANY, K = -1, {"k": Spec(INT)}
LIST = Spec(TEXT, (MANY, MANY), missing=True)
QUERY = {
    "text": Spec(TEXT, missing=True),
    "face": Spec(TEXT, missing=True, file=True),
    "tags": LIST,
    "weights": Spec(FLOAT, (MANY, MANY)),
    "age": Spec(FLOAT, missing=True),
    "when": Spec("DT_DOUBLE", missing=True),
}
STATE = {"age": Spec(INT), "position": Spec(INT), "session_gap": Spec(FLOAT)}
STATE |= {"memory_a": Spec(FLOAT, (MANY, 2))}
WHEN = {"gap": Spec(FLOAT), "new_session": Spec("DT_BOOL")}
WHEN |= {"user_country": Spec(TEXT, missing=True)}
EVENT = {"item": Spec(TEXT), "event_price": Spec(FLOAT, missing=True)}
EVENT |= {"event_kinds": LIST, "event_look": Spec(FLOAT, (MANY, MANY, 3), True)}


def signature(inputs, outputs, answer, asked):
    """Returns one that keeps each row, and answers it by `answer`."""

    def finish(made, columns):
        rows = zip(*columns.values(), strict=True)
        rows = [dict(zip(columns, row, strict=True)) for row in rows]
        asked.extend(rows)
        answers = [answer(row) for row in rows]
        return {name: [one[name] for one in answers] for name in outputs}

    steps = (dict, lambda _, rows: {"x": np.zeros(rows)}, dict, finish)
    return Signature(inputs, outputs, *steps)


def best(row):
    return {"ids": ["i0", "i1"], "scores": [1.0, 0.5], "because": ["i1", "i1"]}


@pytest.fixture(scope="module")
def asked():
    return {"query": [], "step": [], "session": []}


@pytest.fixture(scope="module")
def port(asked):
    users = {**FOUND, "because": FOUND["ids"]}
    query = signature({**QUERY, **K}, users, best, asked["query"])
    step = signature(
        {**EVENT, **WHEN, **STATE},
        STATE,
        lambda row: {n: [7.0, 8.0] if n == "memory_a" else 1 for n in STATE},
        asked["step"],
    )
    close = signature(STATE, STATE, dict, [])
    session = signature({**WHEN, **STATE, **K}, FOUND, best, asked["session"])
    made = {
        "queries": {"serving_default": query},
        "sessions": {"serving_default": session, "step": step, "close": close},
    }
    items = ItemVectors(("i0", "i1"), ("first", "second"), np.eye(2))
    serving = SimpleNamespace(k=9, batch_sizes=(1, 8))
    models = Models(dict.fromkeys(made))
    for name, signatures in made.items():
        bundle = SimpleNamespace(items=items, serving=serving)
        models.add(Model(name, 1, bundle, signatures))
    limits, room, metrics = Limits(), Room(9), Metrics(lambda: 0)
    record, batcher = Record(metrics, False, None), Batcher()
    predict = Predict(models, limits, room, batcher, record, None, Kept(0, 1))
    app = application(predict, Paths(models, metrics, limits, ""), quiet)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(20)
        batcher.stop()


@contextlib.asynccontextmanager
async def quiet():
    yield


@pytest.fixture
def page(browser, port):
    with opened(browser, port) as made:
        yield made


def test_every_column_of_a_query_has_a_field(page, asked, tmp_path):
    page.wait_for_selector("[name=face]")
    photograph = tmp_path / "face.png"
    photograph.write_bytes(tiny_images.table().read(3))
    kinds = page.locator("#columns input").evaluate_all(
        "all => Object.fromEntries(all.map((one) => [one.name, one.type]))"
    )
    assert kinds == {
        "face": "file",
        "tags": "text",
        "weights": "text",
        "age": "number",
        "when": "datetime-local",
    }
    page.set_input_files("[name=face]", photograph)
    page.fill("[name=tags]", "a, b")
    page.fill("[name=weights]", "1, 0.5")
    page.fill("[name=when]", "2026-11-29T18:00")
    page.fill("#k", "2")
    page.click("form button")
    assert found(page) == ["i0", "i1"]
    row = {"tags": ["a", "b"], "weights": [1, 0.5], "when": 1795975200, "age": None}
    row |= {"text": "", "face": photograph.read_bytes(), "k": 2}
    assert asked["query"] == [row]
    scores = page.locator("#answers .score").all_inner_texts()
    assert scores == ["1.0000, as i1", "0.5000, as i1"]


def test_a_session_with_columns_of_events_and_users(page, asked):
    page.select_option("#first", "sessions")
    page.wait_for_selector("[name=user_country]")
    names = page.locator("#columns input").evaluate_all("all => all.map((o) => o.name)")
    assert {*names} == {"user_country", "event_price", "event_kinds"}
    page.fill("[name=user_country]", "de")
    page.fill("[name=event_price]", "2.5")
    page.click("form button")
    found(page)
    page.locator("#answers .grid button").nth(1).click()
    page.wait_for_selector("#picked li")
    found(page)
    # The next event has columns of its own; those of the first stay as they were.
    page.fill("[name=event_price]", "")
    page.fill("[name=event_kinds]", "x")
    asked["step"].clear()
    page.locator("#answers .grid button").nth(0).click()
    page.wait_for_selector("#picked li:nth-child(2)")
    found(page)
    one, two = asked["step"]
    assert (one["item"], one["event_price"], one["event_kinds"]) == ("i1", 2.5, [])
    assert (two["item"], two["event_price"], two["event_kinds"]) == ("i0", None, ["x"])
    assert one["user_country"] == two["user_country"] == "de"
    assert one["memory_a"] == [0, 0] and two["memory_a"] == [7.0, 8.0]
    assert asked["session"][-1]["memory_a"] == [7.0, 8.0]
    assert asked["session"][-1]["user_country"] == "de"
