"""Parquet files of events: types that mean the same, and every kind of bad one."""

import datetime as dt
import re

import polars as pl
import pytest

from recjax.prepare.validate import validate_interactions

NOW = 1_000_000_000


def only(checked):
    """Returns (kind, row, column, value) of the one problem there is."""
    (problem,) = checked.report.problems
    assert problem.fix
    assert list(checked.report.counts.values()) == [1]
    return problem.kind, problem.row, problem.column, problem.value


def parquet(tmp_path, frame, **options):
    frame.write_parquet(tmp_path / "events.parquet")
    return validate_interactions(tmp_path / "events.parquet", now=NOW, **options)


PARQUET = pl.DataFrame({"user": [1, 2], "item": ["a", "b"], "timestamp": [10, 20]})


def test_parquet(tmp_path):
    checked = parquet(tmp_path, PARQUET)
    assert checked.report.ok
    assert checked.main.rows() == [(1, "1", "a", 10), (2, "2", "b", 20)]


def test_parquet_types_that_mean_the_same(tmp_path):
    stamp = dt.datetime(2001, 2, 3, 4, 5, 6)
    frame = PARQUET.with_columns(
        user=pl.Series([1.0, 2.0]),
        item=pl.Series(["a", "b"], dtype=pl.Categorical),
        timestamp=pl.Series([stamp, stamp]),
        rating=pl.Series([1, 2], dtype=pl.Int8),
    )
    checked = parquet(tmp_path, frame)
    assert checked.report.ok
    assert checked.main.rows() == [
        (1, "1", "a", 981173106, 1.0),
        (2, "2", "b", 981173106, 2.0),
    ]


BAD_PARQUET = {
    "null id": ({"user": [1, None]}, "missing value", "(nothing)"),
    "NaN id": ({"user": [1.0, float("nan")]}, "missing value", '"nan"'),
    "broken id": ({"user": [1.0, 2.5]}, "not an id", '"2.5"'),
    "null time": ({"timestamp": [10, None]}, "missing value", "(nothing)"),
    "NaN time": ({"timestamp": [1.0, float("nan")]}, "missing value", '"nan"'),
    "null date": ({"timestamp": [dt.date(2001, 1, 1), None]}, "missing value", None),
    "future date": (
        {"timestamp": [dt.date(2001, 1, 1), dt.date(2101, 1, 1)]},
        *("timestamp in the future", '"2101-01-01"'),
    ),
    "null rating": ({"rating": [1.0, None]}, "missing value", "(nothing)"),
    "NaN rating": ({"rating": [1.0, float("nan")]}, "NaN", '"nan"'),
    "infinite rating": ({"rating": [1.0, float("inf")]}, "infinite number", '"inf"'),
}


@pytest.mark.parametrize("case", BAD_PARQUET)
def test_bad_parquet_row(tmp_path, case):
    columns, kind, value = BAD_PARQUET[case]
    checked = parquet(
        tmp_path,
        PARQUET.with_columns(
            **{
                name: pl.Series(values, strict=False)
                for name, values in columns.items()
            }
        ),
    )
    found = only(checked)
    assert found[:3] == (kind, 2, next(iter(columns)))
    assert value is None or found[3] == value
    assert checked.main.height == 1


@pytest.mark.parametrize(
    "column, values",
    [
        ("user", [True, False]),
        ("item", [["a"], ["b"]]),
        ("timestamp", [True, False]),
        ("timestamp", [dt.time(1), dt.time(2)]),
        ("rating", [dt.date(2001, 1, 1)] * 2),
    ],
)
def test_parquet_column_of_a_wrong_type(tmp_path, column, values):
    report = parquet(tmp_path, PARQUET.with_columns(pl.Series(column, values))).report
    assert report.fatal
    assert re.search(f"column of type .*\n  '{column}'", str(report))


def test_all_null_parquet_column(tmp_path):
    report = parquet(tmp_path, PARQUET.with_columns(user=pl.lit(None))).report
    assert report.counts == {("events.parquet", "missing value"): 2}


@pytest.mark.parametrize(
    "content, kind",
    [
        (b"", "empty file"),
        (b"user,item,timestamp\n1,2,3\n", "unreadable Parquet"),
        (b"PAR1" + b"\0" * 100 + b"PAR1", "unreadable Parquet"),
    ],
)
def test_file_that_is_no_parquet(tmp_path, content, kind):
    (tmp_path / "events.parquet").write_bytes(content)
    report = validate_interactions(tmp_path / "events.parquet").report
    assert report.fatal and [p.kind for p in report.problems] == [kind]


def test_truncated_parquet(tmp_path):
    parquet(tmp_path, PARQUET)
    file = tmp_path / "events.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    assert "unreadable Parquet" in str(validate_interactions(file).report)


def test_parquet_without_rows(tmp_path):
    assert "no rows" in str(parquet(tmp_path, PARQUET.clear()).report)
