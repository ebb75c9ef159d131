"""Every kind of bad input is one problem with file, row, column, value and fix."""

import datetime as dt
import os
import re

import polars as pl
import pytest

from recjax.data.report import LISTED
from recjax.data.validate import validate_interactions, validate_search
from recjax.errors import UserError

NOW = 1_000_000_000
HEAD = "user,item,timestamp,rating\n"
GOOD = HEAD + "u1,i1,10,3\nu2,i2,20,4.5\n"
PAIRS = "query,product,relevance\nred nut,p1,3\nbolt,p2,1\n"
PRODUCTS = "product,title\np1,Nut\np2,Bolt\n"


def check(tmp_path, content, *, name="events.csv", items=None, **options):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if items is not None:
        (tmp_path / "items.csv").write_text(items)
        options["items"] = tmp_path / "items.csv"
    return validate_interactions(path, now=NOW, **options)


def check_search(tmp_path, pairs, products=None):
    (tmp_path / "pairs.csv").write_text(pairs)
    if products is None:
        return validate_search(tmp_path / "pairs.csv")
    (tmp_path / "products.csv").write_text(products)
    return validate_search(tmp_path / "pairs.csv", products=tmp_path / "products.csv")


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


def test_bad_encoding_in_one_row(tmp_path):
    content = HEAD.encode() + b"u1,i1,10,3\nu2,caf\xe9,20,4\nu3,i1,30,4\n"
    checked = check(tmp_path, content)
    kind, row, column, value = only(checked)
    assert (kind, row, column) == ("bytes that are not UTF-8", 3, "item")
    assert value == '"caf\\xe9"'
    assert checked.main["row"].to_list() == [2, 4]
    right = check(tmp_path, content, encoding="latin-1")
    assert right.report.ok and right.main["item"][1] == "café"


def test_utf16_with_its_encoding(tmp_path):
    assert check(tmp_path, GOOD.encode("utf-16"), encoding="utf-16").report.ok


def test_undecodable_file(tmp_path):
    report = check(tmp_path, GOOD.encode("utf-16")[:-1], encoding="utf-16").report
    assert report.fatal and "cannot be decoded" in str(report)


def test_rows_are_lines_of_an_editor(tmp_path):
    lines = [
        "user,item,timestamp",  # 1
        'u1,"two',
        'lines",10',  # 3
        "",
        "u2,,20",  # 5
        "u3,i3,x",
        "",
        '"u4","i ""4""",40',  # 8
        "u5,i5,-1",
    ]
    for end in ("\n", "\r\n", "\r"):
        checked = check(tmp_path, end.join(lines))
        found = sorted(p.row for p in checked.report.problems)
        assert found == [5, 6, 9], repr(end)
        assert checked.main["row"].to_list() == [2, 8]
        assert checked.main["item"][1] == 'i "4"'


def test_byte_order_mark_and_quoted_header(tmp_path):
    content = b"\xef\xbb\xbf" + b'"user","item","timestamp"\na,b,1\n'
    assert check(tmp_path, content).report.ok


def test_tabs(tmp_path):
    checked = check(tmp_path, GOOD.replace(",", "\t"), name="events.tsv")
    assert checked.report.ok and checked.main.height == 2


def test_all_problems_of_a_row_and_a_file_in_one_pass(tmp_path):
    items = "item,title\ni1,One\ni2,\ni1,Again\n"
    events = HEAD + "u1,i1,10,3\n,i9,-4,inf\nu2,i2,30,4\nu1,i1,10,x\n"
    report = check(tmp_path, events, items=items).report
    found = {(p.file, p.row, p.column, p.kind) for p in report.problems}
    assert found == {
        ("items.csv", 3, "title", "empty text"),
        ("items.csv", 4, "item", "item given twice"),
        ("events.csv", 3, "user", "empty text"),
        ("events.csv", 3, "item", "unknown item"),
        ("events.csv", 3, "timestamp", "negative timestamp"),
        ("events.csv", 3, "rating", "infinite number"),
        ("events.csv", 4, "item", "unknown item"),
        ("events.csv", 5, "rating", "not a number"),
    }
    assert report.bad_rows == 5 and dict(report.rows) == {
        "items.csv": 3,
        "events.csv": 4,
    }


def test_both_files_are_checked_when_both_are_bad(tmp_path):
    text = str(check(tmp_path, "a,b\n1,2\n", items="item\ni1\n").report)
    assert (
        "items.csv: missing column" in text and "events.csv: missing column (3)" in text
    )


def test_a_bad_row_does_not_make_a_good_one_a_duplicate(tmp_path):
    checked = check(tmp_path, HEAD + "u1,i1,10,x\nu1,i1,10,3\n")
    assert only(checked)[:2] == ("not a number", 2)
    assert checked.main["row"].to_list() == [3]


