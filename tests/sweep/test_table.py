"""The arithmetic of the table, by figures worked by hand."""

import csv
import io
import math

import pytest

from recjax.errors import UserError
from recjax.sweep import table
from recjax.sweep.table import ResultRow, Spread

# base: 1, 2, 6 -> mean 3, squares 4 + 1 + 9 = 14, deviation sqrt(14 / 2) = sqrt 7.
# other: 3, 3, 9 by seed -> mean 5; differences 2, 1, 3 -> mean 2, deviation 1.
# short: seed 1 alone -> 5; difference to 2 is 3. absent: no run is done.
VALUES = {
    "base": {seed: {"t/m": v} for seed, v in enumerate((1.0, 2.0, 6.0))},
    "other": {seed: {"t/m": v} for seed, v in ((2, 9.0), (0, 3.0), (1, 3.0))},
    "short": {1: {"t/m": 5.0}, 7: {"u/n": 1.0}},
    "absent": {},
}


def test_rows():
    base, other, short, absent = table.rows(VALUES, ["t/m"])
    assert (base.value.mean, base.value.count) == (3.0, 3)
    assert base.value.deviation == pytest.approx(math.sqrt(7), abs=1e-12)
    assert base.difference is None
    assert (other.value.mean, other.difference) == (5.0, Spread(2.0, 1.0, 3))
    assert short == ResultRow(
        "short", "t/m", Spread(5.0, None, 1), Spread(3.0, None, 1)
    )
    assert absent == ResultRow("absent", "t/m", None, None)


def test_seeds_that_only_one_of_them_has_are_not_compared():
    values = {"a": {0: {"m": 1.0}, 1: {"m": 2.0}}, "b": {1: {"m": 4.0}, 2: {"m": 9.0}}}
    _, row = table.rows(values, ["m"])
    assert row.value.mean == 6.5 and row.difference == Spread(2.0, None, 1)


def test_texts():
    lines = table.cells(table.rows(VALUES, ["t/m"]))
    assert lines == [
        ["variant", "seeds", "t/m", "difference"],
        ["base", "3", "3.0000 ± 2.6458", "-"],
        ["other", "3", "5.0000 ± 3.4641", "+2.0000 ± 1.0000"],
        ["short", "1", "5.0000", "+3.0000"],
        ["absent", "0", "-", "-"],
    ]
    text = table.text(lines).splitlines()
    assert len({len(line) for line in text}) == 1
    assert text[1].split() == ["base", "3", "3.0000", "±", "2.6458", "-"]
    assert table.markdown([["a|b", "c"], ["1", "2"]]) == (
        "| a\\|b | c |\n| --- | ---: |\n| 1 | 2 |\n"
    )


def test_csv_is_unrounded():
    read = list(csv.DictReader(io.StringIO(table.as_csv(table.rows(VALUES, ["t/m"])))))
    assert float(read[0]["deviation"]) == table.spread([1.0, 2.0, 6.0]).deviation
    assert read[1]["difference_mean"] == "2.0" and read[2]["difference_deviation"] == ""
    assert read[3]["mean"] == ""


def test_csv_of_runs_has_a_row_for_each():
    values = {"a, b": {1: {"t/x": 0.1}, 0: {"t/x": 1 / 3, "v/x": 2.0}}, "c": {}}
    read = list(csv.reader(io.StringIO(table.runs_csv(values, ["v/x", "t/x"]))))
    assert read == [
        ["variant", "seed", "v/x", "t/x"],
        ["a, b", "0", "2.0", repr(1 / 3)],
        ["a, b", "1", "", "0.1"],
    ]


def test_metrics_to_show():
    values = {"a": {0: {"t/x": 1.0, "t/ndcg@10": 1.0, "t/recall@10": 1.0, "v/x": 0.0}}}
    assert table.metrics(values, []) == ["t/recall@10", "t/ndcg@10"]
    assert table.metrics(values, ["v/x"]) == ["v/x"]
    with pytest.raises(UserError, match=r"t/recall@11.*Did you mean 't/recall@10'"):
        table.metrics(values, ["t/recall@11"])
    assert table.metrics({"a": {0: {"t/x": 1.0, "v/x": 0.0}}}, []) == ["t/x"]
    assert table.metrics({}, []) == []
