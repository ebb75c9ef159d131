"""Splits of sessions, and what they stream."""

import numpy as np
import pytest
import sessions as support

from recjax.data.sessions.read import Sessions
from recjax.data.sessions.split import (
    ColdStart,
    LastSessionOut,
    WarmStart,
    scoring_runs,
    training_runs,
)
from recjax.data.splits import TEST, TRAIN, VALIDATION
from recjax.errors import UserError


def made(counts, timestamp=None):
    """Returns users of so many sessions, of one event each."""
    size = sum(counts)
    when = np.zeros(size, int) if timestamp is None else np.array(timestamp, int)
    ids = tuple(str(u) for u in range(len(counts)))
    starts = np.r_[0, np.cumsum(counts)]
    return Sessions(when * 0, when, np.arange(size + 1), starts, ids, ("i",))


def test_last_session_out():
    parts = LastSessionOut().parts(made([1, 2, 4]))
    wanted = [TRAIN, TRAIN, TEST, TRAIN, TRAIN, VALIDATION, TEST]
    np.testing.assert_array_equal(parts, wanted)


def test_cold_start_goes_by_users():
    known = made([3, 1, 2, 1, 1, 2, 1, 1, 1, 5])
    parts = ColdStart((0.8, 0.1, 0.1)).parts(known)
    user = known.session_user
    np.testing.assert_array_equal(parts[user < 8], TRAIN)
    np.testing.assert_array_equal(parts[user == 8], VALIDATION)
    np.testing.assert_array_equal(parts[user == 9], TEST)
    with pytest.raises(ValueError, match="sum to 1"):
        ColdStart((0.8, 0.1, 0.2))


def test_warm_start_goes_by_time():
    known = made([3, 2], [10, 30, 50, 20, 40])
    parts = WarmStart((0.4, 0.2, 0.4)).parts(known)
    np.testing.assert_array_equal(parts, [TRAIN, VALIDATION, TEST, TRAIN, TEST])
    with pytest.raises(UserError, match="needs timestamps"):
        WarmStart().parts(made([3]))


@pytest.mark.parametrize("split", [LastSessionOut(), ColdStart(), WarmStart()])
def test_runs_cover_the_split_and_nothing_later(split):
    known = support.sessions(1, users=30)
    parts = split.parts(known)
    runs = training_runs(known, parts, ("train",))
    got = np.concatenate(
        [np.arange(a, a + n) for a, n in zip(runs.first, runs.count, strict=True)]
    )
    np.testing.assert_array_equal(got, np.flatnonzero(parts == TRAIN))
    for number in (VALIDATION, TEST):
        runs = scoring_runs(known, np.flatnonzero(parts == number))
        scored = []
        for first, count in zip(runs.first, runs.count, strict=True):
            user = known.session_user[first]
            assert first == known.user_start[user]
            assert known.session_user[first + count - 1] == user
            assert parts[first + count - 1] == number
            scored += [s for s in range(first, first + count) if parts[s] == number]
        np.testing.assert_array_equal(scored, np.flatnonzero(parts == number))


def test_training_splits_must_follow_each_other():
    known = made([4])
    parts = LastSessionOut().parts(known)
    both = training_runs(known, parts, ("train", "validation"))
    np.testing.assert_array_equal(both.count, [3])
    with pytest.raises(UserError, match="hole"):
        training_runs(known, parts, ("train", "test"))
    with pytest.raises(UserError, match="no split 'tset'"):
        training_runs(known, parts, ("tset",))


def test_every_nth_user():
    known = support.sessions(1, users=30)
    parts = LastSessionOut().parts(known)
    chosen = np.flatnonzero((parts == TEST) & (known.session_user % 4 == 0))
    runs = scoring_runs(known, chosen)
    assert len(runs) and (known.session_user[runs.first] % 4 == 0).all()
    assert not len(scoring_runs(known, chosen[:0]))
