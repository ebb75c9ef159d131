"""Ids, labels, lists, texts and vectors: the same from every type, or refused."""

import numpy as np
import polars as pl
import pytest
from tables import load, only, values

from recjax.tables.columns import Column


def column(given, type, **more):
    return load(pl.DataFrame({"x": given}), (Column("x", type, **more),))


def test_ids_are_stripped_and_coded_by_appearance():
    found, report = column(["b", "1 ", "a", "1", "\t1", "b "], "id")
    assert report.ok and list(found.table["x"].labels) == ["b", "1", "a"]
    assert found.table["x"].values.tolist() == [0, 1, 2, 1, 1, 0]
    assert found.table["x"].values.dtype == np.int32


@pytest.mark.parametrize("given", [["1", None, " 2"], [1, None, 2], [1.0, None, 2.0]])
def test_an_id_that_may_be_missing(given):
    found, report = column(given, "id", filled=False)
    assert report.ok and values(found, "x") == ["1", None, "2"]


@pytest.mark.parametrize(
    "dtype, bits", [(pl.Float64, 53), (pl.Float32, 24)], ids=["f64", "f32"]
)
def test_float_ids_that_would_merge_are_refused(dtype, bits):
    low, high = 2**bits - 1, 2**bits
    found, report = column(pl.Series([low, high, -high], dtype=dtype), "id")
    assert {p.row for p in report.problems} == {2, 3}
    assert values(found, "x") == [str(low)]
    exact = column(pl.Series([high, high + 1]), "id")[0]
    assert values(exact, "x") == [str(high), str(high + 1)]


def test_fractions_are_no_ids():
    _, report = column([1.25, 1.75], "id")
    assert report.counts == {("table", "not an id"): 2}


def test_a_category_has_code_0_for_missing():
    found, report = column(["b", None, " ", "a", "b"], "category", filled=False)
    assert report.ok and list(found.table["x"].labels) == ["", "b", "a"]
    assert found.table["x"].values.tolist() == [1, 0, 0, 2, 1]
    found, _ = column([True, None, False], "category", filled=False)
    assert values(found, "x") == ["true", "", "false"]
    _, report = column(["b", None, " "], "category")
    assert sorted(report.counts) == [
        ("table", "empty text"),
        ("table", "missing value"),
    ]


LISTS = {
    "lists": [["a", " b "], [], None, ["c", None, "a"]],
    "arrays of one length": None,
    "JSON": ['["a", "b"]', "", None, '["c", null, "a"]'],
}


@pytest.mark.parametrize("type, between", [("ids", " "), ("categories", "|")])
def test_lists_of_labels(type, between):
    texts = [f"a{between}b", " ", None, f"c{between}{between}a "]
    for given in (LISTS["lists"], LISTS["JSON"], texts):
        found, report = column(given, type, filled=False)
        assert report.ok, str(report)
        assert values(found, "x") == [["a", "b"], [], [], ["c", "a"]]
        assert list(found.table["x"].labels) == ["a", "b", "c"]
        assert found.table["x"].values.start.tolist() == [0, 2, 2, 2, 4]
    found, _ = column(pl.Series([[1, 2], [3, 1]], dtype=pl.Array(pl.Int64, 2)), type)
    assert values(found, "x") == [["1", "2"], ["3", "1"]]


def test_lists_of_labels_that_are_refused():
    _, report = column(["a", "x,y", '["a"'], "ids")
    assert [(p.row, p.kind) for p in report.problems] == [
        (2, "not a list"),
        (3, "not a list"),
    ]
    assert only(column([["a"], []], "ids")[1])[:2] == ("missing value", 2)
    assert only(column([[1.0], [2.5, 1.0]], "ids")[1])[:2] == ("not an id", 2)
    assert "column of type List(List" in str(column([[["a"]]], "ids")[1])
    found, report = column(["Toys, Games|x"], "categories")
    assert report.ok and values(found, "x") == [["Toys, Games", "x"]]


def test_texts():
    found, report = column([" a  b ", None, "é\n"], "text", filled=False)
    assert report.ok and values(found, "x") == ["a  b", "", "é"]
    found, _ = column([["b  c", " ", "a"], [], None], "text", filled=False)
    assert values(found, "x") == ["b c\na", "", ""]
    _, report = column(["a", "", None], "text")
    assert sorted(report.counts) == [
        ("table", "empty text"),
        ("table", "missing value"),
    ]


