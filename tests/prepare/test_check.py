"""What is wrong between tables: unknown ids, rows given twice, sessions, judgements."""

import re

import numpy as np
import polars as pl
import pytest
from preparing import found, tables

from recjax.data.interactions import interactions_of
from recjax.data.prepared import digest_of
from recjax.data.sessions.read import sessions_of
from recjax.errors import UserError
from recjax.prepare import gather
from recjax.prepare.options import Files, How
from recjax.prepare.prepare import check

START = 1_600_000_000
NAMES = ("user", "item", "timestamp")


def frame(rows, *names):
    return pl.DataFrame(rows, names or NAMES, orient="row")


def log(*rows):
    return frame([(user, item, START + when) for user, item, when in rows])


def interactions(checked):
    return interactions_of(*tables(checked, "events", "user", "item"))


def sessions(checked):
    return sessions_of(*tables(checked, "events", "user", "item"))


EVENTS = frame(
    [("b", "x", 30), ("a", "y", 7), ("b", "z", 10), ("a", "x", 5), ("b", "y", 30)]
).with_columns(pl.col("timestamp") + START, rating=pl.Series([1.0, 2, 3, 4, 5]))
ITEMS = frame([("z", "Z", "t"), ("y", "Y", ""), ("x", "X", "u v"), ("w", "W", "")],
              "item", "title", "tags")  # fmt: skip


