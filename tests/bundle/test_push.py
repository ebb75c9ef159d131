"""Vectors in an engine: written once whatever happens, found as exactly as here."""

import json
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from recjax.bundle import engine, item_columns, push
from recjax.errors import UserError
from recjax.index import engines
from recjax.index.filters import Filter
from recjax.index.item_vectors import ItemVectors, write_vectors

SIZE, KINDS = 300, {"title": "text", "price": "number", "brand": "text"}
PACKAGES = {"lancedb": "lancedb", "milvus": "milvus_lite"}
HOUR = 3_600 * 10**9
ORDER = ("<", "<=", ">", ">=")
BRANDS = ("Acme", "O'Bo\"lt", None)


@pytest.fixture(scope="module")
def vectors():
    found = np.random.default_rng(0).standard_normal((SIZE, 16)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def columns():
    """Returns prices and brands of the items; some are missing."""
    price = np.where(np.arange(SIZE) % 7 == 0, np.nan, np.arange(SIZE) % 50)
    return price, [BRANDS[i % 3] for i in range(SIZE)]


def written(folder, vectors, columns):
    """Returns a folder of vectors, and a table of the items in another order."""
    ids = [f"i{i}" for i in range(SIZE)]
    write_vectors(folder, ids, [f"Item {i}" for i in range(SIZE)], vectors)
    price, brand = columns
    table = pl.DataFrame({"item": ids, "price": price, "brand": brand})
    table = table.with_columns(pl.col("price").fill_nan(None)).reverse()
    table.write_csv(folder / "items.csv")
    return folder


@pytest.fixture(scope="module", params=list(PACKAGES))
def pushed(request, tmp_path_factory, vectors, columns):
    """Returns a folder that was pushed, killed in the middle and gone on with."""
    reason = "the extra `engines` is not installed"
    pytest.importorskip(PACKAGES[request.param], reason=reason)
    folder = written(tmp_path_factory.mktemp("pushed"), vectors, columns)
    to, table = f"{request.param}:{folder / 'base'}", str(folder / "items.csv")
    open_engine, batches = engines.open_engine, []

    def dying(*args):
        opened = open_engine(*args)

        def write(rows, *rest):
            type(opened).write(opened, rows, *rest)
            batches.append(len(rows))
            if len(batches) == 3:
                raise KeyboardInterrupt

        names = ("exists", "create", "count")
        return SimpleNamespace(write=write, **{n: getattr(opened, n) for n in names})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(push, "BATCH", 64)
        patch.setattr(push, "open_engine", dying)
        with pytest.raises(KeyboardInterrupt):
            push.push(folder, to, table, name="shop")
        assert engine.load(folder, ItemVectors.open(folder)) is None
        patch.setattr(push, "open_engine", open_engine)
        said = push.push(folder, to, table, name="shop")
    assert "300 items (192 were there) with title, price, brand" in said
    assert "item' vectors" not in said and ": 1.0000" in said
    return folder, to


def test_every_row_is_there_once(pushed, vectors):
    opened = engine.load(pushed[0], ItemVectors.open(pushed[0])).engine
    assert opened.count() == SIZE
    found = opened.read(range(SIZE))
    assert sorted(found) == list(range(SIZE))
    for row, (id, vector) in found.items():
        assert id == f"i{row}"
        np.testing.assert_array_equal(vector, vectors[row])


@pytest.mark.parametrize(
    ("where", "mask"),
    [
        ([], lambda price, brand: price == price),
        (["price < 10", "brand = Acme"], lambda p, b: (p < 10) & (b == "Acme")),
        (["price >= 48"], lambda p, b: p >= 48),
        (["brand in Acme, O'Bo\"lt"], lambda p, b: b != "None"),
        (["brand IN ('Acme', 'nobody')"], lambda p, b: b == "Acme"),
        (["brand != Acme"], lambda p, b: (b != "Acme") & (b != "None")),
        (["title = Item 7"], lambda p, b: np.arange(SIZE) == 7),
        (["price > 1000"], lambda p, b: p > 1000),
    ],
)
def test_conditions_are_met_and_answers_exact(pushed, vectors, columns, where, mask):
    index = engine.load(pushed[0], ItemVectors.open(pushed[0]))
    filters = [Filter.read(text, KINDS) for text in where]
    price, brand = columns
    meets = (
        mask(price, np.array(list(map(str, brand)))) if where else np.ones(SIZE, bool)
    )
    queries = np.random.default_rng(1).standard_normal((3, 16)).astype(np.float32)
    items, scores = index.search(queries, 10, filters)
    expected = np.where(meets, queries @ vectors.T, -np.inf)
    best = -np.sort(-expected, axis=1)[:, :10]
    np.testing.assert_allclose(scores, best, rtol=1e-5, atol=1e-5)
    there = items >= 0
    assert (there == np.isfinite(best)).all() and meets[items[there]].all()
    got = np.take_along_axis(expected, np.maximum(items, 0), 1)
    np.testing.assert_allclose(got[there], best[there], rtol=1e-5, atol=1e-5)


def test_other_vectors_stand_beside_and_are_never_taken(
    pushed, tmp_path, vectors, columns
):
    folder, to = pushed
    other = written(tmp_path, vectors[::-1], columns)
    push.push(other, to, str(other / "items.csv"), name="shop")
    for place, expected in ((folder, vectors), (other, vectors[::-1])):
        index = engine.load(place, ItemVectors.open(place))
        assert index.search(expected[:5], 1)[0][:, 0].tolist() == list(range(5))
    (other / engine.NAME).write_text((folder / engine.NAME).read_text())
    with pytest.raises(UserError, match="of other vectors than the bundle's"):
        engine.load(other, ItemVectors.open(other))
    told = json.loads((folder / engine.NAME).read_text())
    (folder / engine.NAME).write_text(json.dumps({**told, "collection": "gone"}))
    with pytest.raises(UserError, match="does not hold all 300 items"):
        engine.load(folder, ItemVectors.open(folder))
    (folder / engine.NAME).write_text(json.dumps(told))


def test_the_columns_of_a_bundle_are_pushed(tmp_path, vectors, columns, caplog):
    pytest.importorskip("lancedb", reason="the extra `engines` is not installed")
    folder = written(tmp_path, vectors, columns)
    price, brand = columns
    known = pl.DataFrame(
        {
            "id": [f"i{i}" for i in range(SIZE)],
            "price": pl.Series(price).fill_nan(None),
            "brand": [name or "" for name in brand],
            "when": pl.Series([HOUR * i for i in range(SIZE)]).cast(pl.Datetime("ns")),
            "tags": [["new", "red"]] * SIZE,
        }
    )
    known.write_parquet(folder / item_columns.FILE)
    said = push.push(folder, f"lancedb:{folder / 'base'}")
    assert "with title, price, brand, when" in said and "'tags'" in caplog.text
    index = engine.load(folder, ItemVectors.open(folder))
    for where in (["price < 10"], ["brand != Acme"], ["when >= 86400", "price > 40"]):
        filters = [Filter.read(text, index.layout.columns) for text in where]
        items, _ = index.search(vectors[:1], SIZE, filters)
        wanted = np.flatnonzero(item_columns.fits(known, where))
        assert sorted(items[items >= 0]) == wanted.tolist()
    for op in ORDER:
        with pytest.raises(UserError, match="'brand' is text"):
            index.search(vectors[:1], 1, [Filter("brand", op, ("1990",))])
        for name in ("brand", "tags"):
            with pytest.raises(UserError, match=f"{name!r} is text.*by = != in"):
                item_columns.fits(known, f"{name} {op} 1990")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("price", "write COLUMN OPERATOR VALUE"),
        ("prize < 3", "no column 'prize'.*did you mean|no column 'prize'"),
        ("price < cheap", "holds numbers"),
        ("price < inf", "not a finite number"),
        ("brand = Acme and price < 3", "each condition as a text of its own"),
        *((f"brand {op} 1990", "'brand' is text.*items:brand=number") for op in ORDER),
    ],
)
def test_conditions_that_are_none(text, said):
    with pytest.raises(UserError, match=said):
        Filter.read(text, KINDS)


def test_without_an_engine(tmp_path, vectors, columns, monkeypatch):
    folder = written(tmp_path, vectors, columns)
    with pytest.raises(UserError, match="write lancedb:PATH or milvus:URI"):
        push.push(folder, "faiss:x")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for to in ("lancedb:x", "milvus:x"):
        with pytest.raises(UserError, match=r"pip install 'recjax\[engines\]'"):
            push.push(folder, to)
