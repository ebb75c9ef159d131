"""A value that cannot be read is missing, where it may be and one says so."""

import csv
from dataclasses import replace

import polars as pl
import pytest
from preparing import far, files_of, same

from recjax.errors import UserError
from recjax.prepare.options import Files, How
from recjax.prepare.parts import Parts
from recjax.prepare.prepare import check, prepare

ROWS = 6
COLUMNS = ("items:year=number", "items:made=timestamp", "users:age=number")
COLUMNS += ("events:dwell=number", "events:shown=ids")
HOW = How(column=COLUMNS, on_bad_row="empty", max_bad_share=1.0)
BAD = {
    "items": {"year": {1: "V", 3: "1e39"}, "made": {1: "soon", 4: "99999999999"}},
    "users": {"age": {0: "unkonwn"}},
    "events": {"dwell": {2: "?", 5: "long"}, "shown": {2: "a,b"}},
}
GOOD = {
    "items": {"id": "i{}", "title": "t{}", "year": "199{}", "made": "160000000{}"},
    "users": {"id": "u{}", "age": "2{}"},
    "events": {
        "user": "u{}",
        "item": "i{}",
        "timestamp": "170000000{}",
        "dwell": "{}.5",
        "rating": "{}",
        "shown": "i1 i{}",
    },
}
WRITE = {
    "csv": pl.DataFrame.write_csv,
    "jsonl": pl.DataFrame.write_ndjson,
    "parquet": pl.DataFrame.write_parquet,
}


def written(folder, bad, kind="csv", parts=1):
    """Returns tables in files whose values are good but for the bad ones given."""
    for table, columns in GOOD.items():
        odd = bad.get(table, {})
        frame = pl.DataFrame(
            {
                name: [odd.get(name, {}).get(n, form.format(n)) for n in range(ROWS)]
                for name, form in columns.items()
            },
            schema=dict.fromkeys(columns, pl.String),
        )
        (folder / table).mkdir(parents=True)
        for part in range(parts):
            some = frame[part * ROWS // parts : (part + 1) * ROWS // parts]
            WRITE[kind](some, folder / table / f"{table}{part}.{kind}")
    return Files(**{table: folder / table for table in GOOD})


def emptied(bad):
    return {
        table: {name: dict.fromkeys(odd) for name, odd in columns.items()}
        for table, columns in bad.items()
    }


@pytest.mark.parametrize("kind", WRITE)
def test_it_is_as_if_the_cells_were_empty(tmp_path, kind, caplog):
    bad = written(tmp_path / "bad", BAD, kind)
    empty = written(tmp_path / "empty", emptied(BAD), kind)
    strict = replace(HOW, on_bad_row="error")
    wanted = prepare(empty, tmp_path / "wanted", strict)
    with pytest.raises(UserError, match="bad values, --on-bad-row empty"):
        prepare(bad, tmp_path / "out", strict)
    found = prepare(bad, tmp_path / "out", HOW)
    assert files_of(found) == files_of(wanted) and len(files_of(found)) > 10
    assert (
        "Without a value that cannot be read are 6 of 18 rows (33.333%)" in caplog.text
    )
    with open(found / "empty_values.csv", newline="") as file:
        told = {
            (r["file"], r["column"], int(r["row"])): r for r in csv.DictReader(file)
        }
    shift = 2 if kind == "csv" else 1
    assert {key: row["value"].strip('"') for key, row in told.items()} == {
        (f"{table}0.{kind}", name, n + shift): value
        for table, columns in BAD.items()
        for name, odd in columns.items()
        for n, value in odd.items()
    }


def test_parts_are_read_so_too(tmp_path):
    files = written(tmp_path / "bad", BAD, parts=3)
    (tmp_path / "work").mkdir()
    parts = Parts(far, tmp_path / "work", 2)
    one = check(files, HOW)
    assert same(one, check(files, HOW, parts)) == ROWS
    assert one.report.bad_rows == 6 and not one.report.needed


def test_good_tables_become_what_they_were(tmp_path):
    files = written(tmp_path / "good", {})
    each = [
        prepare(files, tmp_path / policy, replace(HOW, on_bad_row=policy))
        for policy in ("error", "empty")
    ]
    assert files_of(each[0]) == files_of(each[1])
    assert not (each[1] / "empty_values.csv").exists()


@pytest.mark.parametrize(
    ("table", "name", "value"),
    [
        ("events", "timestamp", "soon"),
        ("events", "timestamp", "17"),
        ("events", "rating", "five"),
        ("events", "item", ""),
        ("events", "user", "u9"),
        ("items", "id", "i0"),
    ],
)
def test_what_a_row_must_have_is_refused(tmp_path, table, name, value):
    bad = {**BAD, table: {**BAD[table], name: {3: value}}}
    files = written(tmp_path / "bad", bad)
    with pytest.raises(
        UserError, match=f"1 in column '{name}' of {table}0.csv"
    ) as told:
        prepare(files, tmp_path / "out", HOW)
    assert "V" in str(told.value) and not (tmp_path / "out").exists()
    with pytest.raises(UserError) as told:
        prepare(files, tmp_path / "out", replace(HOW, on_bad_row="error"))
    assert "--on-bad-row skip." in str(told.value)


def test_too_many_are_refused(tmp_path):
    files = written(tmp_path / "bad", BAD)
    with pytest.raises(
        UserError, match=r"6 of 18 rows \(33.33%\) are bad.*0.33 allows"
    ):
        prepare(files, tmp_path / "out", replace(HOW, max_bad_share=0.33))


def test_vectors(tmp_path):
    values = [[1.0, 2.0], [3.0], [float("nan"), 1.0], None, [5.0, 6.0]]
    items = pl.DataFrame({"id": list("abcde"), "v": values, "b": [b"ab"] * 4 + [b"a"]})
    one = written(tmp_path / "events", {})
    events = pl.DataFrame({"user": ["u"], "item": ["a"], "timestamp": [1_700_000_000]})
    how = replace(HOW, column=("items:v=vector", "items:b=bits"))
    found = check(replace(one, events=events, users=None, items=items), how)
    table = found.data.tables["item"]
    assert table["v"].ragged.start.tolist() == [0, 1, 1, 1, 1, 2]
    assert table["v"].ragged.values.tolist() == [[1, 2], [5, 6]]
    assert table["b"].ragged.start.tolist() == [0, 1, 2, 3, 4, 4]
    assert found.report.bad_rows == 3
