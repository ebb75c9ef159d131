"""Every kind of bad input is one problem with file, row, column, value and fix."""

import os

import pytest

from recjax.prepare.validate import validate_interactions

NOW = 1_000_000_000
HEAD = "user,item,timestamp,rating\n"
GOOD = HEAD + "u1,i1,10,3\nu2,i2,20,4.5\n"


def check(tmp_path, content, *, name="events.csv", items=None, **options):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if items is not None:
        (tmp_path / "items.csv").write_text(items)
        options["items"] = tmp_path / "items.csv"
    return validate_interactions(path, now=NOW, **options)


def only(checked):
    """Returns (kind, row, column, value) of the one problem there is."""
    (problem,) = checked.report.problems
    assert problem.fix
    assert list(checked.report.counts.values()) == [1]
    return problem.kind, problem.row, problem.column, problem.value


def test_good_file(tmp_path):
    checked = check(tmp_path, GOOD)
    assert checked.report.ok and not checked.report.fatal
    assert str(checked.report) == "events.csv: 2 rows\nNo problems."
    assert checked.main.rows() == [(2, "u1", "i1", 10, 3.0), (3, "u2", "i2", 20, 4.5)]


# The last row of a good file is replaced by each of these.
BAD_ROWS = {
    "no user": (",i2,20,4", "empty text", "user", '""'),
    "blank item": ("u2,  ,20,4", "empty text", "item", '"  "'),
    "no timestamp": ("u2,i2,,4", "missing value", "timestamp", '""'),
    "no rating": ("u2,i2,20,", "missing value", "rating", '""'),
    "word as time": ("u2,i2,soon,4", "not a timestamp", "timestamp", '"soon"'),
    "no such month": ("u2,i2,2001-13-01,4", "not a timestamp", "timestamp", None),
    "time is nan": ("u2,i2,nan,4", "not a timestamp", "timestamp", '"nan"'),
    "time too large": ("u2,i2,1e300,4", "not a timestamp", "timestamp", None),
    "negative time": ("u2,i2,-20,4", "negative timestamp", "timestamp", '"-20"'),
    "ISO before 1970": ("u2,i2,1969-01-01,4", "negative timestamp", "timestamp", None),
    "future": ("u2,i2,1000086401,4", "timestamp in the future", "timestamp", None),
    "word as rating": ("u2,i2,20,five", "not a number", "rating", '"five"'),
    "decimal comma": ('u2,i2,20,"3,5"', "not a number", "rating", '"3,5"'),
    "NaN": ("u2,i2,20,NaN", "NaN", "rating", '"NaN"'),
    "infinite": ("u2,i2,20,-inf", "infinite number", "rating", '"-inf"'),
    "over float32": ("u2,i2,20,1e39", "infinite number", "rating", '"1e39"'),
    "too few fields": ("u2,i2,20", "wrong number of fields", "", "3 fields"),
    "too many fields": ("u2,i2,20,4,5", "wrong number of fields", "", "5 fields"),
    "stray quote": ('u2,"8" pipe",20,4', "stray quote", "", None),
    "duplicate": (
        *("u1,i1,10,5", "the same event twice", "user, item, timestamp"),
        "u1, i1, 10 (first in row 2)",
    ),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_row(tmp_path, case):
    row, kind, column, value = BAD_ROWS[case]
    checked = check(tmp_path, f"{HEAD}u1,i1,10,3\n{row}\n")
    found = only(checked)
    assert found[:3] == (kind, 3, column)
    assert value is None or found[3] == value
    assert checked.main["row"].to_list() == [2]
    assert checked.report.bad_rows == 1 and checked.report.bad_share == 0.5
    assert not checked.report.fatal
    text = str(checked.report)
    assert "events.csv" in text and "row 3" in text and "Fix: " in text


BAD_FILES = {
    "empty": (b"", "empty file"),
    "only blanks": (b"\n \n\n", "empty file"),
    "header alone": (HEAD.encode(), "no rows"),
    "UTF-16": (GOOD.encode("utf-16"), "not a text file"),
    "binary": (b"PK\x03\x04\0\0\0", "not a text file"),
    "open quote": (f'{GOOD}"u3,i1,5,5\nu4,i1,6,5\n'.encode(), "never closed"),
    "open quote, long": (f'{HEAD}u,"{"x" * 200_000}\n'.encode(), "never closed"),
    "header with a stray quote": (b'user,"item"x,timestamp\na,b,1\n', "header cannot"),
    "one name twice": (b"user,item,item,timestamp\na,b,c,1\n", "column given twice"),
    "another name": (b"user,itme,timestamp\na,b,1\n", "missing column"),
    "semicolons": (b"user;item;timestamp\na;b;1\n", "missing column"),
    "no header": (b"196,242,881250949\n186,302,891717742\n", "missing column"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file(tmp_path, case):
    content, kind = BAD_FILES[case]
    checked = check(tmp_path, content)
    first = checked.report.problems[0]
    assert kind in first.kind and first.row is None
    assert checked.report.fatal


@pytest.mark.parametrize(
    "case, hint",
    [
        ("another name", "Did you mean 'itme'?"),
        ("semicolons", "separated by semicolons"),
        ("no header", "first row must hold the columns' names"),
        ("UTF-16", "--encoding utf-16"),
        ("open quote", "row 4"),
    ],
)
def test_hints(tmp_path, case, hint):
    assert hint in str(check(tmp_path, BAD_FILES[case][0]).report)


def test_missing_file(tmp_path):
    (tmp_path / "events.csv").touch()
    report = validate_interactions(tmp_path / "event.csv").report
    assert report.fatal and "no such file" in str(report)
    assert "Did you mean 'events.csv'?" in str(report)


def test_missing_folder(tmp_path):
    report = validate_interactions(tmp_path / "no" / "event.csv").report
    assert "there is no folder" in str(report)


def test_folder_given(tmp_path):
    assert "a folder, not a file" in str(validate_interactions(tmp_path).report)


def test_wrong_extension(tmp_path):
    report = check(tmp_path, GOOD, name="events.xlsx").report
    assert report.fatal and ".csv, .tsv, .parquet" in str(report)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path):
    (tmp_path / "events.csv").write_text(GOOD)
    (tmp_path / "events.csv").chmod(0)
    report = validate_interactions(tmp_path / "events.csv").report
    assert report.fatal and "Permission denied" in str(report)
