"""Which sessions are streamed over."""

import numpy as np
import pytest
import sessions as support

from recjax.data.sessions.runs import scoring_runs, training_runs
from recjax.data.splits import (
    TEST,
    TRAIN,
    VALIDATION,
    ByTime,
    ByUser,
    Examples,
    LastOut,
)
from recjax.errors import UserError


def parts_of(split, known):
    time = known.timestamp[known.session_start[:-1]]
    return split.parts(Examples("sessions", known.session_user, time))


@pytest.mark.parametrize("split", [LastOut(), ByUser(), ByTime()])
def test_runs_cover_the_split_and_nothing_later(split):
    known = support.sessions(1, users=30)
    parts = parts_of(split, known)
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
    known = support.sessions(users=1, most=5)
    parts = parts_of(LastOut(), known)
    both = training_runs(known, parts, ("train", "validation"))
    np.testing.assert_array_equal(both.count, [len(parts) - 1])
    with pytest.raises(UserError, match="hole"):
        training_runs(known, parts, ("train", "test"))
    with pytest.raises(UserError, match="no split 'tset'"):
        training_runs(known, parts, ("tset",))


def test_every_nth_user():
    known = support.sessions(1, users=30)
    parts = parts_of(LastOut(), known)
    chosen = np.flatnonzero((parts == TEST) & (known.session_user % 4 == 0))
    runs = scoring_runs(known, chosen)
    assert len(runs) and (known.session_user[runs.first] % 4 == 0).all()
    assert not len(scoring_runs(known, chosen[:0]))
