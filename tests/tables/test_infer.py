"""What columns are taken for, and that reading them so finds no problem."""

import datetime as dt
import random

import numpy as np
import polars as pl
import pytest
from tables import NOW, load, write

from recjax.prepare.describe import described
from recjax.tables import lines
from recjax.tables.columns import Column
from recjax.tables.infer import infer
from recjax.tables.read import Options
from recjax.tables.report import Findings

DAY = dt.datetime(2001, 2, 3)


ODD = [(part, n) for part in "ab" for n in range(4, 172, 24)][:10]
"""The first odd values of two files."""


def columns(source, **more):
    """Returns what is found, by column, after reading the table that way."""
    findings = Findings()
    found = infer(source, Options(now=NOW), findings, **more)
    assert findings.report().ok, str(findings.report())
    for column in found:
        if column.type:
            schema = [Column(column.name, column.type, filled=False)]
            read, report = load(source, schema, rename=more.get("rename"))
            assert report.ok, (column, str(report))
            assert read.table.rows == column.rows
    return {column.name: column for column in found}


TYPES = {
    "id": {
        "item": [1, 2, 3],
        "user_id": ["a", "b", "c"],
        "id": [1.0, 2.0, 3.0],
    },
    "number": {
        "price": ["1", "2.5", ""],
        "year": [1999, 2001, None],
        "popularity": [0.5, float("nan"), 3.0],
        "time_spent": [3, 4, 5],
    },
    "timestamp": {
        "timestamp": [981173106123, 981173107000, None],
        "day": ["2001-02-03", "2001-02-04", ""],
        "when": [DAY, DAY, None],
        "released": [DAY.date(), None, DAY.date()],
    },
    "category": {
        "brand": ["Acme", "Brand", "Acme"],
        "zip": [12345, 54321, 11111],
        "postal": ["01234", "5", "6"],
        "flag": [True, False, None],
        "category_id": ["1", "2", "3"],
    },
    "categories": {
        "genres": ["a|b", "c", "d|e"],
        "labels": [["a"], [], ["b", "c"]],
        "more": ['["a", "b"]', "[]", '["c"]'],
        "numbers": [[1], [2, 3], None],
    },
    "ids": {"impressions": ["a b", "c", ""], "shown": [["a", "b"], ["c"], []]},
    "text": {
        "title": ["A red shoe for men", "Two blue hats of wool", "One more thing here"],
    },
    "vector": {
        "gs": [[1.0, 2.0], [3.0, 4.0], None],
        "written": ["[1, 2]", "[3, 4]", ""],
        "images": [[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]], []],
    },
    "bits": {"code": [b"ab", b"\xff1", None]},
    "image": {"picture": ["a.jpg", "b.PNG", ""]},
    None: {"struct": [{"x": 1}] * 3, "deep": [[["a"]], [], []]},
}


def test_types():
    given = {name: type for type, each in TYPES.items() for name in each}
    frame = pl.DataFrame({k: v for each in TYPES.values() for k, v in each.items()})
    found = columns(frame)
    assert {name: column.type for name, column in found.items()} == given
    assert found["price"].missing == found["popularity"].missing == 1
    assert (found["price"].low, found["price"].high) == ("1", "2.5")
    assert found["timestamp"].unit == "ms" and found["when"].unit is None
    assert found["timestamp"].low == "2001-02-03T04:05:06"
    assert found["brand"].distinct == 2 and found["brand"].rows == 3
    assert found["brand"].examples == ("Acme", "Brand")


@pytest.mark.parametrize(
    "name, given, odd",
    [
        ("created", [20010203, 20010204], "no times: days written as numbers"),
        ("time", [981173106, 981173106000], "no times: times of several units"),
        (
            "price",
            ["1"] * 30 + ["n/a"],
            "1 of 31 values (3.226%) is no number: 'n/a' (row 31)",
        ),
        ("brand", ["a", " b", "NULL"], "1 spaces around values"),
        ("brand", ["a", " b", "NULL"], "words for nothing"),
        ("postal", ["01", "2"], "zeros in front of numbers"),
        ("brand", ["a", "a"], "always the same value"),
        ("brand", [None, None], "no value at all"),
    ],
)
def test_what_looks_odd(name, given, odd):
    found = columns(pl.DataFrame({name: given}))[name]
    assert odd in "; ".join(found.odd)


