"""The queries of a split of sessions: each event, and all that its user did before."""

import numpy as np
import pytest
import sessions as support

from recjax.data.dataset import HasSessions


@pytest.fixture(scope="module")
def data():
    return support.opened(support.sessions(1))


def test_events_of_a_split(data):
    asked, known = data.queries("test"), data.sessions
    last = [
        event
        for user in range(known.users)
        if np.diff(known.user_start)[user] > 1
        for event in range(*known.session_start[known.user_start[user + 1] - 1 :][:2])
    ]
    past = asked.past
    np.testing.assert_array_equal(past.stop, last)
    np.testing.assert_array_equal(asked.task.items, known.item[last])
    np.testing.assert_array_equal(past.opening, known.position[last] == 0)
    user = known.session_user[known.event_session]
    np.testing.assert_array_equal(asked.user, user[last])
    for start, stop in zip(past.start, past.stop, strict=True):
        mine = np.flatnonzero(user == user[stop])
        assert start == mine[0]
    np.testing.assert_array_equal(past.when, known.timestamp[last])
    assert isinstance(data, HasSessions)


def test_every_nth_user(data):
    whole, some = data.queries("test"), data.queries("test").every(3)
    kept = whole.user % 3 == 0
    assert 0 < kept.sum() < len(kept) and len(some) == kept.sum()
    np.testing.assert_array_equal(some.past.stop, whole.past.stop[kept])
    np.testing.assert_array_equal(some.task.items, whole.task.items[kept])
    np.testing.assert_array_equal(some.user, whole.user[kept])


def test_only_the_order_is_known(data):
    known = data.sessions
    object.__setattr__(known, "timestamp", 0 * known.timestamp)
    untimed = support.opened(known)
    assert not untimed.log.timed and untimed.queries("test").past.when is None
    assert (np.diff(untimed.log.timestamp) > 0).all()
