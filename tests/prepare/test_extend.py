"""Preparing again: known ids and categories keep their numbers, new ones follow."""

import numpy as np
import polars as pl
import pytest

from recjax.data.interactions import load_interactions
from recjax.data.prepared import Prepared, as_texts
from recjax.errors import UserError
from recjax.prepare.options import Files, How
from recjax.prepare.prepare import prepare

START = 1_600_000_000
EXTEND = How(extend=True, column=("items:brand=category", "items:title=text"))


def events(*rows):
    rows = [(user, item, START + when, act) for user, item, when, act in rows]
    names = ("user", "item", "timestamp", "action")
    return pl.DataFrame(rows, names, orient="row")


def items(*rows):
    names = ("item", "title", "brand", "near")
    return pl.DataFrame(rows, names, orient="row")


OLD = events(("a", "x", 1, "view"), ("b", "y", 2, "buy"))
NEW = events(("c", "z", 3, "save"), ("b", "x", 4, "view"), ("a", "z", 5, "buy"))
ITEMS = items(("x", "X", "red", ["y"]), ("y", "Y", "blue", []), ("q", "Q", None, []))
CHANGED = items(("z", "Z", "lime", ["x", "q"]), ("x", "X2", "blue", ["z", "y"]))


def test_ids_keep_their_rows(tmp_path):
    out = tmp_path / "out"
    prepare(Files(events=OLD, items=ITEMS), out, EXTEND)
    before = Prepared.open(out)
    told = before.digest
    prepare(Files(events=NEW, items=CHANGED), out, EXTEND)
    known = Prepared.open(out)
    assert known.digest != told
    assert [*known.table("user")["id"].labels] == ["a", "b", "c"]
    item = known.table("item")
    assert [*item["id"].labels] == ["x", "y", "q", "z"]
    assert [*as_texts(item["title"])] == ["X2", "Y", "Q", "Z"]
    assert [*as_texts(item["brand"])] == ["blue", "blue", "", "lime"]
    assert [*item["brand"].labels] == ["", "red", "blue", "lime"]
    near = [item["near"].labels.take(row) for row in item["near"].ragged]
    assert near == [["z", "y"], [], [], ["x", "q"]]
    log = known.table("events")
    found = [
        (
            known.table("user")["id"].labels[u],
            item["id"].labels[i],
            log["action"].labels[a],
        )
        for u, i, a in zip(
            *(log[name].array for name in ("user", "item", "action")), strict=True
        )
    ]
    assert sorted(found) == [("a", "z", "buy"), ("b", "x", "view"), ("c", "z", "save")]
    assert [*log["action"].labels] == ["", "view", "buy", "save"]


def test_without_tables_of_entities(tmp_path):
    for frame in (OLD, NEW):
        path = prepare(Files(events=frame), tmp_path / "out", How(extend=True, gap=9))
    data = load_interactions(path)
    assert data.item_ids == ("x", "y", "z") and [*data.user_ids] == ["a", "b", "c"]
    np.testing.assert_array_equal(data.user, [0, 1, 2])
    np.testing.assert_array_equal(data.item, [2, 0, 2])
    session = Prepared.open(path).table("events")["session"].array
    np.testing.assert_array_equal(session, [0, 1, 2])


def test_candidates_keep_their_rows(tmp_path):
    names = ("query", "candidate", "candidate_type", "action")

    def judged(*rows):
        return pl.DataFrame(rows, names, orient="row")

    first = judged(("red", "p1", "pin", "save"), ("red", "blue", "query", "click"))
    later = judged(("blue", "p9", "pin", "buy"), ("new", "red", "query", "click"))
    for frame in (first, later):
        path = prepare(Files(judgements=frame), tmp_path / "out", How(extend=True))
    known = Prepared.open(path)
    assert [*known.table("query")["id"].labels] == ["red", "blue", "new"]
    assert [*known.table("pin")["id"].labels] == ["p1", "p9"]
    table = known.table("judgements")
    assert table["query"].array.tolist() == [1, 2]
    assert table["candidate"].array.tolist() == [1, 0]
    assert [*as_texts(table["action"])] == ["buy", "click"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            ITEMS.drop("near"),
            "column 'near' of item is nothing.* it was (ids|categories)",
        ),
        (ITEMS.with_columns(new=1.5), "column 'new' of item is number, .* was nothing"),
    ],
)
def test_other_columns_are_refused(tmp_path, changed, said):
    prepare(Files(events=OLD, items=ITEMS), tmp_path / "out", EXTEND)
    with pytest.raises(UserError, match=said):
        prepare(Files(events=OLD, items=changed), tmp_path / "out", EXTEND)