def test_sorted_by_user_time_and_row_with_items_of_the_table():
    data = interactions(check(Files(events=EVENTS, items=ITEMS)))
    assert tuple(data.user_ids) == ("b", "a") and data.item_ids == tuple("zyxw")
    assert data.titles == tuple("ZYXW") and data.tags == ("t", "", "u v", "")
    np.testing.assert_array_equal(data.user, [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(data.item, [0, 2, 1, 2, 1])
    np.testing.assert_array_equal(data.timestamp - START, [10, 30, 30, 5, 7])
    np.testing.assert_array_equal(data.rating, [3, 1, 5, 4, 2])


def test_without_items_and_ratings():
    data = interactions(check(Files(events=EVENTS.drop("rating"))))
    assert data.item_ids == ("x", "y", "z") and data.titles == ("", "", "")
    np.testing.assert_array_equal(data.rating, np.ones(5, np.float32))


def test_order_within_a_second_is_kept():
    rows = [("u", "third", 900), ("u", "second", 500), ("u", "first", 100)]
    milli = frame([(u, i, START * 1_000 + ms) for u, i, ms in rows])
    data = interactions(check(Files(events=milli)))
    assert [data.item_ids[i] for i in data.item] == ["first", "second", "third"]
    np.testing.assert_array_equal(data.timestamp, [START] * 3)


def test_unknown_ids_and_events_twice():
    users = frame([("b", 30)], "user", "age")
    events = pl.concat(
        [EVENTS, EVENTS[4:5], *[EVENTS[1:2].with_columns(item=pl.lit("q"))] * 2]
    )
    checked = check(Files(events=events, items=ITEMS, users=users))
    kinds = {(kind, row, value) for _, kind, row, _, value in found(checked)}
    assert kinds == {
        *(("unknown user", row, '"a"') for row in (2, 4, 7, 8)),
        *(("unknown item", row, '"q"') for row in (7, 8)),
        ("the same event twice", 6, f"b, y, {iso(30)} (first in row 5)"),
    }
    assert checked.data.tables["events"].rows == 3


def iso(when):
    return str(np.datetime64(START + when, "s"))


def test_two_actions_of_one_moment_are_two_events():
    events = log(("u", "i", 1), ("u", "i", 1)).with_columns(
        action=pl.Series(["view", "buy"])
    )
    assert check(Files(events=events)).report.ok
    checked = check(Files(events=events.drop("action")))
    assert [kind for _, kind, *_ in found(checked)] == ["the same event twice"]


def test_an_item_given_twice_keeps_its_first_row():
    items = pl.concat([ITEMS, ITEMS[3:4].with_columns(title=pl.lit("again"))])
    checked = check(Files(events=EVENTS, items=items))
    told = ("items", "item given twice", 5, "item", "w (first in row 4)")
    assert found(checked) == [told]
    assert checked.data.tables["item"].rows == 4


LOG = log(("b", "x", 5000), ("a", "x", 100), ("a", "y", 1899), ("a", "z", 3700))


def test_sessions_are_cut_at_gaps():
    known = sessions(check(Files(events=LOG), How(gap=1_800)))
    assert tuple(known.user_ids) == ("b", "a") and known.item_ids == ("x", "y", "z")
    np.testing.assert_array_equal(known.item, [0, 0, 1, 2])
    np.testing.assert_array_equal(known.session_start, [0, 1, 3, 4])
    np.testing.assert_array_equal(known.user_start, [0, 1, 3])


def test_a_gap_is_exact_within_a_second():
    start = START * 1_000
    for apart, count in ((1_800_000, 2), (1_799_999, 1)):
        events = frame([("u", "x", start + 1), ("u", "y", start + 1 + apart)])
        known = sessions(check(Files(events=events), How(gap=1_800)))
        assert len(known.session_start) - 1 == count


def named(*rows):
    return frame([(u, i, START + t, s) for u, i, t, s in rows], *NAMES, "session")


def test_named_sessions_and_impressions():
    events = named(("a", "x", 1, "s"), ("a", "y", 2, "s"), ("a", "x", 3, "t"))
    events = events.with_columns(impressions=pl.Series(["y z", "", "w"]))
    known = sessions(check(Files(events=events)))
    np.testing.assert_array_equal(known.session_start, [0, 2, 3])
    shown = [
        [known.item_ids[i] for i in known.shown[a:b]]
        for a, b in zip(known.shown_start[:-1], known.shown_start[1:], strict=True)
    ]
    assert shown == [["y", "z"], [], ["w"]] and "w" in known.item_ids


def test_an_unknown_impression_is_named():
    events = LOG.with_columns(impressions=pl.Series(["w q", "", "x", "z"]))
    ((_, kind, row, column, _),) = found(check(Files(events=events, items=ITEMS)))
    assert (kind, row, column) == ("unknown item", 1, "impressions")


def test_sessions_of_nobody():
    events = named(("", "x", 1, "s"), ("", "y", 2, "s"), ("", "x", 9, "t")).drop("user")
    known = sessions(check(Files(events=events)))
    assert tuple(known.user_ids) == ("s", "t")
    np.testing.assert_array_equal(known.session_start, [0, 2, 3])


def test_one_name_of_two_users_is_two_sessions():
    known = sessions(check(Files(events=named(("a", "x", 1, "s"), ("b", "y", 2, "s")))))
    np.testing.assert_array_equal(known.session_start, [0, 1, 2])


def test_sessions_that_overlap_are_named_and_can_be_skipped():
    events = named(("u", "x", 1, "A"), ("u", "y", 2, "B"), ("u", "z", 3, "A"))
    checked = check(Files(events=events))
    ((_, kind, row, _, value),) = found(checked)
    assert (row, value) == (3, '"A of user u, after B began"')
    assert "after another began" in kind
    assert checked.data.tables["events"]["session"].values.tolist() == [0, 1]


def test_sessions_that_overlap_are_named_where_events_before_them_are_left_out():
    """Of two events that are one, and of a later user than some that are left out."""
    rows = [("t", "x", 1, "Z")] * 3
    rows += [("u", "x", 1, "A"), ("u", "y", 2, "B"), ("u", "z", 3, "A")]
    checked = check(Files(events=named(*rows)))
    told = {row: value for _, _, row, column, value in found(checked) if column}
    assert told[6] == '"A of user u, after B began"'


def test_an_empty_name_is_no_session():
    events = named(("u", "x", 1, ""), ("u", "y", 9**9 // 4, " "), ("u", "z", 3, "A"))
    assert [row for _, _, row, *_ in found(check(Files(events=events)))] == [1, 2]


def test_filters_and_long_sessions():
    twice = pl.concat([LOG, log(("b", "y", 5001))])
    known = sessions(check(Files(events=twice), How(gap=1_800, longest=1)))
    assert len(known.session_start) - 1 == 5
    checked = check(Files(events=twice), How(gap=1_800, item_events=2, user_events=2))
    known = sessions(checked)
    assert known.item_ids == ("x", "y") and len(known.item) == 4
    assert "1 of 5 events left out" in str(checked.report)
    most = check(Files(events=twice), How(most_user_events=2)).data.tables
    assert most["user"].rows == 1 and most["events"].rows == 2
    with pytest.raises(UserError, match="no event is left.*--user-events"):
        check(Files(events=twice), How(user_events=9))


@pytest.mark.parametrize(
    ("events", "how", "said"),
    [
        (named(("u", "x", 1, "s")), How(gap=9), "--gap, but the file names sessions"),
        (LOG, How(longest=9), "--longest, but no sessions"),
        (LOG.drop("user"), How(), "missing column"),
    ],
)
def test_options_without_effect(events, how, said):
    checked = check(Files(events=events), how)
    assert said in str(checked.report) and checked.data is None


def test_columns_that_nobody_named_are_told():
    events = LOG.with_columns(price=pl.Series([1.5, None, 3, 4]), flag=pl.lit("n"))
    checked = check(Files(events=events))
    assert "events: takes price as number" in str(checked.report)
    price = checked.data.tables["events"]["price"].values
    np.testing.assert_array_equal(price, np.float32([1.5, np.nan, 3, 4]))
    skip = How(column=("events:price=skip", "flag=category"))
    table = check(Files(events=events), skip).data.tables["events"]
    assert "price" not in table and list(table["flag"].labels) == ["", "n"]


@pytest.mark.parametrize("late", ["1", "x", "007", "", "2023-01-01"])
@pytest.mark.parametrize("early", ["5", "", "2001-02-03", "red"])
def test_a_later_row_can_make_a_column_another(tmp_path, monkeypatch, early, late):
    head = "user,item,timestamp,price,when"
    for part, value in enumerate([early] * 3 + [late]):
        row = f"u{part},a,{START},{value},{value}"
        (tmp_path / f"{part}.csv").write_text(f"{head}\n{row}\n")
    wanted = check(Files(events=tmp_path))
    monkeypatch.setattr(gather, "SAMPLE", 2)
    found = check(Files(events=tmp_path))
    assert str(found.report) == str(wanted.report)
    assert (found.data is None) == (wanted.data is None)
    if found.data is not None:
        assert digest_of(found.data.tables) == digest_of(wanted.data.tables)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (How(column=("items:price=number",)), "there is no file 'items' here"),
        (How(column=("evnts:price=number",)), "Did you mean 'events'"),
        (How(column=("price=numbr",)), "no such type.*Did you mean 'number'"),
        (How(column=("item=text", "item=id")), "'item' is 'text' already"),
        (How(rename=("a=user", "b=user")), "'user' is named twice"),
    ],
)
def test_options_that_fit_no_file(how, said):
    with pytest.raises(UserError, match=said):
        check(Files(events=LOG), how)


@pytest.mark.parametrize(
    ("given", "rename", "said"),
    [
        ("itm=text", (), "'itm' Did you mean 'item'.*correct --column itm=text"),
        ("price=skip", (), "'price'.*correct --column price=skip"),
        ("time=skip", ("time=moment",), "take that: --column moment=skip"),
    ],
)
def test_a_type_of_a_column_that_is_not_there(given, rename, said):
    events = LOG.with_columns(time=1.0)
    report = check(Files(events=events), How(column=(given,), rename=rename)).report
    assert report.fatal and re.search(said, str(report), re.DOTALL)
    assert [one.kind for one in report.problems] == ["no such column"]


@pytest.mark.parametrize("name", ["user", "item", "timestamp"])
def test_a_column_that_is_needed_is_not_skipped(name):
    report = check(Files(events=LOG), How(column=(f"{name}=skip",))).report
    assert [one.kind for one in report.problems] == ["a column that is needed"]
    assert f"take --column {name}=skip out" in str(report)


def test_with_two_files_an_option_says_which():
    with pytest.raises(UserError, match="say of which file.*items:sku=item"):
        check(Files(events=LOG, items=ITEMS), How(rename=("sku=item",)))


@pytest.mark.parametrize("name", ["events", "item", "a b", "columns"])
def test_entities_have_names_of_their_own(name):
    with pytest.raises(UserError, match=f"--entity {name}="):
        Files(events=LOG, entities={name: ITEMS})


def test_nothing_given():
    with pytest.raises(UserError, match="nothing to prepare"):
        Files()


def test_two_files_of_one_name_are_two(tmp_path):
    for folder, text in (
        ("a", f"user,item,timestamp\nu,,{START}\n"),
        ("b", "item\n \n"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.csv").write_text(text)
    events, items = (tmp_path / folder / "x.csv" for folder in "ab")
    checked = check(Files(events=events, items=items))
    assert {file for file, *_ in found(checked)} == {str(events), str(items)}
    assert checked.report.bad_rows == 2
    assert checked.report.rows == {str(events): 1, str(items): 1}
