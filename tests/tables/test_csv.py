"""CSV: every kind of bad row and file is one problem with row, column, value, fix."""

import csv
import gzip
import os
import subprocess
import sys

import pytest
from tables import load, only, rows, values, write

from recjax.errors import UserError
from recjax.tables import lines
from recjax.tables.columns import Column
from recjax.tables.report import LISTED

HEAD = "user,item,timestamp,rating\n"
GOOD = HEAD + "u1,i1,700000010,3\nu2,i2,700000020,4.5\n"


def check(tmp_path, content, *, name="events.csv", **options):
    return load(write(tmp_path / name, content), **options)


def test_good_file(tmp_path):
    found, report = check(tmp_path, GOOD)
    assert report.ok and not report.fatal
    told = "events.csv: 2 rows\nevents.csv: 'timestamp' is read as seconds"
    assert str(report) == f"{told}\nNo problems."
    assert values(found, "user") == ["u1", "u2"] and rows(found) == [2, 3]
    assert values(found, "rating") == [3.0, 4.5]
    assert values(found, "timestamp") == [700000010 * 10**9, 700000020 * 10**9]


# The last row of a good file is replaced by each of these.
BAD_ROWS = {
    "no user": (",i2,700000020,4", "empty text", "user", '""'),
    "blank item": ("u2,  ,700000020,4", "empty text", "item", '"  "'),
    "no timestamp": ("u2,i2,,4", "missing value", "timestamp", '""'),
    "no rating": ("u2,i2,700000020,", "missing value", "rating", '""'),
    "word as time": ("u2,i2,soon,4", "not a timestamp", "timestamp", '"soon"'),
    "no such month": ("u2,i2,2001-13-01,4", "not a timestamp", "timestamp", None),
    "time is nan": ("u2,i2,nan,4", "not a timestamp", "timestamp", '"nan"'),
    "time too large": ("u2,i2,1e300,4", "not a timestamp", "timestamp", None),
    "20 digits": (f"u2,i2,{'9' * 20},4", "not a timestamp", "timestamp", None),
    "negative time": ("u2,i2,-20,4", "negative timestamp", "timestamp", '"-20"'),
    "before 1990": ("u2,i2,1969-01-01,4", "timestamp before 1990", "timestamp", None),
    "small time": ("u2,i2,20,4", "timestamp before 1990", "timestamp", '"20"'),
    "future": ("u2,i2,1000086401,4", "timestamp in the future", "timestamp", None),
    "word as rating": ("u2,i2,2001-01-01,five", "not a number", "rating", '"five"'),
    "decimal comma": ('u2,i2,700000020,"3,5"', "not a number", "rating", '"3,5"'),
    "NaN": ("u2,i2,700000020,NaN", "NaN", "rating", '"NaN"'),
    "infinite": ("u2,i2,700000020,-inf", "infinite number", "rating", '"-inf"'),
    "over float32": ("u2,i2,700000020,1e39", "infinite number", "rating", '"1e39"'),
    "too few fields": ("u2,i2,20", "wrong number of fields", "", "3 fields"),
    "too many fields": ("u2,i2,20,4,5", "wrong number of fields", "", "5 fields"),
    "stray quote": ('u2,"8" pipe",20,4', "stray quote", "", None),
    "twice two": ('u2,""i"",700000020,4', "stray quote", "", None),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_row(tmp_path, case):
    row, kind, column, value = BAD_ROWS[case]
    good = "u1,i1,700000010,3\n" * 10
    found, report = check(tmp_path, f"{HEAD}{good}{row}\nu3,i3,700000030,5\n")
    problem = only(report)
    assert problem[:3] == (kind, 12, column)
    assert value is None or problem[3] == value
    assert rows(found) == [*range(2, 12), 13] and values(found, "user")[-1] == "u3"
    assert list(found.table["user"].labels) == ["u1", "u3"]
    assert report.bad_rows == 1 and not report.fatal
    text = str(report)
    assert "events.csv" in text and "row 12" in text and "Fix: " in text


BAD_FILES = {
    "empty": (b"", "empty file"),
    "only blanks": (b"\n \n\n", "empty file"),
    "header alone": (HEAD.encode(), "no rows"),
    "UTF-16": (GOOD.encode("utf-16"), "not a text file"),
    "binary": (b"PK\x03\x04\0\0\0", "not a text file"),
    "open quote": (f'{GOOD}"u3,i1,5,5\nu4,i1,6,5\n'.encode(), "never closed"),
    "open quote, long": (f'{HEAD}u,"{"x" * 200_000}\n'.encode(), "never closed"),
    "header with a stray quote": (b'user,"item"x,timestamp\na,b,1\n', "header cannot"),
    "header in other bytes": (b"user,item,timestamp,\xe9\na,b,1,2\n", "header cannot"),
    "one name twice": (b"user,item,item,timestamp\na,b,c,1\n", "column given twice"),
    "another name": (b"user,itme,timestamp\na,b,1\n", "missing column"),
    "semicolons": (b"user;item;timestamp\na;b;1\n", "missing column"),
    "no header": (b"196,242,881250949\n186,302,891717742\n", "missing column"),
    "no gzip": (b"user,item,timestamp\na,b,1\n", "damaged gzip"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file(tmp_path, case):
    content, kind = BAD_FILES[case]
    name = "events.csv.gz" if "gzip" in case else "events.csv"
    found, report = check(tmp_path, content, name=name)
    first = report.problems[0]
    assert kind in first.kind and first.row is None
    assert report.fatal and found is None


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
    assert hint in str(check(tmp_path, BAD_FILES[case][0])[1])


def test_gzip_that_is_cut(tmp_path):
    whole = gzip.compress((GOOD * 99).encode())
    _, report = check(tmp_path, whole[:-20], name="events.csv.gz")
    assert "damaged gzip" in str(report)


def test_bad_encoding_in_one_row(tmp_path):
    times = (b"700000010", b"700000020", b"700000030")
    content = HEAD.encode() + b"u1,i1,%b,3\nu2,caf\xe9,%b,4\nu3,i1,%b,4\n" % times
    found, report = check(tmp_path, content)
    assert only(report) == ("bytes that are not UTF-8", 3, "item", '"caf\\xe9"')
    assert rows(found) == [2, 4]
    found, report = check(tmp_path, content, encoding="latin-1")
    assert report.ok and values(found, "item") == ["i1", "café", "i1"]


def test_bytes_of_another_encoding_do_not_become_text_by_chance(tmp_path):
    content = HEAD.encode() + "u1,é,700000010,3\n".encode()
    found, report = check(tmp_path, content, encoding="ascii")
    assert only(report)[:3] == ("bytes that are not UTF-8", 2, "item")


def test_utf16_with_its_encoding(tmp_path):
    found, report = check(tmp_path, GOOD.encode("utf-16"), encoding="utf-16")
    assert report.ok and values(found, "user") == ["u1", "u2"]
    _, report = check(tmp_path, GOOD.encode("utf-16")[:-1], encoding="utf-16")
    assert report.fatal and "cannot be decoded" in str(report)


@pytest.mark.parametrize("encoding", ["utf-9", "hex", "undefined", "punycode", "a\0b"])
def test_no_such_encoding(tmp_path, encoding):
    with pytest.raises(UserError, match="no such encoding"):
        check(tmp_path, GOOD, encoding=encoding)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("chunk", [10, lines.CHUNK])
def test_rows_are_lines_of_an_editor(tmp_path, monkeypatch, end, chunk):
    monkeypatch.setattr(lines, "CHUNK", chunk)
    text = [
        "user,item,timestamp",  # 1
        'u1,"two',
        'lines",700000010',  # 3
        "",
        "u2,,700000020",  # 5
        "u3,i3,x",
        "",
        '"u4","i ""4""",700000040',  # 8
        "u5,i5,-1",
    ]
    found, report = check(tmp_path, end.join(text))
    assert sorted(p.row for p in report.problems) == [5, 6, 9]
    assert rows(found) == [2, 8]
    assert values(found, "item") == [f"two{end}lines", 'i "4"']


def test_byte_order_mark_and_quoted_header(tmp_path):
    content = b"\xef\xbb\xbf" + b'"user","item","timestamp"\na,b,700000010\n'
    assert check(tmp_path, content)[1].ok


@pytest.mark.parametrize("name", ["events.tsv", "events.tsv.gz"])
def test_tabs(tmp_path, name):
    content = GOOD.replace(",", "\t").encode()
    content = gzip.compress(content) if name.endswith("gz") else content
    found, report = check(tmp_path, content, name=name)
    assert report.ok and found.table.rows == 2


def test_listing_is_bounded_and_everything_counted(tmp_path):
    bad = "".join(f"u{i},i1,-1,3\n" for i in range(LISTED + 500))
    _, report = check(tmp_path, GOOD + bad)
    assert len(report.problems) == LISTED
    assert report.counts == {("events.csv", "negative timestamp"): LISTED + 500}
    assert report.bad_rows == LISTED + 500
    text = str(report)
    assert "1,500 problems, 1,500 rows affected" in text
    assert "... and 1,490 more" in text and text.count("\n") < 20


def test_problems_beyond_one_block_of_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "CHUNK", 10_000)
    good = "".join(f"u{i},i1,700000000,3\n" for i in range(7_000))
    found, report = check(
        tmp_path, HEAD + good + "u,i1,700000000,x\n" + "v,i,700000000,1"
    )
    assert only(report)[1] == 7_002
    assert values(found, "user") == [*(f"u{i}" for i in range(7_000)), "v"]


def test_all_problems_of_a_row(tmp_path):
    _, report = check(tmp_path, GOOD + ",,-4,inf\n")
    found = {(p.row, p.column, p.kind) for p in report.problems}
    assert found == {
        (4, "user", "empty text"),
        (4, "item", "empty text"),
        (4, "rating", "infinite number"),
    }
    assert report.bad_rows == 1


def test_a_field_longer_than_the_csv_module_takes(tmp_path):
    long = "x" * 200_000
    for text in (long, f'"{long},"'):
        found, report = check(tmp_path, f"{GOOD}{text},i,700000000,1\n")
        assert report.ok and values(found, "user")[2] == text.strip('"')


@pytest.mark.slow
def test_a_line_without_end_takes_little_memory(tmp_path):
    path = tmp_path / "events.csv"
    with open(path, "w") as file:
        file.write(GOOD)
        for _ in range(200):
            file.write("x" * (1 << 20))
        file.write("\n")
    told = (
        "import sys, resource, tables; start = resource.getrusage(0).ru_maxrss\n"
        "print(tables.load(sys.argv[1])[1])\n"
        "print((resource.getrusage(0).ru_maxrss - start) >> 10)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    args = [sys.executable, "-c", told, str(path)]
    out = subprocess.run(args, env=env, capture_output=True, text=True, check=True)
    assert "a line that is too long" in out.stdout and "row 4" in out.stdout
    assert "at most 16 MiB" in out.stdout
    assert int(out.stdout.split()[-1]) < 200


def test_the_csv_module_is_left_as_it_was(tmp_path):
    before = csv.field_size_limit()
    check(tmp_path, BAD_FILES["open quote"][0])
    assert csv.field_size_limit() == before


def test_columns_under_other_names(tmp_path):
    content = "uid,iid,ts,more\na,b,700000000,1\n"
    names = {"uid": "user", "iid": "item", "ts": "timestamp"}
    found, report = check(tmp_path, content, rename=names)
    assert report.ok and found.names == {v: k for k, v in names.items()}
    assert found.unused == ("more",)


@pytest.mark.parametrize(
    "rename, words",
    [
        ({"usr": "user"}, "renamed column is not there\n  'usr' Did you mean 'user'?"),
        ({"item": "user"}, "'user' and 'item' are both 'user'"),
        ({"rating": "item"}, "two columns of one name"),
    ],
)
def test_renames_that_are_wrong(tmp_path, rename, words):
    found, report = check(tmp_path, GOOD, rename=rename)
    assert found is None and words in str(report)


def test_no_wanted_column(tmp_path):
    schema = (Column("price", "number", required=False),)
    found, report = check(tmp_path, GOOD, schema=schema)
    assert found is None and "no column that is known" in str(report)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path):
    path = write(tmp_path / "events.csv", GOOD)
    path.chmod(0)
    assert "Permission denied" in str(load(path)[1])


def test_one_bad_row_does_not_make_the_file_slow(tmp_path, monkeypatch):
    from recjax.tables import csv_records

    slow = []
    real = csv_records.Records.read
    monkeypatch.setattr(lines, "CHUNK", 1_000)
    monkeypatch.setattr(
        csv_records.Records, "read", lambda self, n: slow.append(n) or real(self, n)
    )
    good = "u,i,700000000,1\n" * 5_000
    found, report = check(tmp_path, f'{HEAD}{good}u,"i" x,1,1\n{good}')
    assert only(report)[:2] == ("stray quote", 5_002)
    assert found.table.rows == 10_000 and sum(slow) < 5_000
