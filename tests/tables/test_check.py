"""Rows given twice and unknown ids, over the parts of a table."""

import numpy as np
from tables import EVENTS, load, write

from recjax.tables.check import given_twice, unknown_ids
from recjax.tables.columns import Column
from recjax.tables.report import Findings


def events(folder):
    folder.mkdir()
    write(folder / "a.csv", "user,item,timestamp\nu,i,700000000\nv,i,\nv,j,700000001\n")
    write(folder / "b.csv", "user,item,timestamp\nu,i,1993-01-01\n u,i,700000000\n")
    return load(folder)[0]


def problems(findings):
    return [
        (p.file, p.row, p.column, p.kind, p.value) for p in findings.report().problems
    ]


def test_events_given_twice(tmp_path):
    findings, found = Findings(), events(tmp_path / "e")
    again = given_twice(found, ("user", "item", "timestamp"), "twice", findings)
    assert again.tolist() == [False, False, False, True]
    value = "u, i, 1992-03-07T20:26:40 (first in row 2 of a.csv)"
    where = "b.csv", 3, "user, item, timestamp"
    assert problems(findings) == [(*where, "twice", value)]


def unknown(found, name, known, findings):
    lost = ~np.isin([*found.table[name].vocabulary], known)
    return unknown_ids(found, name, lost, "item", findings, "delete this row")


def test_unknown_ids(tmp_path):
    findings, found = Findings(), events(tmp_path / "e")
    lost = unknown(found, "item", ["x", "j"], findings)
    assert lost.tolist() == [True, False, True, True]
    assert [p[:2] + p[4:] for p in problems(findings)] == [
        ("a.csv", 2, '"i"'),
        ("b.csv", 2, '"i"'),
        ("b.csv", 3, '"i"'),
    ]


def test_unknown_ids_in_lists_and_missing_ones(tmp_path):
    schema = (
        Column("user", "id", filled=False),
        Column("shown", "ids", filled=False),
    )
    path = write(tmp_path / "e.csv", "user,shown\n,a b\nu,\nv,a c d\n")
    findings, (found, report) = Findings(), load(path, schema)
    assert report.ok
    lost = unknown(found, "shown", ["a", "b"], findings)
    assert lost.tolist() == [False, False, True]
    assert [p[1:] for p in problems(findings)] == [(4, "shown", "unknown item", '"c"')]
    assert unknown(found, "user", ["u", "v"], findings).sum() == 0


def test_many_rows_given_twice():
    import polars as pl

    n = 20_000
    frame = pl.DataFrame(
        {"user": ["u"] * n, "item": ["i"] * n, "timestamp": [700000000] * n}
    )
    findings, found = Findings(), load(frame, EVENTS)[0]
    again = given_twice(found, ("user", "item", "timestamp"), "twice", findings)
    np.testing.assert_array_equal(np.flatnonzero(again), np.arange(1, n))
    assert findings.report().counts == {("table", "twice"): n - 1}
