"""Sessions: cut from logs, filtered, written, memory-mapped and read back."""

import numpy as np
import pytest
import sessions as support

from recjax.data.sessions.read import Sessions, load_sessions, sessions_of
from recjax.prepare import make
from recjax.prepare import sessionize as sessions_cut
from recjax.prepare.sessionize import Filter, event_tables, session_column
from recjax.prepare.write import Data, write
from recjax.tables.typed import Ragged, TypedColumn
from recjax.text.column import pack


def tables(known, shown=None):
    """Returns sessions as the tables that are written."""
    return event_tables(
        known.session_user[known.event_session],
        known.item,
        pack(known.user_ids),
        pack(known.item_ids),
        session_column(known.position == 0),
        TypedColumn("timestamp", "timestamp", known.timestamp * 1_000_000_000),
        shown=shown,
    )


def test_written_and_mapped(tmp_path):
    known = support.sessions(users=8, items=6)
    path = write(Data(tables(known)), tmp_path / "own", source={}, command="")
    read = load_sessions(path)
    for name in ("item", "timestamp", "session_start", "user_start"):
        np.testing.assert_array_equal(getattr(read, name), getattr(known, name))
    assert isinstance(read.item, np.memmap)
    assert tuple(read.user_ids) == known.user_ids
    assert read.item_ids == known.item_ids and read.timed and read.shown is None


def test_impressions_are_kept():
    shown = Ragged(np.array([0, 2, 2, 3]), np.array([1, 3, 0]))
    first = session_column(np.array([True, False, True]))
    user, item = np.array([0, 0, 1]), np.array([0, 1, 2])
    made = event_tables(
        user, item, pack(list("ab")), pack(list("wxyz")), first, shown=shown
    )
    read = sessions_of(made["events"], made["user"], made["item"])
    assert [read.item_ids[i] for i in read.shown] == ["x", "z", "w"]
    np.testing.assert_array_equal(read.shown_start, [0, 2, 2, 3])
    assert read.item_ids == ("w", "x", "y", "z") and not read.timed


def test_users_without_events_are_no_sessions():
    users = make.entity(["a", "b", "c"])
    first = session_column(np.array([True, True]))
    made = event_tables(np.array([0, 2]), np.array([0, 0]), users, pack(["x"]), first)
    assert made["user"] is users
    read = sessions_of(made["events"], made["user"], made["item"])
    assert tuple(read.user_ids) == ("a", "c") and read.users == 2


def test_idle_gap_of_exactly_the_limit_ends_a_session():
    user = np.array([0, 0, 0, 0, 1])
    when = np.array([0, 1_799, 3_599, 3_600, 3_601])
    first = sessions_cut.idle_gaps(user, when, 1_800)
    np.testing.assert_array_equal(first, [True, False, True, False, True])


def test_long_sessions_go_on_as_sessions():
    first = np.zeros(12, bool)
    first[[0, 7]] = True
    cut = sessions_cut.cut_long(first, 3)
    np.testing.assert_array_equal(np.flatnonzero(cut), [0, 3, 6, 7, 10])


def test_filter_counts_items_then_users_pass_by_pass():
    # Item 9 has one event; without it user 1 has one; without that item 7 has one.
    user = np.array([0, 0, 0, 1, 1, 2, 2])
    item = np.array([5, 5, 7, 7, 9, 5, 5])
    once = Filter(item_events=2, user_events=2).keep(user, item)
    np.testing.assert_array_equal(once, [0, 1, 2, 5, 6])
    twice = Filter(item_events=2, user_events=2, passes=2).keep(user, item)
    np.testing.assert_array_equal(twice, [0, 1, 5, 6])
    most = Filter(most_user_events=2).keep(user, item)
    np.testing.assert_array_equal(most, [3, 4, 5, 6])


def test_what_has_no_event_goes():
    user, item = np.array([1, 1, 3]), np.array([4, 0, 4])
    made = event_tables(
        *(user, item, pack(list("abcd")), pack(list("vwxyz"))),
        session_column(np.array([True, True, True])),
    )
    known = sessions_of(made["events"], made["user"], made["item"])
    assert tuple(known.user_ids) == ("b", "d") and known.item_ids == ("v", "z")
    np.testing.assert_array_equal(known.item, [1, 0, 1])
    np.testing.assert_array_equal(known.user_start, [0, 2, 3])
    np.testing.assert_array_equal(known.event_session, [0, 1, 2])
    np.testing.assert_array_equal(known.position, [0, 0, 0])


@pytest.mark.parametrize("start", [[0, 2, 2], [0, 1], [1, 2], []])
def test_offsets_that_do_not_fit(start):
    with pytest.raises(ValueError, match="session_start"):
        Sessions(np.zeros(2), np.zeros(2), np.array(start), np.array([0, 1]), "a", "b")


def test_titles_are_those_of_the_items():
    made = tables(support.sessions(users=8, items=6))
    ids, titles = made["item"]["id"].vocabulary, [f"T{i}" for i in range(6)]
    items = make.entity(ids, make.text("title", titles))
    found = sessions_of(made["events"], made["user"], items)
    assert found.titles == tuple(titles)
    assert support.opened(found).corpora["item"].titles == tuple(titles)
    blank = sessions_of(made["events"], made["user"], made["item"])
    assert support.opened(blank).corpora["item"].titles == ("",) * 6
