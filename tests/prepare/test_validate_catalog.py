"""Every problem of a catalogue's files, in one report with row, column, value, fix."""

import command
import numpy as np
import polars as pl
import pytest
import tiny_catalog as tiny

from recjax.prepare.validate_catalog import validate_catalog

NOW = 1_000_000_000


def check(tmp_path, **frames):
    return validate_catalog(**tiny.write(tmp_path, **frames), now=NOW)


def problems(checked):
    assert all(p.fix for p in checked.report.problems)
    return [(p.file, p.kind, p.row, p.column, p.value) for p in checked.report.problems]


def replaced(frame, row, **values):
    """Returns the frame with values of one row (from 1) replaced."""
    for name, value in values.items():
        column = frame[name].to_list()
        column[row - 1] = value
        frame = frame.with_columns(pl.Series(name, column, dtype=frame[name].dtype))
    return frame


def test_good_files(tmp_path):
    checked = check(tmp_path)
    assert checked.report.ok, str(checked.report)
    assert checked.report.rows == {
        "pins.parquet": 3,
        "products.parquet": 2,
        "pairs.parquet": 5,
    }
    assert not checked.empty


PINS = {
    "no id": ({"id": None}, "missing value", "id", "(nothing)"),
    "blank id": ({"id": " "}, "empty text", "id", '" "'),
    "id twice": ({"id": "a"}, "id given twice", "id", "a (first in row 1)"),
    "too short": ({"gs_v5": [1.0]}, "wrong length", "gs_v5", "1 numbers"),
    "too few bytes": ({"ue_v4": b"12"}, "wrong length", "ue_v4", "2 bytes"),
    "nan": (
        {"gs_v5": [0.0, 1.0, float("nan"), 2.0]},
        *("not a finite number", "gs_v5", "nan at position 3"),
    ),
    "infinite": (
        {"item_is_v2": [0.0, float("-inf"), 0.0, 2.0]},
        *("not a finite number", "item_is_v2", "-inf at position 2"),
    ),
    "null inside": (
        {"gs_v5": [None, 1.0, 2.0, 2.0]},
        *("not a finite number", "gs_v5", "nan at position 1"),
    ),
}


@pytest.mark.parametrize("case", PINS)
def test_a_bad_pin(tmp_path, case):
    values, kind, column, shown = PINS[case]
    checked = check(tmp_path, pins=replaced(tiny.pins(), 2, **values))
    assert problems(checked) == [("pins.parquet", kind, 2, column, shown)]
    assert checked.entities["pin"].good.tolist() == [True, False, True]
    assert checked.report.bad_rows == 1


def test_a_bad_image_among_good_ones(tmp_path):
    images = [[tiny.vector(1), tiny.vector(2, width=2)], [tiny.vector(0)]]
    checked = check(
        tmp_path, products=tiny.products().with_columns(gs_v5=pl.Series(images))
    )
    assert ("products.parquet", "wrong length", 1, "gs_v5", "2 numbers") in problems(
        checked
    )


def test_codes_are_whole_numbers(tmp_path):
    column = pl.Series([[1.0, 2.0, 3.0], [0.0, 1.5, 9.0], [4.0, 5.0, 6.0]])
    checked = check(tmp_path, pins=tiny.pins().with_columns(ue_v4=column))
    ((_, kind, row, _, value),) = problems(checked)
    assert (kind, row, value) == ("not a byte", 2, "1.5 at position 2")


@pytest.mark.parametrize("lists", [[1, 2, 256], [1, -2, 3], [1, None, 3]])
def test_codes_as_numbers(tmp_path, lists):
    column = pl.Series([[1, 2, 3], [0, 255, 9], [4, 5, 6]], dtype=pl.List(pl.Int64))
    pins = tiny.pins().with_columns(ue_v4=column)
    assert check(tmp_path, pins=pins).report.ok
    ((_, kind, row, _, _),) = problems(
        check(tmp_path, pins=replaced(pins, 2, ue_v4=lists))
    )
    assert (kind, row) == ("not a byte", 2)


PAIRS = {
    "type": (
        {"candidate_type": "pins"},
        *("unknown type", "candidate_type", "\"pins\". Did you mean 'pin'?"),
    ),
    "pin": ({"candidate_id": "z"}, "unknown pin", "candidate_id", '"z"'),
    "query": ({"query": ""}, "empty text", "query", '""'),
    "action": ({"action": None}, "missing value", "action", "(nothing)"),
    "future": (
        {"timestamp": 2 * NOW},
        *("timestamp in the future", "timestamp", '"2000000000"'),
    ),
}


@pytest.mark.parametrize("case", PAIRS)
def test_a_bad_pair(tmp_path, case):
    values, kind, column, shown = PAIRS[case]
    checked = check(tmp_path, pairs=replaced(tiny.pairs(), 1, **values))
    assert problems(checked) == [("pairs.parquet", kind, 1, column, shown)]
    assert checked.main.height == 4


