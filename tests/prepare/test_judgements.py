"""Judgements: their queries and candidates, and what is wrong with them."""

import numpy as np
import polars as pl
import pytest
from preparing import found, tables

from recjax.data.search_pairs import search_pairs_of
from recjax.prepare.options import Files
from recjax.prepare.prepare import check


def frame(rows, *names):
    return pl.DataFrame(rows, names, orient="row")


PAIRS = frame([("red nut", "p1", 3.0), ("bolt", "p2", 1.0)],
              "query", "candidate", "grade")  # fmt: skip
PRODUCTS = frame([("p1", "Nut"), ("p2", "Bolt")], "product", "title")


def judged(*rows):
    pairs = pl.concat([PAIRS, frame(list(rows), *PAIRS.columns)]) if rows else PAIRS
    return Files(judgements=pairs, entities={"product": PRODUCTS})


def test_judgements_follow_the_table_of_candidates():
    checked = check(judged(("red nut", "p2", 0.0)))
    names = ("judgements", "query", "product")
    data = search_pairs_of(*tables(checked, *names), "product")
    assert data.queries == ("red nut", "bolt") and data.titles == ("Nut", "Bolt")
    np.testing.assert_array_equal(data.query, [0, 1, 0])
    np.testing.assert_array_equal(data.product, [0, 1, 1])
    np.testing.assert_array_equal(data.relevance, np.float32([3, 1, 0]))


@pytest.mark.parametrize(
    "row, kind, column",
    [
        (("nut", "p9", 2.0), "unknown product", "candidate"),
        ((" ", "p1", 2.0), "empty text", "query"),
        (("bolt", "p2", 2.0), "the same judgement twice", "query, candidate"),
    ],
)
def test_a_bad_judgement(row, kind, column):
    checked = check(judged(row))
    assert [f[1:4] for f in found(checked)] == [(kind, 3, column)]
    assert checked.data.tables["judgements"].rows == 2


def test_titles_beside_the_judgements():
    rows = [("a", "p7", 3.0, "Nut"), ("b", "p7", 2.0, "Nut"), ("c", "p2", 1.0, "Saw")]
    pairs = frame(rows, *PAIRS.columns, "title")
    names = ("judgements", "query", "item")
    data = search_pairs_of(*tables(check(Files(judgements=pairs)), *names), "item")
    assert data.product_ids == ("p7", "p2") and data.titles == ("Nut", "Saw")
    other = pl.concat([pairs, frame([("d", "p7", 1.0, "Bolt")], *pairs.columns)])
    checked = check(Files(judgements=other))
    (told,) = found(checked)
    assert told[1:4] == ("a candidate with two titles", 4, "title")
    assert told[4] == 'p7: "Bolt", but "Nut" in row 1'


def test_queries_of_their_own_table():
    queries = frame([("q2", "nut"), ("q1", "bolt")], "query", "text")
    pairs = PAIRS.with_columns(query=pl.Series(["q1", "q2"]))
    checked = check(Files(judgements=pairs, queries=queries))
    names = ("judgements", "query", "item")
    data = search_pairs_of(*tables(checked, *names), "item")
    assert data.queries == ("nut", "bolt")
    np.testing.assert_array_equal(data.query, [1, 0])
    lost = Files(judgements=PAIRS, queries=queries)
    assert {kind for _, kind, *_ in found(check(lost))} == {"unknown query"}


def test_neither_grade_nor_action():
    assert "'grade'" in str(check(Files(judgements=PAIRS.drop("grade"))).report)