def test_listing_is_bounded_and_everything_counted(tmp_path):
    rows = "".join(f"u{i},i1,-1,3\n" for i in range(LISTED + 500))
    report = check(tmp_path, HEAD + rows).report
    assert len(report.problems) == LISTED
    assert report.counts == {("events.csv", "negative timestamp"): LISTED + 500}
    assert report.bad_rows == LISTED + 500
    text = str(report)
    assert "1,500 problems, 1,500 rows affected" in text
    assert "... and 1,490 more" in text and text.count("\n") < 20


def test_problems_beyond_one_block_of_reading(tmp_path):
    rows = "".join(f"u{i},i1,5,3\n" for i in range(70_000))
    assert only(check(tmp_path, HEAD + rows + "u,i1,5,x\n"))[1] == 70_002


def test_columns_under_other_names(tmp_path):
    content = "uid,iid,ts\na,b,1\n"
    names = {"user": "uid", "item": "iid", "timestamp": "ts"}
    items = "item,title\nb,Bee\n"
    checked = check(tmp_path, content, items=items, columns=names)
    assert checked.report.ok and checked.main.columns == ["row", *names]


def test_mapped_column_that_is_missing(tmp_path):
    report = check(tmp_path, GOOD, columns={"rating": "stars"}).report
    assert report.fatal and "'stars' (the file has 'user'" in str(report)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"columns": {"usr": "uid"}}, "--columns usr.*Did you mean 'user'"),
        ({"unit": "us"}, "--unit 'us': must be 's' or 'ms'"),
        ({"encoding": "utf-9"}, "--encoding 'utf-9': no such"),
        ({"encoding": "hex"}, "--encoding 'hex': no such"),
    ],
)
def test_bad_arguments(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        check(tmp_path, GOOD, **options)


def test_times_of_every_form(tmp_path):
    # date -u -d '2001-02-03 04:05:06' +%s is 981173106.
    forms = {
        "981173106": 981173106,
        " 981173106 ": 981173106,
        "981173106.9": 981173106,
        "2001-02-03T04:05:06": 981173106,
        "2001-02-03 04:05:06": 981173106,
        "2001-02-03T04:05:06.789": 981173106,
        "2001-02-03T04:05:06Z": 981173106,
        "2001-02-03T06:05:06+02:00": 981173106,
        "2001-02-03 04:05": 981173100,
        "2001-02-03": 981158400,
    }
    rows = "".join(f"u{i},i1,{form}\n" for i, form in enumerate(forms))
    checked = check(tmp_path, "user,item,timestamp\n" + rows)
    assert str(checked.report).endswith("No problems.")
    assert checked.main["timestamp"].to_list() == list(forms.values())


def test_milliseconds(tmp_path):
    content = "user,item,timestamp\nu,i,981173106999\nv,i,2001-02-03\n"
    report = check(tmp_path, content).report
    assert "pass --unit ms" in str(report)
    checked = check(tmp_path, content, unit="ms")
    assert checked.main["timestamp"].to_list() == [981173106, 981158400]


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


def test_good_search_files(tmp_path):
    checked = check_search(tmp_path, PAIRS, PRODUCTS)
    assert checked.report.ok
    assert checked.main.rows() == [(2, "red nut", "p1", 3.0), (3, "bolt", "p2", 1.0)]
    assert checked.corpus.rows() == [(2, "p1", "Nut"), (3, "p2", "Bolt")]


@pytest.mark.parametrize(
    "row, kind, column",
    [
        ("nut,p9,2", "unknown product", "product"),
        (" ,p1,2", "empty text", "query"),
        ("nut,p1,-1", "negative number", "relevance"),
        ("nut,p1,nan", "NaN", "relevance"),
        ("bolt,p2,2", "the same query and product twice", "query, product"),
    ],
)
def test_bad_pair(tmp_path, row, kind, column):
    checked = check_search(tmp_path, f"{PAIRS}{row}\n", PRODUCTS)
    assert only(checked)[:3] == (kind, 4, column)
    assert checked.main.height == 2


def test_bad_products(tmp_path):
    checked = check_search(tmp_path, PAIRS, PRODUCTS + "p1,Other\np3,\n")
    found = {(p.kind, p.row) for p in checked.report.problems}
    assert found == {("product given twice", 4), ("empty text", 5)}
    assert checked.corpus["title"].to_list() == ["Nut", "Bolt"]


def test_one_search_file_with_a_product_of_two_titles(tmp_path):
    rows = "query,product,relevance,title\na,p1,3,Nut\nb,p1,2,Nut\nc,p1,1,Bolt\n"
    checked = check_search(tmp_path, rows)
    assert only(checked) == (
        *("a product with two titles", 4, "title"),
        'product p1: "Bolt", but "Nut" in row 2',
    )
    assert checked.main.height == 2 and checked.corpus.height == 1


def test_search_file_without_titles(tmp_path):
    report = check_search(tmp_path, PAIRS).report
    assert report.fatal and "'title' (the file has 'query'" in str(report)