def test_all_files_in_one_report(tmp_path):
    checked = check(
        tmp_path,
        pins=replaced(tiny.pins(), 1, gs_v5=[1.0]),
        products=replaced(tiny.products(), 2, id=7),
        pairs=replaced(tiny.pairs(), 5, candidate_type="board"),
    )
    found = {(file, kind, row) for file, kind, row, *_ in problems(checked)}
    assert found == {
        ("pins.parquet", "wrong length", 1),
        ("products.parquet", "id given twice", 2),
        ("pairs.parquet", "unknown type", 5),
        # Their candidates have no good row.
        ("pairs.parquet", "unknown pin", 1),
        ("pairs.parquet", "unknown pin", 2),
        ("pairs.parquet", "unknown product", 3),
    }


def test_pairs_without_their_table(tmp_path):
    checked = check(tmp_path, products=None)
    assert checked.report.fatal
    assert "pairs with products, but no table of products" in str(checked.report)
    assert "pass --products FILE" in str(checked.report)


def test_vectors_of_two_lengths(tmp_path):
    images = pl.Series([[tiny.vector(1, width=5)], None])
    checked = check(tmp_path, products=tiny.products().with_columns(gs_v5=images))
    assert checked.report.fatal
    assert "5 in column 'gs_v5', but 4 in pins.parquet" in str(checked.report)


CREATED = {
    "missing": (None, "missing value", "(nothing)"),
    "negative": (-5, "negative timestamp", '"-5"'),
    "future": (NOW + 90_000, "timestamp in the future", f'"{NOW + 90_000}"'),
}


@pytest.mark.parametrize("case", CREATED)
def test_a_bad_time_of_creation(tmp_path, case):
    value, kind, shown = CREATED[case]
    pins = tiny.pins().with_columns(created=pl.Series([7, value, NOW]))
    checked = check(tmp_path, pins=pins)
    assert problems(checked) == [("pins.parquet", kind, 2, "created", shown)]
    created = checked.entities["pin"].created
    assert created.tolist() == [7, NOW] and created.dtype == np.int64


def test_times_of_creation_as_dates_and_under_another_name(tmp_path):
    pins = tiny.pins().with_columns(made=pl.Series(["2001-09-09", "1970-01-02", "9"]))
    files = tiny.write(tmp_path, pins=pins)
    checked = validate_catalog(**files, now=NOW, columns={"created": "made"})
    assert checked.report.ok, str(checked.report)
    assert checked.entities["pin"].created.tolist() == [999_993_600, 86_400, 9]
    assert checked.entities["product"].created is None


@pytest.mark.parametrize("column", ["id", "title", "gs_v5", "ue_v4", "created"])
def test_a_column_of_another_type(tmp_path, column):
    pins = tiny.pins().with_columns(pl.Series(column, [{"x": 1}] * 3))
    checked = check(tmp_path, pins=pins)
    assert "column of type Struct" in str(checked.report)
    assert repr(column) in str(checked.report) and checked.empty


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty file"), (b"PAR1 no more", "unreadable Parquet")],
)
def test_damaged_files(tmp_path, content, words):
    files = tiny.write(tmp_path)
    files["pins"].write_bytes(content)
    assert words in str(validate_catalog(**files).report)


def test_no_rows_and_no_id(tmp_path):
    checked = check(tmp_path, pins=tiny.pins().head(0))
    assert "pins.parquet: no rows" in str(checked.report)
    checked = check(tmp_path, pins=tiny.pins().drop("id"))
    assert "missing column" in str(checked.report) and "'id'" in str(checked.report)


def test_many_actions(tmp_path):
    pairs = pl.concat([tiny.pairs()] * 60).with_columns(
        action=pl.int_range(300).cast(pl.String)
    )
    assert "too many actions" in str(check(tmp_path, pairs=pairs).report)


def test_columns_of_other_names(tmp_path):
    files = tiny.write(
        tmp_path,
        pins=tiny.pins().rename({"title": "headline"}),
        pairs=tiny.pairs().rename({"query": "q"}),
    )
    columns = {"title": "headline", "query": "q"}
    checked = validate_catalog(**files, columns=columns, now=NOW)
    assert checked.report.ok, str(checked.report)
    assert checked.entities["pin"].names["title"] == "headline"
    assert checked.entities["product"].names["title"] == "item_title"
    columns = {"title": "headlin", "query": "q"}
    checked = validate_catalog(**files, columns=columns, now=NOW)
    assert "correct --column title=headlin" in str(checked.report)


def given(files):
    return [part for name, path in files.items() for part in (f"--{name}", path)]


def test_commands(capfd, tmp_path):
    out = tmp_path / "out"
    files = given(tiny.write(tmp_path))
    command.main(["data", "validate", "catalog", *map(str, files)])
    assert "pairs.parquet: 5 rows\nNo problems." in capfd.readouterr().out
    told = ["data", "prepare", "catalog", *files, "--out", out]
    command.main([str(part) for part in told])
    assert capfd.readouterr().out == f"prepared: {out}\n"
    files = given(tiny.write(tmp_path, pins=replaced(tiny.pins(), 3, gs_v5=[1.0])))
    message = command.fails(capfd, "data", "validate", "catalog", *files)
    assert "row 3, column 'gs_v5': 1 numbers" in message
    message = command.fails(capfd, "data", "prepare", "catalog", *files, "--out", out)
    assert "row 3, column 'gs_v5': 1 numbers" in message
    assert "Nothing was prepared." in message
