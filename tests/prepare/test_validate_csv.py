"""Reading and converting CSV: encodings, line numbers, times, column names."""

import pytest

from recjax.errors import UserError
from recjax.prepare.validate import validate_interactions
from recjax.tables.report import LISTED

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
        ({"columns": {"usr": "uid"}}, "--column usr.*Did you mean 'user'"),
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
