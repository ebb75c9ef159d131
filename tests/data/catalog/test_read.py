"""A prepared catalogue gives back what its files hold."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import tiny_catalog as tiny

from recjax.data.catalog.entities import Vectors, unpack_bits
from recjax.data.catalog.read import load_catalog
from recjax.errors import UserError
from recjax.prepare.options import How
from recjax.prepare.prepare import check, prepare
from recjax.text.column import offsets_of, pack

HOW = How(column=("pin:gs_v5=vector",), unit="s")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("catalog")
    return prepare(tiny.files(folder), folder / "out", tiny.HOW)


@pytest.fixture(scope="module")
def catalog(path):
    return load_catalog(path)


def images(vectors, index):
    values, mask = vectors.take(np.array([index]), limit=5)
    assert not values[~mask].any()
    return values[mask].tolist()


def test_texts(catalog):
    pins, products = catalog.entities["pin"], catalog.entities["product"]
    assert list(pins.ids) == ["a", "b", "c"] and list(products.ids) == ["7", "8"]
    assert {name: list(texts) for name, texts in pins.texts.items()} == {
        "title": ["Red  café", "", ""],
        "board_title": ["diy\nhome decor", "", ""],
        "image_caption": ["a chair", "a lamp", "a rug"],
    }
    assert pins.texts["title"].present.tolist() == [True, False, False]
    assert pins.texts["title"].take(np.array([1, 0])) == ["", "Red  café"]
    assert {name: list(texts) for name, texts in products.texts.items()} == {
        "title": ["Lamp", "Chair"],
        "engaged_queries": ["lamp\nred lamp", ""],
    }


def test_vectors(catalog):
    pins, products = catalog.entities["pin"], catalog.entities["product"]
    assert set(pins.dense) == {"gs_v5", "item_is_v2", "ue_v4"}
    assert set(products.dense) == {"gs_v5", "ue_v4"}
    expected = [[tiny.vector(0)], [], [tiny.vector(2)]]
    assert [images(pins.dense["gs_v5"], i) for i in range(3)] == expected
    expected = [[tiny.vector(5), tiny.vector(6)], []]
    assert [images(products.dense["gs_v5"], i) for i in range(2)] == expected
    expected = [[list(tiny.code(5))], [list(tiny.code(6)), list(tiny.code(7))]]
    assert [images(products.dense["ue_v4"], i) for i in range(2)] == expected
    assert pins.dense["ue_v4"].values.dtype == np.uint8
    assert pins.dense["ue_v4"].present.tolist() == [True, True, False]


def test_pairs(catalog):
    pairs, queries = catalog.pairs, list(catalog.queries)
    assert sorted(queries) == ["desk lamp", "lamp", "red chair"]
    found = []
    columns = (pairs.query, pairs.candidate, pairs.candidate_type, pairs.action)
    for query, candidate, type_, action, time in zip(
        *columns, pairs.timestamp, strict=True
    ):
        kind = catalog.kinds[type_]
        ids = queries if kind == "query" else catalog.entities[kind].ids
        found.append(
            (queries[query], ids[candidate], kind, catalog.actions[action], time)
        )
    expected = [(q, c.strip(), *more) for q, c, *more in tiny.pairs().rows()]
    assert found == expected


def test_bits_most_significant_first():
    bits = unpack_bits(np.array([[0b10000001, 0b01000000]], np.uint8))
    expected = [[1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]]
    assert bits.tolist() == expected and bits.dtype == np.float32


def test_take_leaves_out_what_is_over_the_limit():
    values = np.arange(8, dtype=np.float32).reshape(4, 2)
    vectors = Vectors(values, offsets_of([3, 0, 1]))
    found, mask = vectors.take(np.array([2, 0, 1]), limit=2)
    assert mask.tolist() == [[True, False], [True, True], [False, False]]
    assert found.tolist() == [[[6, 7], [0, 0]], [[0, 1], [2, 3]], [[0, 0], [0, 0]]]


def test_pack():
    texts = ["", "ä", "日本", "x"]
    assert list(pack(texts)) == texts and list(pack([None, "a"])) == ["", "a"]


def test_many_blocks(tmp_path):
    rows, rng = 5_000, np.random.default_rng(0)
    numbers = rng.normal(size=(rows, 4)).astype(np.float32)
    titles = ["t" * int(n) for n in rng.integers(0, 9, rows)]
    created = tiny.START + rng.integers(0, 1_000, rows)
    columns = {"id": range(rows), "title": titles, "gs_v5": numbers}
    pins = pl.DataFrame({**columns, "created": created})
    pairs = pl.DataFrame(
        {
            "query": "q",
            "candidate": [str(i) for i in rng.permutation(rows)],
            "candidate_type": "pin",
            "action": "save",
        }
    )
    files = tiny.files(tmp_path, pins=pins, pairs=pairs, products=None)
    catalog = load_catalog(prepare(files, tmp_path / "out", HOW))
    pins = catalog.entities["pin"]
    assert list(pins.texts["title"]) == titles
    np.testing.assert_array_equal(pins.dense["gs_v5"].values, numbers)
    np.testing.assert_array_equal(pins.created, created)
    assert catalog.kinds == ("pin", "query")
    assert catalog.pairs.candidate.tolist() == [int(i) for i in pairs["candidate"]]
    assert not catalog.pairs.timestamp.any()


def test_skipped_rows_leave_no_trace(tmp_path):
    rows = [
        {"id": f"p{i}", "gs_v5": tiny.vector(i), "created": tiny.START + i * i}
        for i in range(300)
    ]
    rows[5]["gs_v5"] = tiny.vector(5, width=3)
    rows[9]["gs_v5"] = [1.0, float("nan"), 0.0, 0.0]
    rows[11]["id"] = "p10"
    kept = [i for i in range(300) if i not in (5, 9, 11)]
    pairs = [("q", f"p{i}", "pin", "save") for i in kept]
    names = ("query", "candidate", "candidate_type", "action")
    files = tiny.files(
        tmp_path,
        pins=pl.DataFrame(rows),
        pairs=pl.DataFrame(pairs, names, orient="row"),
        products=None,
    )
    with pytest.raises(UserError, match="(?s)3 problems.*on-bad-row skip"):
        prepare(files, tmp_path / "out", HOW)
    out = prepare(files, tmp_path / "out", replace(HOW, on_bad_row="skip"))
    pins = load_catalog(out).entities["pin"]
    assert list(pins.ids) == [f"p{i}" for i in kept]
    expected = [rows[i]["gs_v5"] for i in kept]
    np.testing.assert_array_equal(pins.dense["gs_v5"].values, np.float32(expected))
    assert pins.created.tolist() == [tiny.START + i * i for i in kept]
    assert (out / "skipped_rows.csv").read_text().count("\n") == 4


def replaced(row, **values):
    """Returns the pairs with values of one row (from 1) replaced."""
    frame = tiny.pairs()
    for name, value in values.items():
        column = frame[name].to_list()
        column[row - 1] = value
        frame = frame.with_columns(pl.Series(name, column, dtype=frame[name].dtype))
    return frame


@pytest.mark.parametrize(
    ("values", "kind", "column", "shown"),
    [
        (
            {"candidate_type": "pins"},
            *("unknown type", "candidate_type", "\"pins\". Did you mean 'pin'?"),
        ),
        ({"candidate": "z"}, "unknown pin", "candidate", '"z"'),
        ({"query": ""}, "empty text", "query", '""'),
        ({"action": None}, "missing value", "action", "(nothing)"),
    ],
)
def test_a_bad_pair(tmp_path, values, kind, column, shown):
    files = tiny.files(tmp_path, pairs=replaced(1, **values))
    checked = check(files, tiny.HOW)
    found = [
        (p.file, p.kind, p.row, p.column, p.value) for p in checked.report.problems
    ]
    assert found == [("pairs.parquet", kind, 1, column, shown)]
    assert checked.data.tables["judgements"].rows == 4


def test_all_tables_in_one_report(tmp_path):
    pins = tiny.pins().with_columns(
        gs_v5=pl.Series([[1.0], None, tiny.vector(2)], dtype=tiny.VECTOR)
    )
    products = tiny.products().with_columns(id=pl.Series([7, 7]))
    files = tiny.files(
        tmp_path,
        pins=pl.concat([pins, tiny.pins().with_columns(id=pl.Series(["d", "e", "f"]))]),
        products=products,
        pairs=replaced(5, candidate_type="board"),
    )
    report = check(files, tiny.HOW).report
    assert {(p.file, p.kind, p.row) for p in report.problems} == {
        ("pins.parquet", "wrong length", 1),
        ("products.parquet", "product given twice", 2),
        ("pairs.parquet", "unknown type", 5),
        # Its candidate has no good row; a pin without its vector is still one.
        ("pairs.parquet", "unknown product", 3),
    }
    skip = check(files, replace(tiny.HOW, on_bad_row="skip")).report
    lost = {("pairs.parquet", "unknown pin", row) for row in (1, 2)}
    assert lost == {(p.file, p.kind, p.row) for p in skip.problems} - {
        (p.file, p.kind, p.row) for p in report.problems
    }
