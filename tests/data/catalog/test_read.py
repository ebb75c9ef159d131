"""A prepared catalogue gives back what its files hold, from memory or from disk."""

import numpy as np
import polars as pl
import pytest
import tiny_catalog as tiny

from recjax.data.catalog.entities import Vectors, unpack_bits
from recjax.data.catalog.read import load_catalog
from recjax.errors import UserError
from recjax.prepare.prepare import prepare_catalog
from recjax.text.column import offsets_of, pack


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("catalog")
    return prepare_catalog(**tiny.write(folder), out=folder / "out")


@pytest.fixture(params=["memory", "disk"])
def catalog(request, path):
    return load_catalog(path, map_over=1 << 40 if request.param == "memory" else 0)


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
    for query, candidate, type_, action, time in zip(
        *vars(pairs).values(), strict=True
    ):
        kind = ("pin", "product", "query")[type_]
        ids = queries if kind == "query" else catalog.entities[kind].ids
        found.append(
            (queries[query], ids[candidate], kind, catalog.actions[action], time)
        )
    expected = [(q, c.strip(), *more) for q, c, *more in tiny.pairs().rows()]
    assert found == expected


def test_columns_on_disk_are_mapped_and_written_once(path):
    load_catalog(path, map_over=0)
    files = {f: f.stat().st_mtime_ns for f in (path / "columns").rglob("*")}
    again = load_catalog(path, map_over=0)
    assert isinstance(again.entities["pin"].dense["gs_v5"].values, np.memmap)
    assert {f: f.stat().st_mtime_ns for f in (path / "columns").rglob("*")} == files


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
    created = rng.integers(0, 1_000, rows)
    columns = {"id": range(rows), "title": titles, "gs_v5": numbers}
    pins = pl.DataFrame({**columns, "created": created})
    pairs = pl.DataFrame(
        {
            "query": "q",
            "candidate_id": [str(i) for i in rng.permutation(rows)],
            "candidate_type": "pin",
            "action": "save",
        }
    )
    files = tiny.write(tmp_path, pins=pins, pairs=pairs, products=None)
    catalog = load_catalog(prepare_catalog(**files, out=tmp_path / "out"))
    pins = catalog.entities["pin"]
    assert list(pins.texts["title"]) == titles
    np.testing.assert_array_equal(pins.dense["gs_v5"].values, numbers)
    np.testing.assert_array_equal(pins.created, created)
    assert catalog.entities["product"].created is None
    assert catalog.pairs.candidate.tolist() == [int(i) for i in pairs["candidate_id"]]
    assert not catalog.pairs.timestamp.any() and len(catalog.entities["product"]) == 0


def test_skipped_rows_leave_no_trace(tmp_path):
    rows = [
        {"id": f"p{i}", "gs_v5": tiny.vector(i), "created": i * i} for i in range(300)
    ]
    rows[5]["gs_v5"] = tiny.vector(5, width=3)
    rows[9]["gs_v5"] = [1.0, float("nan"), 0.0, 0.0]
    rows[11]["id"] = "p10"
    kept = [i for i in range(300) if i not in (5, 9, 11)]
    pairs = [("q", f"p{i}", "pin", "save") for i in kept]
    names = ("query", "candidate_id", "candidate_type", "action")
    files = tiny.write(
        tmp_path,
        pins=pl.DataFrame(rows),
        pairs=pl.DataFrame(pairs, names, orient="row"),
        products=None,
    )
    with pytest.raises(UserError, match="(?s)3 problems.*on-bad-row skip"):
        prepare_catalog(**files, out=tmp_path / "out")
    out = prepare_catalog(**files, out=tmp_path / "out", on_bad_row="skip")
    pins = load_catalog(out).entities["pin"]
    assert list(pins.ids) == [f"p{i}" for i in kept]
    expected = [rows[i]["gs_v5"] for i in kept]
    np.testing.assert_array_equal(pins.dense["gs_v5"].values, np.float32(expected))
    assert pins.created.tolist() == [i * i for i in kept]
    assert (out / "skipped_rows.csv").read_text().count("\n") == 4


def test_another_kind_of_data(tmp_path):
    with pytest.raises(UserError, match="not a prepared data set"):
        load_catalog(tmp_path)
