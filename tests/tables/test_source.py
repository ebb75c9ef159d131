"""Files, patterns, folders and lists of parts as one table."""

import polars as pl
import pytest
from tables import load, rows, values, write

from recjax.tables.columns import Column
from recjax.tables.report import Findings
from recjax.tables.source import Source

ONE = (Column("x", "id"),)


def parts(folder):
    """Writes a table in three parts, two of one name."""
    for name in ("day=1/part.csv", "day=2/part.csv", "day=3.csv.d/more.jsonl"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    write(folder / "day=1" / "part.csv", "x,y\na,1\n,2\n")
    write(folder / "day=2" / "part.csv", "y,x\n1,b\n2,\n3,a\n")
    write(folder / "day=3.csv.d" / "more.jsonl", '{"x": "c", "y": 4}\n')
    write(folder / "_SUCCESS", "")
    write(folder / "day=1" / ".part.csv.crc", "?")
    return folder


def test_a_folder_is_one_table_and_its_files_are_told_apart(tmp_path):
    found, report = load(parts(tmp_path / "events"), ONE)
    assert values(found, "x") == ["a", "b", "a", "c"]
    first, second = found.rows([0, 1, 2, 3])
    assert first.tolist() == [0, 1, 1, 2] and second.tolist() == [2, 2, 4, 1]
    assert dict(report.rows) == {
        "day=1/part.csv": 2,
        "day=2/part.csv": 3,
        "day=3.csv.d/more.jsonl": 1,
    }
    assert {(p.file, p.row) for p in report.problems} == {
        ("day=1/part.csv", 3),
        ("day=2/part.csv", 3),
    }
    assert report.bad_rows == 2


def test_patterns_and_lists(tmp_path):
    folder = parts(tmp_path / "events")
    found, report = load(f"{folder}/day=[12]/*.csv", ONE)
    assert values(found, "x") == ["a", "b", "a"]
    given = [folder / "day=2" / "part.csv", folder / "day=1" / "part.csv"]
    found, report = load(given, ONE)
    assert values(found, "x") == ["b", "a", "a"]
    assert list(report.rows) == ["day=2/part.csv", "day=1/part.csv"]
    _, report = load(f"{folder}/nothing*", ONE)
    assert "no such file" in str(report)


def test_a_name_with_brackets_is_a_file(tmp_path):
    frame = pl.DataFrame({"x": ["a"]})
    frame.write_parquet(tmp_path / "e[1].parquet")
    assert load(tmp_path / "e[1].parquet", ONE)[1].ok


def test_parts_that_differ(tmp_path):
    write(tmp_path / "a.csv", "x,y\na,1\n")
    write(tmp_path / "b.csv", "x,z\na,1\n")
    found, report = load(tmp_path, ONE)
    assert found is None
    assert "b.csv: columns that not all parts have\n  'y', 'z'" in str(report)


def test_empty_parts_beside_full_ones(tmp_path):
    for name, given in (("a", []), ("b", ["x"])):
        frame = pl.DataFrame({"x": pl.Series(given, dtype=pl.String)})
        frame.write_parquet(tmp_path / f"{name}.parquet")
    found, report = load(tmp_path, ONE)
    assert report.ok and rows(found) == [1]


def test_many_parts_are_listed_shortly(tmp_path):
    for i in range(40):
        write(tmp_path / f"{i:02}.csv", "x\na\n")
    text = str(load(tmp_path, ONE)[1])
    assert "... and 30 more files, 40 rows in all" in text


@pytest.mark.parametrize(
    "name, words",
    [
        ("event.csv", ["no such file", "Did you mean 'events.csv'"]),
        ("no/event.csv", ["no such file", "there is no folder"]),
        ("events.xlsx", ["unknown extension", ".csv, .tsv, .parquet"]),
        ("empty", ["a folder without data"]),
        ("other", ["a.txt: unknown extension"]),
    ],
)
def test_what_is_no_table(tmp_path, name, words):
    write(tmp_path / "events.csv", "x\na\n")
    write(tmp_path / "events.xlsx", "x\na\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    write(tmp_path / "other" / "a.txt", "x")
    findings = Findings()
    assert Source.of(tmp_path / name, findings) is None
    text = str(findings.report())
    assert not [word for word in words if word not in text], text
