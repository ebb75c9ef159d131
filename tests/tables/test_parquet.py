"""Parquet and frames: types that mean the same, and every kind of bad one."""

import datetime as dt
import re

import polars as pl
import pytest
from tables import load, only, rows, values

from recjax.tables import opening

GOOD = pl.DataFrame(
    {"user": [1, 2], "item": ["a", "b"], "timestamp": [700000010, 700000020]}
)


def parquet(tmp_path, frame, **options):
    frame.write_parquet(tmp_path / "events.parquet")
    return load(tmp_path / "events.parquet", **options)


def test_good_file(tmp_path):
    found, report = parquet(tmp_path, GOOD)
    assert report.ok and rows(found) == [1, 2]
    assert values(found, "user") == ["1", "2"] and values(found, "item") == ["a", "b"]
    assert values(found, "timestamp") == [700000010 * 10**9, 700000020 * 10**9]


def test_frames_are_read_as_files_are():
    found, report = load(GOOD)
    assert report.ok and values(found, "user") == ["1", "2"]
    assert report.rows == {"table": 2}


def test_types_that_mean_the_same(tmp_path):
    stamp = dt.datetime(2001, 2, 3, 4, 5, 6)
    frame = GOOD.with_columns(
        user=pl.Series([1.0, 2.0]),
        item=pl.Series(["a", "b"], dtype=pl.Categorical),
        timestamp=pl.Series([stamp, stamp]),
        rating=pl.Series([1, 2], dtype=pl.Int8),
    )
    found, report = parquet(tmp_path, frame)
    assert report.ok and found.units == {}
    assert values(found, "user") == ["1", "2"] and values(found, "item") == ["a", "b"]
    assert values(found, "timestamp") == [981173106 * 10**9] * 2
    assert values(found, "rating") == [1.0, 2.0]


@pytest.mark.parametrize(
    "ids",
    [
        pl.Series([b"1", b"2"]),
        pl.Series(["1.00", "2.00"]).cast(pl.Decimal(10, 2)),
        pl.Series([1, 2], dtype=pl.UInt64),
        pl.Series([" 1", "2\t"]),
        pl.Series([1, 2], dtype=pl.Float32),
    ],
    ids=lambda series: str(series.dtype),
)
def test_ids_of_every_type_are_the_same_texts(ids):
    found, report = load(GOOD.with_columns(user=ids))
    assert report.ok and values(found, "user") == ["1", "2"]


BAD_ROWS = {
    "null id": ({"user": [1, None]}, "missing value", "(nothing)"),
    "NaN id": ({"user": [1.0, float("nan")]}, "missing value", '"nan"'),
    "broken id": ({"user": [1.0, 2.5]}, "not an id", '"2.5"'),
    "large id": ({"user": [1.0, 2.0**53]}, "an id rounded by its float type", None),
    "bytes": ({"user": [b"1", b"\xff"]}, "bytes that are not UTF-8", None),
    "null time": ({"timestamp": [700000010, None]}, "missing value", "(nothing)"),
    "NaN time": ({"timestamp": [7e8, float("nan")]}, "missing value", '"nan"'),
    "null date": ({"timestamp": [dt.date(2001, 1, 1), None]}, "missing value", None),
    "future date": (
        {"timestamp": [dt.date(2001, 1, 1), dt.date(2101, 1, 1)]},
        *("timestamp in the future", '"2101-01-01"'),
    ),
    "year 9999": (
        {"timestamp": [dt.datetime(2001, 1, 1), dt.datetime(9999, 1, 1)]},
        *("timestamp in the future", None),
    ),
    "null rating": ({"rating": [1.0, None]}, "missing value", "(nothing)"),
    "NaN rating": ({"rating": [1.0, float("nan")]}, "NaN", '"nan"'),
    "infinite rating": ({"rating": [1.0, float("inf")]}, "infinite number", '"inf"'),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_row(tmp_path, case):
    columns, kind, value = BAD_ROWS[case]
    (name, given), *_ = columns.items()
    frame = GOOD.with_columns(pl.Series(name, given))
    found, report = parquet(tmp_path, frame)
    problem = only(report)
    assert problem[:3] == (kind, 2, name)
    assert value is None or problem[3] == value
    assert found.table.rows == 1 and values(found, "item") == ["a"]


@pytest.mark.parametrize(
    "column, given",
    [
        ("user", [True, False]),
        ("item", [["a"], ["b"]]),
        ("item", [{"x": 1}, {"x": 2}]),
        ("timestamp", [True, False]),
        ("timestamp", [dt.time(1), dt.time(2)]),
        ("timestamp", [[1], [2]]),
        ("rating", [dt.date(2001, 1, 1)] * 2),
        ("rating", [b"1", b"2"]),
    ],
)
def test_column_of_a_wrong_type(tmp_path, column, given):
    found, report = parquet(tmp_path, GOOD.with_columns(pl.Series(column, given)))
    assert report.fatal and found is None
    assert re.search(f"column of type .*\n  '{column}'", str(report))


def test_times_that_float32_has_rounded(tmp_path):
    frame = GOOD.with_columns(pl.col("timestamp").cast(pl.Float32))
    _, report = parquet(tmp_path, frame)
    assert "column of type Float32" in str(report)


def test_all_null_column(tmp_path):
    _, report = parquet(tmp_path, GOOD.with_columns(user=pl.lit(None)))
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
    found, report = load(tmp_path / "events.parquet")
    assert found is None and [p.kind for p in report.problems] == [kind]


def test_damaged_parquet(tmp_path):
    parquet(tmp_path, GOOD)
    file = tmp_path / "events.parquet"
    whole = file.read_bytes()
    for at in range(0, len(whole), 11):
        file.write_bytes(whole[:at])
        assert load(file)[1].fatal
        for byte in (b"\xff", b"\x01"):
            file.write_bytes(whole[:at] + byte + whole[at + 1 :])
            load(file)  # whatever it gives, it is no traceback


def test_no_rows(tmp_path):
    found, report = parquet(tmp_path, GOOD.clear())
    assert found is None and "no rows" in str(report)


def test_rows_over_many_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "ROWS", 7)
    ids = [f"u{i % 11}" for i in range(50)]
    times = [700000000 + i for i in range(50)]
    times[30] = None
    frame = pl.DataFrame({"user": ids, "item": ids[::-1], "timestamp": times})
    for found, report in (parquet(tmp_path, frame), load(frame)):
        assert only(report)[:2] == ("missing value", 31)
        assert rows(found) == [*range(1, 31), *range(32, 51)]
        assert values(found, "user") == ids[:30] + ids[31:]