def test_one_value_decides_wherever_it_stands(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "CHUNK", 200)
    rows = "".join(f"{i}.5,2001-02-03\n" for i in range(200))
    path = write(tmp_path / "items.csv", f"price,day\n{rows}x,soon\n")
    found = columns(path)
    assert found["price"].type == found["day"].type == "category"
    assert found["price"].rows == 201
    path = write(tmp_path / "items.csv", f"price,day\n{rows}")
    assert [c.type for c in columns(path).values()] == ["number", "timestamp"]


@pytest.mark.parametrize("chunk", [1_000, 1 << 20])
def test_all_odd_values_are_told_with_their_rows(tmp_path, monkeypatch, chunk):
    """However the rows come in blocks, and parts."""
    monkeypatch.setattr(lines, "CHUNK", chunk)
    for part in "ab":
        values = [f"{n}.5" for n in range(200)]
        for n in range(4, 172, 24):
            values[n] = f"{part}{n}"
        values[9] = ""
        text = "".join(f"{value},{value},x{value}\n" for value in values)
        write(tmp_path / f"{part}.csv", "price,zip,word\n" + text)
    found = columns(tmp_path)
    assert not found["zip"].strays and not found["word"].strays
    (strays,) = found["price"].strays
    assert (strays.type, strays.count, strays.values) == ("number", 14, 398)
    wanted = [f"'{part}{n}' (row {n + 2} of {part}.csv)" for part, n in ODD]
    assert list(strays.shown) == wanted and "14 of 398 values (3.518%)" in str(strays)
    assert "and 4 more" in found["price"].odd[0]


def test_numbers_in_a_categorical_column():
    given = pl.Series(["1.5", "-2", None]).cast(pl.Categorical)
    (found,) = infer(pl.DataFrame({"x": given}), Options(), Findings())
    assert (found.type, found.low, found.high) == ("number", "-2", "1.5")


@pytest.mark.parametrize("odd", [[1.0], [1.0, float("nan")]])
def test_some_odd_rows_do_not_make_it_no_vector(odd):
    for given, type in (([[1.0, 2.0], odd], "vector"), ([b"ab"] * 20 + [b"a"], "bits")):
        (found,) = infer(pl.DataFrame({"x": given}), Options(), Findings())
        assert found.type == type
        _, report = load(pl.DataFrame({"x": given}), [Column("x", type, filled=False)])
        assert report.bad_rows == 1


def test_renamed_and_chosen_columns(tmp_path):
    path = write(tmp_path / "items.csv", "uid,price,x\na,1,2\n")
    found = columns(path, rename={"uid": "user"}, only=["user", "x"])
    assert [(c.name, c.type) for c in found.values()] == [
        ("user", "id"),
        ("x", "number"),
    ]


def test_distinct_values_are_counted_about():
    rng = np.random.default_rng(0)
    given = rng.integers(0, 200_000, 400_000)
    found = columns(pl.DataFrame({"x": given}))["x"]
    assert abs(found.distinct / len(np.unique(given)) - 1) < 0.05
    assert not found.exact and columns(pl.DataFrame({"x": range(9)}))["x"].exact


def test_estimates_are_told_as_such(tmp_path):
    path = tmp_path / "items.parquet"
    made = pl.DataFrame({"item": range(100_000), "tags": [["a"]] * 100_000})
    made.with_columns(kind=pl.col("item") % 7).write_parquet(path)
    lines = described([path], Options()).splitlines()
    cells = {line.split()[0]: line.split() for line in lines[2:]}
    assert cells["item"][3] == "about" and cells["kind"][3] == "7"
    assert abs(int(cells["item"][4].replace(",", "")) / 100_000 - 1) < 0.1
    assert cells["tags"][3] == "['a']", "lists are not counted"


def test_whatever_is_inferred_can_be_read():
    rng = random.Random(0)
    values = [v for each in TYPES.values() for given in each.values() for v in given]
    texts = [v for v in values if isinstance(v, str)] + ["x", "1", "[1]", "[", "a b"]
    for name in ("id", "time", "x", "impressions"):
        for _ in range(40):
            columns(pl.DataFrame({name: rng.choices(texts, k=rng.randrange(1, 6))}))


def test_problems_of_the_file(tmp_path):
    findings = Findings()
    path = write(tmp_path / "a.csv", "x,y\n1,2\n1\n3,4\n")
    found = infer(path, Options(now=NOW), findings)
    assert [c.rows for c in found] == [2, 2] and findings.report().bad_rows == 1
    assert infer(tmp_path / "b.csv", Options(), findings) is None