def test_numbers():
    found, report = column(
        ["1", " 2.5", None, "", "nan", "-3e2"], "number", filled=False
    )
    assert report.ok
    there = found.table["x"].values
    assert there.dtype == np.float32
    np.testing.assert_array_equal(there, [1, 2.5, np.nan, np.nan, np.nan, -300])
    _, report = column([0.0, -1.0], "number", least=0)
    assert only(report)[:2] == ("negative number", 2)
    _, report = column([2.0, 1.5], "number", least=2)
    assert only(report)[:2] == ("number below 2", 2)


VECTORS = [[1.0, 2.0], [3.0, 4.5], None]


@pytest.mark.parametrize(
    "given",
    [
        VECTORS,
        pl.Series(VECTORS, dtype=pl.Array(pl.Float32, 2)),
        ["[1, 2]", "[3, 4.5]", ""],
        ["1 2", "3 4.5", None],
        [[[1.0, 2.0]], [[3.0, 4.5]], []],
    ],
    ids=["lists", "arrays", "JSON", "spaces", "lists of lists"],
)
def test_vectors(given):
    found, report = column(given, "vector", filled=False)
    assert report.ok and values(found, "x") == [[[1, 2]], [[3, 4.5]], []]
    assert found.table["x"].width == 2
    assert found.table["x"].values.values.dtype == np.float32


def test_several_vectors_a_row():
    for given in ([[[1, 2], [3, 4]], [[5, 6]]], ["[[1, 2], [3, 4]]", "[[5, 6]]"]):
        found, report = column(given, "vector")
        assert report.ok and values(found, "x") == [[[1, 2], [3, 4]], [[5, 6]]]


BAD_VECTORS = {
    "too short": ([1.0], "wrong length", "1 numbers"),
    "nan": ([1.0, float("nan")], "not a finite number", "nan at position 2"),
    "infinite": ([float("-inf"), 1.0], "not a finite number", "-inf at position 1"),
    "null inside": ([None, 1.0], "not a finite number", "nan at position 1"),
}


@pytest.mark.parametrize("case", BAD_VECTORS)
def test_a_bad_vector(case):
    given, kind, shown = BAD_VECTORS[case]
    found, report = column([[0.0, 1.0], given, [2.0, 3.0]], "vector")
    assert only(report) == (kind, 2, "x", shown)
    assert values(found, "x") == [[[0, 1]], [[2, 3]]]
    if case != "too short":
        found, report = column([[[0.0, 1.0], given], [[2.0, 3.0]]], "vector")
        assert only(report) == (kind, 1, "x", shown)


def test_texts_that_could_be_two_vectors_are_none():
    _, report = column(["1 2", "0,5 1,5"], "vector")
    assert report.counts == {("table", "wrong length"): 1}
    _, report = column(["0;5"], "vector")
    assert report.counts == {("table", "not a finite number"): 1}


def test_bits():
    for given in ([b"\x01\xff", None], [[1, 255], None], ["[1, 255]", ""]):
        found, report = column(given, "bits", filled=False)
        assert report.ok and values(found, "x") == [[[1, 255]], []]
        assert found.table["x"].values.values.dtype == np.uint8
    for wrong in (256, -1, 1.5, None):
        _, report = column([[1.0, 2.0], [1.0, wrong]], "bits")
        assert only(report)[:2] == ("not a byte", 2)
    assert only(column([b"12", b"1", b"34"], "bits")[1])[3] == "1 bytes"


@pytest.mark.parametrize("type", ["vector", "bits"])
def test_columns_that_hold_no_vectors(type):
    for given in ([True, False], [{"a": 1}], [["a"], [None]]):
        _, report = column(given, type)
        assert report.fatal or not report.ok
    found, report = column([None, None], type, filled=False)
    assert report.ok and found.table["x"].values.values.shape == (0, 0)


def test_taking_rows_keeps_labels_and_compacting_drops_them():
    from recjax.tables.typed import compact

    frame = pl.DataFrame({"x": ["a", "b", "c", "b"], "y": ["p|q", "", "q", "r|p"]})
    schema = (Column("x", "id"), Column("y", "categories", filled=False))
    table = load(frame, schema)[0].table.take(np.array([3, 2]))
    assert list(table["x"].labels) == ["a", "b", "c"] and table.rows == 2
    x, y = compact(table["x"]), compact(table["y"])
    assert (list(x.labels), x.values.tolist()) == (["b", "c"], [0, 1])
    assert (list(y.labels), y.values.values.tolist()) == (["r", "p", "q"], [0, 1, 2])
