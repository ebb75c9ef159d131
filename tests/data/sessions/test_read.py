"""Sessions: cut from logs, filtered, written, memory-mapped and read back."""

import numpy as np
import pytest
import sessions as support

from recjax.data.sessions.read import Sessions, load_sessions
from recjax.errors import UserError
from recjax.prepare import sessionize as sessions_cut
from recjax.prepare.datasets.sessions import OwnSessions
from recjax.prepare.sessionize import Filter
from recjax.prepare.write import write


def written(tmp_path, known):
    path = tmp_path / "own"

    def builder(**kwargs):
        return OwnSessions(data=known, **kwargs)

    builder.BUILDER_CONFIGS = OwnSessions.BUILDER_CONFIGS
    return write(builder, path, kind="sessions", source={})


def test_written_and_mapped(tmp_path, monkeypatch):
    monkeypatch.setattr("recjax.prepare.datasets.sessions.USERS", 3)
    known = support.sessions(users=8)
    read = load_sessions(written(tmp_path, known))
    for name in ("item", "timestamp", "session_start", "user_start"):
        np.testing.assert_array_equal(getattr(read, name), getattr(known, name))
        assert isinstance(getattr(read, name), np.memmap)
    assert tuple(read.user_ids) == known.user_ids
    assert read.item_ids == known.item_ids and read.timed and read.shown is None


def test_impressions_are_kept(tmp_path):
    item = np.array([0, 1, 2])
    shown = np.array([0, 2, 2, 3]), np.array([1, 3, 0])
    known = sessions_cut.build(
        np.array([0, 0, 1]), item, item * 0, item != 1, "ab", "wxyz", shown
    )
    read = load_sessions(written(tmp_path, known))
    np.testing.assert_array_equal(read.shown, known.shown)
    np.testing.assert_array_equal(read.shown_start, [0, 2, 2, 3])
    assert read.item_ids == ("w", "x", "y", "z") and not read.timed


def test_damage_is_told(tmp_path):
    path = written(tmp_path, support.sessions())
    next(path.glob("users/*/*array_record*")).unlink()
    with pytest.raises(UserError, match="Delete that folder and prepare it again"):
        load_sessions(path)
    assert not list(path.glob("*columns*"))


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


def test_build_drops_what_has_no_event():
    known = sessions_cut.build(
        np.array([1, 1, 3]),
        np.array([4, 0, 4]),
        np.array([5, 6, 7]),
        np.array([True, True, True]),
        ["a", "b", "c", "d"],
        ["v", "w", "x", "y", "z"],
    )
    assert known.user_ids == ("b", "d") and known.item_ids == ("v", "z")
    np.testing.assert_array_equal(known.item, [1, 0, 1])
    np.testing.assert_array_equal(known.user_start, [0, 2, 3])
    np.testing.assert_array_equal(known.event_session, [0, 1, 2])
    np.testing.assert_array_equal(known.position, [0, 0, 0])


@pytest.mark.parametrize("start", [[0, 2, 2], [0, 1], [1, 2], []])
def test_offsets_that_do_not_fit(start):
    with pytest.raises(ValueError, match="session_start"):
        Sessions(np.zeros(2), np.zeros(2), np.array(start), np.array([0, 1]), "a", "b")
